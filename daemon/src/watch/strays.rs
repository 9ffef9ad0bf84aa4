//! The finished files that nobody remembers and that are still to be looked at.

use shared::name::ResourceName;
use std::collections::VecDeque;

/// The names that are still to be looked at.
#[derive(Debug, Default)]
pub struct Strays {
    pub left: VecDeque<ResourceName>,
    /// One of them is being compared.
    pub is_comparing: bool,
}
