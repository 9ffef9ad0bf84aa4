//! The queue of finished files without a record that must still be examined.

use shared::name::ResourceName;
use std::collections::VecDeque;

/// The names that must still be examined.
#[derive(Debug, Default)]
pub struct Strays {
    pub left: VecDeque<ResourceName>,
    /// Whether one of them is being compared.
    pub is_comparing: bool,
}
