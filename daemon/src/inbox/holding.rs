//! What ttd has under a name, for whoever decides whether the file there is to be shared.

use crate::store::FileIdentity;

/// What ttd has under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// Nothing.
    Nothing,
    /// A download that will have the name.
    Busy,
    /// The file with this identity, which it has hashed.
    File { identity: FileIdentity, served: Served },
    /// A directory, which the name without `.tar` has.
    Tree { served: Served },
}

/// Whether ttd serves a file that it has hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// It does; or it found that the disk has damaged the file, which nobody has written to.
    Yes,
    /// It is examining the file.
    Checking,
    /// It does not, because the file was changed or gone.
    No,
}
