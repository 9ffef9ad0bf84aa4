//! What a rule has found.

use std::fmt;

/// A place that breaks a rule, what is wrong there, and what to do.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    /// `FILE:LINE`, the file from the workspace's root on.
    pub(super) place: String,
    /// What is wrong, in one line.
    pub(super) what: String,
    /// What it is made of, one line each.
    pub(super) details: Vec<String>,
    /// What to do.
    pub(super) remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.place, self.what)?;
        for detail in &self.details {
            writeln!(f, "    {detail}")?;
        }
        write!(f, "    remedy: {}", self.remedy)
    }
}
