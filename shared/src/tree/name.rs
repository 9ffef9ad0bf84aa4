//! The name of a tree: its top directory's.

use super::path::{BadPath, check_component};
use crate::name::{BadName, ResourceName};
use std::fmt;
use std::str::FromStr;

/// What a tree's resource adds to the name of the directory.
pub const TREE_SUFFIX: &str = ".tar";

/// The name of the tar's first member.
pub(super) const LISTING_MEMBER: &str = ".MTREE";

/// The name of the tar's last member.
pub(super) const SUMS_MEMBER: &str = ".SHA256SUMS";

/// The checked name of a tree's top directory: `app` of the resource `app.tar`. Both are names that a resource may
/// have.
///
/// ```
/// use shared::tree::TreeName;
///
/// let name: TreeName = "app".parse().unwrap();
/// assert_eq!(name.resource_name().as_str(), "app.tar");
/// assert_eq!(TreeName::of_resource(&name.resource_name()), Some(name));
/// assert!(".MTREE".parse::<TreeName>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeName(String);

/// Why a text cannot be the name of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadTreeName {
    /// It cannot be a file's name.
    Component(BadPath),
    /// It, or it with `.tar`, cannot be a resource's name.
    Resource(BadName),
    /// It is the name of the tar's first or last member, which would be unpacked over it.
    Member,
}

impl fmt::Display for BadTreeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadTreeName::Component(why) => why.fmt(f),
            BadTreeName::Resource(BadName::TooLong) => f.write_str("the name is longer than 239 bytes"),
            BadTreeName::Resource(why) => why.fmt(f),
            BadTreeName::Member => {
                f.write_str("\".MTREE\" and \".SHA256SUMS\" are names of the tree's own members")
            }
        }
    }
}

impl std::error::Error for BadTreeName {}

impl TreeName {
    /// The directory's name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the resource: the directory's, with `.tar`.
    pub fn resource_name(&self) -> ResourceName {
        format!("{}{TREE_SUFFIX}", self.0).parse().expect("it was checked with the suffix")
    }

    /// The name of the directory that a resource of this name is laid out as; `None` if the name does not end in
    /// `.tar`, or if what is before it cannot be a tree's name.
    pub fn of_resource(name: &ResourceName) -> Option<TreeName> {
        name.as_str().strip_suffix(TREE_SUFFIX)?.parse().ok()
    }
}

impl FromStr for TreeName {
    type Err = BadTreeName;

    fn from_str(text: &str) -> Result<TreeName, BadTreeName> {
        check_component(text).map_err(BadTreeName::Component)?;
        text.parse::<ResourceName>().map_err(BadTreeName::Resource)?;
        format!("{text}{TREE_SUFFIX}").parse::<ResourceName>().map_err(BadTreeName::Resource)?;
        match [LISTING_MEMBER, SUMS_MEMBER].contains(&text) {
            true => Err(BadTreeName::Member),
            false => Ok(TreeName(text.to_owned())),
        }
    }
}

impl fmt::Display for TreeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
