//! What a tracker is to be told.

use crate::library::Standing;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::rpc::tracker::{Namesake, Stage};
use tokio::sync::oneshot;

/// Why something that somebody waits for is not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unpublished {
    /// The tracker could not be told yet: it will be told later.
    Later(String),
    /// The tracker refuses it.
    Refused(String),
    /// The name means other content there.
    Standing(Standing),
}

/// Who waits for a publication.
pub type Waiting = oneshot::Sender<Result<(), Unpublished>>;

/// Who asks what stands in its way; nobody answers where the tracker cannot be asked.
pub type Asking = oneshot::Sender<Option<Namesake>>;

/// What a tracker is to be told.
#[derive(Debug)]
pub enum TrackerCommand {
    /// Announce a resource from now on, or with other numbers.
    Put(SwarmKey, AnnouncedEntry),
    /// The number of chunks that we have has grown.
    Have(SwarmKey, u32),
    /// Announce a resource now: more peers are wanted.
    Urgent(SwarmKey),
    /// Answer when the resource is announced and published.
    Await(SwarmKey, Waiting),
    /// Ask which other machine shares something under this name.
    Ask(ResourceName, Asking),
    /// Withdraw a resource.
    Remove(SwarmKey),
    /// Withdraw everything, and end.
    End,
}

/// A resource as a tracker hears of it.
#[derive(Debug, Clone)]
pub struct AnnouncedEntry {
    /// How far we are.
    pub stage: Stage,
    /// How many chunks we have.
    pub have: u32,
    /// What it is, under each of its names.
    pub manifests: Vec<Manifest>,
    /// When it was shared, in milliseconds since 1970; 0 if unknown.
    pub shared_at_ms: u64,
    /// Whether it was shared here: then we publish it without being asked.
    pub origin: bool,
    /// Whether it was shared just now, without asking for its name.
    pub claims: bool,
}
