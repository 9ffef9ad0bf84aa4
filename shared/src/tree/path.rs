//! Where an entry is below the top directory.

use std::fmt;

/// Limits an entry's path in bytes, counted from the top directory's name: `app/bin/tool` has 12. Linux takes no
/// longer path in one call. An entry beyond it is refused.
pub const PATH_BYTES_MAX: usize = 4096;

/// Limits one component of a path in bytes, as file systems do. A longer one is refused.
pub const COMPONENT_BYTES_MAX: usize = 255;

/// Limits the components of a path below the top directory: `app/bin/tool` has two. A deeper entry is refused. It
/// bounds the directories that have to be open at once; real trees have about 20.
pub const DEPTH_MAX: usize = 64;

/// A checked path below a tree's top directory, such as `bin/tool`; the empty path is the top directory itself.
///
/// Each component is a file name: UTF-8 without NUL, `/` or other control characters, neither `.` nor `..`.
///
/// ```
/// use shared::tree::TreePath;
///
/// let path = TreePath::new("bin/tool").unwrap();
/// assert_eq!((path.parent().unwrap().as_str(), path.depth()), ("bin", 2));
/// assert!(TreePath::new("../etc/passwd").is_err());
/// assert!(TreePath::TOP.parent().is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath<'a>(&'a str);

/// Why a text cannot be a path of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPath {
    /// A component is empty.
    Empty,
    /// A component is `.` or `..`.
    Dots,
    /// A component contains `/`.
    Separator,
    /// It contains NUL or another control character.
    Control,
    /// A component is longer than [`COMPONENT_BYTES_MAX`].
    ComponentTooLong,
    /// The path is longer than [`PATH_BYTES_MAX`].
    TooLong,
    /// It has more than [`DEPTH_MAX`] components.
    TooDeep,
}

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadPath::Empty => "a name is empty",
            BadPath::Dots => "a name is \".\" or \"..\"",
            BadPath::Separator => "a name contains \"/\"",
            BadPath::Control => "the name contains a control character",
            BadPath::ComponentTooLong => "a name is longer than 255 bytes",
            BadPath::TooLong => "the path is longer than 4,096 bytes",
            BadPath::TooDeep => "it is more than 64 directories deep",
        })
    }
}

impl std::error::Error for BadPath {}

impl<'a> TreePath<'a> {
    /// The top directory.
    pub const TOP: TreePath<'static> = TreePath("");

    /// Checks a path. Its length together with the top directory's name is checked by the listing.
    pub fn new(text: &'a str) -> Result<TreePath<'a>, BadPath> {
        if text.is_empty() {
            return Ok(TreePath::TOP);
        }
        if text.len() > PATH_BYTES_MAX {
            return Err(BadPath::TooLong);
        }
        let mut depth = 0;
        for component in text.split('/') {
            check_component(component)?;
            depth += 1;
        }
        if depth > DEPTH_MAX {
            return Err(BadPath::TooDeep);
        }
        Ok(TreePath(text))
    }

    /// A path that was checked before.
    pub(super) fn known(text: &'a str) -> TreePath<'a> {
        TreePath(text)
    }

    /// The path as text, without a slash at either end.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Whether it is the top directory.
    pub fn is_top(self) -> bool {
        self.0.is_empty()
    }

    /// The directory that it is in; `None` for the top directory.
    pub fn parent(self) -> Option<TreePath<'a>> {
        if self.is_top() {
            return None;
        }
        Some(self.0.rsplit_once('/').map_or(TreePath::TOP, |(parent, _)| TreePath(parent)))
    }

    /// The last component; empty for the top directory.
    pub fn file_name(self) -> &'a str {
        self.0.rsplit_once('/').map_or(self.0, |(_, name)| name)
    }

    /// The components, in order; none for the top directory.
    pub fn components(self) -> impl Iterator<Item = &'a str> {
        self.0.split('/').filter(|component| !component.is_empty())
    }

    /// The number of components.
    pub fn depth(self) -> usize {
        self.components().count()
    }
}

impl fmt::Display for TreePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub(super) fn check_component(text: &str) -> Result<(), BadPath> {
    match text {
        "" => Err(BadPath::Empty),
        "." | ".." => Err(BadPath::Dots),
        _ if text.len() > COMPONENT_BYTES_MAX => Err(BadPath::ComponentTooLong),
        _ if text.contains('/') => Err(BadPath::Separator),
        _ if text.chars().any(char::is_control) => Err(BadPath::Control),
        _ => Ok(()),
    }
}
