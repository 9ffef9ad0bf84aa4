//! What the driver tells an announcer.

use crate::library::Standing;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::rpc::tracker::{Namesake, Stage, Unpublish, UnpublishReply};
use shared::signature::SignatureText;
use tokio::sync::oneshot;

/// Why a publication that somebody waits for was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotPublished {
    /// The tracker cannot be reached; it is told later.
    Later(String),
    /// The tracker refuses it, for this reason.
    Refused(String),
    /// The name means other content at this tracker.
    Standing(Standing),
}

/// Where the outcome of a publication goes.
pub type Announcing = oneshot::Sender<Result<(), NotPublished>>;

/// Where the outcome of taking a name back goes.
pub type TakingBack = oneshot::Sender<Result<UnpublishReply, NotPublished>>;

/// Where the answer goes to the question who has a name. It is dropped if the tracker cannot be asked.
pub type Asking = oneshot::Sender<Option<Namesake>>;

/// An order to an announcer.
#[derive(Debug)]
pub enum TrackerCommand {
    /// Announces a resource from now on, or changes what is announced.
    Put(SwarmKey, AnnouncedEntry),
    /// The number of our chunks has grown.
    Have(SwarmKey, u32),
    /// Announces a resource at once, because more peers are wanted.
    Urgent(SwarmKey),
    /// Answers when the resource is announced and published.
    Await(SwarmKey, Announcing),
    /// Asks which other machine shares something under this name.
    Ask(ResourceName, Asking),
    /// Takes back a name of a resource. If nobody waits for the answer, a tracker that cannot be reached is told later.
    Unpublish(SwarmKey, ResourceName, Unpublish, Option<TakingBack>),
    /// Withdraws a resource.
    Remove(SwarmKey),
    /// Withdraws everything and ends.
    End,
}

/// A resource as it is announced.
#[derive(Debug, Clone)]
pub struct AnnouncedEntry {
    /// Our stage in its swarm.
    pub stage: Stage,
    /// The number of our chunks.
    pub have: u32,
    /// Whether we look for peers. Not if nothing is to be fetched although not everything is here.
    pub wants_peers: bool,
    /// Its manifest, once for each of its names.
    pub manifests: Vec<NamedManifest>,
    /// Its size in bytes, once all of it is here.
    pub bytes: Option<u64>,
    /// When it was shared, in milliseconds since 1970; 0 if unknown.
    pub shared_at_ms: u64,
    /// Whether it was shared here; then we publish it without being asked.
    pub origin: bool,
    /// Whether it takes over its name: it was shared just now, without asking who has the name.
    pub claims: bool,
    /// Whether it may be published when the tracker asks for it. A list of chunks that somebody brought along, and that
    /// nobody has proven yet, may be false: then it is only announced.
    pub may_publish: bool,
    /// Those of its names that were taken back: they are not published, and the tracker is told so in each connection.
    pub taken_back: Vec<ResourceName>,
    /// Those of its names whose signature is still to come: they are not published before.
    pub to_be_signed: Vec<ResourceName>,
}

/// The manifest of a resource under one of its names, as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedManifest {
    /// The manifest.
    pub manifest: Manifest,
    /// Its signature.
    pub signature: Option<SignatureText>,
}

impl NamedManifest {
    /// The name.
    pub fn name(&self) -> &ResourceName {
        self.manifest.name()
    }
}

impl AnnouncedEntry {
    /// The manifests to publish: one for each name that was not taken back and does not wait for its signature.
    pub fn to_publish(&self) -> impl Iterator<Item = &NamedManifest> {
        let is_held = |name| self.taken_back.contains(name) || self.to_be_signed.contains(name);
        self.manifests.iter().filter(move |named| self.may_publish && !is_held(named.name()))
    }
}
