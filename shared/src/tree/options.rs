//! What becomes part of a tree.

use serde::{Deserialize, Serialize};

/// What becomes part of a tree when a directory is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeOptions {
    /// What becomes of symbolic links that lead outside of the directory. Those that stay inside are always carried.
    pub symlinks: Symlinks,
    /// Whether FIFOs, sockets and devices are left out. Otherwise they are refused.
    pub skip_special: bool,
    /// Whether the entries keep their times.
    pub has_times: bool,
}

/// What becomes of symbolic links that lead outside of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Symlinks {
    /// They are refused.
    Inside,
    /// They are carried as they are.
    Any,
    /// They are left out.
    Skip,
}
