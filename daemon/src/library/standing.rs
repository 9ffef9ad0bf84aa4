//! What trackers say about the names of a resource.

use shared::name::ResourceName;
use shared::rpc::tracker::Namesake;
use std::time::Instant;

/// The standing of a resource that we publish in a tracker's catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Its names mean this resource.
    Good,
    /// It is published, but one of its names means this other content.
    Overtaken(Namesake),
    /// It is not published, because another machine shares this other content under its name.
    Taken(Namesake),
    /// It is not published; the text says why.
    Refused(String),
}

/// Newer versions of names of a resource, as reported by one tracker.
#[derive(Debug, Clone)]
pub struct Newer {
    /// What the names mean; one for each name at most.
    pub versions: Vec<Namesake>,
    /// When the tracker said so: how long ago something was shared is counted from then.
    pub heard: Instant,
}

impl Newer {
    /// What a name means by now, if it means another resource.
    pub fn of(&self, name: &ResourceName) -> Option<&Namesake> {
        self.versions.iter().find(|version| version.name == *name)
    }

    /// Whether these are the same versions of the same names.
    pub fn is_same(&self, versions: &[Namesake]) -> bool {
        let what = |version: &Namesake| (version.name.clone(), version.resource);
        self.versions.iter().map(what).eq(versions.iter().map(what))
    }
}
