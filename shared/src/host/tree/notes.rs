//! What a tree does not carry of a directory.

/// What was left out, for whoever shares the directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    /// FIFOs, sockets and devices.
    pub special: Noted,
    /// Symbolic links that lead outside of the directory.
    pub links: Noted,
    /// The setuid, setgid and sticky bits of these entries.
    pub bits: Noted,
    /// The capabilities (`security.capability`) of these programs.
    pub capabilities: Noted,
}

/// Entries that have something in common.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Noted {
    /// Their number.
    pub count: u64,
    /// The path of the first one that was found, below the directory and safe to show.
    pub first: String,
}

impl Noted {
    pub(super) fn add(&mut self, path: &str) {
        if self.count == 0 {
            self.first = super::error::shown(path.as_bytes());
        }
        self.count += 1;
    }
}
