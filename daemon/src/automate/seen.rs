//! What is seen and heard of the files in a watched directory.

use crate::store::FileIdentity;

/// A file or directory as it lay under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// What the driver recognizes a file by; of a directory, whatever is in it.
    pub identity: FileIdentity,
    /// What else tells it from another one.
    pub print: Print,
    /// Whether it is a directory.
    pub is_tree: bool,
}

/// Of a file, when anything about it last changed, in seconds and nanoseconds (ctime): another file may have the inode,
/// size and modification time of a deleted one, but not this. Of a directory, a sum over everything in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Print(pub i64, pub i64);

/// What lay under a name when somebody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Nothing.
    Gone,
    /// A regular file, or a directory that is to be shared. A file may have other names (hard links): then its writer may have closed it under another one.
    There { seen: Seen, has_links: bool },
    /// Something that is never shared, such as "it is a symbolic link".
    Never(&'static str),
}

/// What an event said of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Somebody created it, or wrote to it and has not closed it yet.
    Written,
    /// Whoever wrote to it has closed it, or it was renamed to this name.
    Closed,
    /// Anything else, such as a deletion or another mode.
    Changed,
}
