//! What the trackers say of the names of a resource.

use shared::rpc::tracker::Namesake;

/// How a resource that we publish stands in a tracker's catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Its names mean it.
    Good,
    /// It is published, and a name of it means this other content.
    Overtaken(Namesake),
    /// It is not published: another machine shares this under its name.
    Taken(Namesake),
    /// It is not published; the text says why.
    Refused(String),
}
