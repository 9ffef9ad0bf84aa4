//! The findings of the rules.

use std::fmt;

/// A place that breaks a rule, with the problem and the remedy.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    /// `FILE:LINE`, with the path from the workspace's root.
    pub(super) place: String,
    /// What is wrong, in one line.
    pub(super) what: String,
    /// The details, one line each.
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
