//! What a caller may not do, as a tracker's rules say.

use crate::name::ResourceName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Limits the text that says whom a rule is for, in bytes. A longer one is cut.
pub const WHOM_BYTES_MAX: usize = 200;

/// What a caller wants to do with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Right {
    /// Publish the name, or take it back.
    Publish,
    /// Find the name, list it, and get peers of it.
    Fetch,
    /// See the progress of all machines with it.
    Watch,
}

impl Right {
    fn verb(self) -> &'static str {
        match self {
            Right::Publish => "publish",
            Right::Fetch => "fetch",
            Right::Watch => "watch",
        }
    }
}

/// Why a caller may not do something. It is told to the caller, and contains nothing but who the caller is and what the
/// administrator has written: it is the same whether or not there is such a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotAllowed {
    /// Who the caller is: "web-1 (group web)".
    pub you: String,
    /// What was refused.
    pub right: Right,
    /// For which name; `None` for a resource whose names the caller may not know.
    pub name: Option<ResourceName>,
    /// The first rule that gives this name to anybody: its number, counted from 1, and to whom, in at most
    /// [`WHOM_BYTES_MAX`] bytes.
    pub rule: Option<(u32, String)>,
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} may not {} ", self.you, self.right.verb())?;
        match &self.name {
            Some(name) => write!(f, "{name}: ")?,
            None => f.write_str("this file: ")?,
        }
        match &self.rule {
            Some((number, whom)) => write!(f, "rule {number} of [[allow]] gives it to {whom}"),
            None => f.write_str("no rule of [[allow]] gives it to anybody"),
        }
    }
}

impl std::error::Error for NotAllowed {}
