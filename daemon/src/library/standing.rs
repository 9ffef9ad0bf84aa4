//! What trackers say about the names of a resource.

use shared::rpc::tracker::Namesake;

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
