//! Who a certificate belongs to: the node's name, its roles and its groups, as DNS names inside of [`DOMAIN`].
//!
//! Certificates of any authority carry these names, so that an organization's own authority works as ours does. This
//! file reads and writes names only. It knows nothing of keys, certificates or connections.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The domain of all names that mean something to us. `internal` is reserved for private use, so no public authority
/// issues a certificate for such a name.
pub const DOMAIN: &str = "tinytorrent.internal";

/// How much earlier than the moment at which it was issued a certificate of our authority begins, in seconds, so that a
/// machine whose clock is behind takes it.
pub const BACKDATED_S: u64 = 3600;

/// Limits a node's name in bytes. DNS allows 253 for the whole name, and `.node.tinytorrent.internal` follows; the rest
/// is room for a longer domain. A longer name is refused.
pub const NODE_BYTES_MAX: usize = 200;

/// Limits one label (a group's name, or a part of a node's name between dots) in bytes, as DNS does. A longer one is
/// refused.
pub const LABEL_BYTES_MAX: usize = 63;

/// Limits the groups of one node. A certificate with more is refused: each group is compared with each rule of a
/// tracker, and 32 is far beyond what a fleet uses.
pub const GROUPS_MAX: usize = 32;

/// Limits the bytes of a stranger's name that an error shows. The rest is cut off.
const SHOWN_BYTES_MAX: usize = 100;

/// A node's name: labels of letters, digits, `-` and `_` with dots between them, in lower case.
///
/// A host name is a node's name. Upper case is taken and becomes lower case, as DNS compares names.
///
/// ```
/// use shared::identity::NodeName;
///
/// assert_eq!("Web-1.Example".parse::<NodeName>().unwrap().as_str(), "web-1.example");
/// assert!("web 1".parse::<NodeName>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(Arc<str>);

/// A group of nodes, which rules name: one label of letters, digits, `-` and `_`, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Group(Arc<str>);

/// Why a text is neither a node's name nor a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadLabel {
    /// It is empty, or it has two dots in a row or a dot at one end.
    Empty,
    /// It is longer than this many bytes.
    TooLong(usize),
    /// A part between dots is longer than [`LABEL_BYTES_MAX`].
    LabelTooLong,
    /// It contains this character, which is none of the allowed ones.
    Character(char),
    /// A label begins or ends with `-`.
    Hyphen,
}

impl fmt::Display for BadLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadLabel::Empty => f.write_str("the name, or a part of it between dots, is empty"),
            BadLabel::TooLong(max) => write!(f, "the name is longer than {max} bytes"),
            BadLabel::LabelTooLong => {
                write!(f, "a part of the name between dots is longer than {LABEL_BYTES_MAX} bytes")
            }
            BadLabel::Character(char) => {
                write!(f, "the name contains {char:?}; letters a to z, digits, \"-\" and \"_\" are allowed")
            }
            BadLabel::Hyphen => {
                f.write_str("the name, or a part of it between dots, begins or ends with \"-\"")
            }
        }
    }
}

impl std::error::Error for BadLabel {}

impl NodeName {
    /// The name as text, without the domain.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Group {
    /// The group as text, without the domain.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = BadLabel;

    fn from_str(text: &str) -> Result<Self, BadLabel> {
        if text.len() > NODE_BYTES_MAX {
            return Err(BadLabel::TooLong(NODE_BYTES_MAX));
        }
        text.split('.').try_for_each(check_label)?;
        Ok(NodeName(text.to_ascii_lowercase().into()))
    }
}

impl FromStr for Group {
    type Err = BadLabel;

    fn from_str(text: &str) -> Result<Self, BadLabel> {
        if text.len() > LABEL_BYTES_MAX {
            return Err(BadLabel::TooLong(LABEL_BYTES_MAX));
        }
        if text.contains('.') {
            return Err(BadLabel::Character('.'));
        }
        check_label(text)?;
        Ok(Group(text.to_ascii_lowercase().into()))
    }
}

fn check_label(label: &str) -> Result<(), BadLabel> {
    if label.is_empty() {
        return Err(BadLabel::Empty);
    }
    if let Some(other) = label.chars().find(|char| !char.is_ascii_alphanumeric() && !"-_".contains(*char)) {
        return Err(BadLabel::Character(other));
    }
    if label.len() > LABEL_BYTES_MAX {
        return Err(BadLabel::LabelTooLong);
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(BadLabel::Hyphen);
    }
    Ok(())
}

macro_rules! as_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = BadLabel;

            fn try_from(text: String) -> Result<Self, BadLabel> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

as_text!(NodeName);
as_text!(Group);

/// What a node may be on a connection. Whoever dials demands a role of the other side by its DNS name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// A daemon (ttd): it serves chunks, and it calls trackers and other daemons.
    Peer,
    /// A tracker: daemons register there and ask it for peers.
    Tracker,
    /// A person or a program that looks after the fleet: it calls trackers, and nobody calls it.
    Operator,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 3] = [Role::Peer, Role::Tracker, Role::Operator];

    /// The role as a word: `peer`, `tracker`, `operator`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Peer => "peer",
            Role::Tracker => "tracker",
            Role::Operator => "operator",
        }
    }

    /// The DNS name that a certificate with this role has, and that whoever dials demands.
    pub const fn dns_name(self) -> &'static str {
        match self {
            Role::Peer => "peer.tinytorrent.internal",
            Role::Tracker => "tracker.tinytorrent.internal",
            Role::Operator => "operator.tinytorrent.internal",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadRole;

impl fmt::Display for BadRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a role is peer, tracker or operator")
    }
}

impl std::error::Error for BadRole {}

impl FromStr for Role {
    type Err = BadRole;

    fn from_str(text: &str) -> Result<Role, BadRole> {
        Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or(BadRole)
    }
}

/// What a certificate says about its owner: one node with at least one role.
///
/// ```
/// use shared::identity::{Node, Role};
///
/// let names = ["peer.tinytorrent.internal", "web-1.node.tinytorrent.internal", "web.group.tinytorrent.internal"];
/// let node = Node::of_dns_names(names.into_iter()).unwrap();
/// assert_eq!(node.to_string(), "web-1 (group web)");
/// assert!(node.roles.contains(&Role::Peer));
/// assert_eq!(node.dns_names(), names);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The name that this node alone has: bans and bounds count by it.
    pub name: NodeName,
    /// What it may be. Never empty if it comes from a certificate.
    pub roles: BTreeSet<Role>,
    /// What rules may name, at most [`GROUPS_MAX`].
    pub groups: BTreeSet<Group>,
}

/// Why the DNS names of a certificate say nothing that can be used. The names in it are as the certificate has them;
/// `Display` escapes and shortens them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadNames {
    /// No name of a role.
    NoRole,
    /// No name of a node.
    NoNode,
    /// Names of two nodes.
    TwoNodes(NodeName, NodeName),
    /// A wildcard inside of [`DOMAIN`]: it would fit every role, or every node.
    Wildcard(String),
    /// A name below `node.` or `group.` that no node or group can have.
    Malformed(String, BadLabel),
    /// More than [`GROUPS_MAX`] groups.
    TooMany,
}

impl fmt::Display for BadNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadNames::NoRole => write!(f, "the certificate names no role, such as {}", Role::Peer.dns_name()),
            BadNames::NoNode => write!(f, "the certificate names no node, such as web-1.node.{DOMAIN}"),
            BadNames::TwoNodes(one, other) => write!(f, "the certificate names two nodes, {one} and {other}"),
            BadNames::Wildcard(name) => write!(f, "the certificate has the wildcard {}", shown(name)),
            BadNames::Malformed(name, why) => {
                write!(f, "the certificate has the name {}: {why}", shown(name))
            }
            BadNames::TooMany => write!(f, "the certificate names more than {GROUPS_MAX} groups"),
        }
    }
}

impl std::error::Error for BadNames {}

/// A stranger's name for a person's eyes: escaped, and at most [`SHOWN_BYTES_MAX`] bytes of it.
fn shown(name: &str) -> String {
    let end = name.floor_char_boundary(SHOWN_BYTES_MAX);
    let rest = if end < name.len() { "…" } else { "" };
    format!("{}{rest}", name[..end].escape_debug())
}

impl Node {
    /// The node of a certificate with these DNS names (its subject alternative names).
    ///
    /// Names outside of [`DOMAIN`] are passed over, because other authorities add their own; so is a role that this
    /// version does not know. A name that is there twice counts once.
    ///
    /// # Errors
    /// If there is no role, if there is not exactly one node, or if a name inside of the domain could mean several
    /// nodes or roles, or none.
    pub fn of_dns_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<Node, BadNames> {
        let mut node: Option<NodeName> = None;
        let mut roles = BTreeSet::new();
        let mut groups = BTreeSet::new();
        for name in names {
            let lower = name.to_ascii_lowercase();
            let Some(inside) = lower.strip_suffix(DOMAIN).and_then(|rest| rest.strip_suffix('.')) else {
                continue;
            };
            if inside.contains('*') {
                return Err(BadNames::Wildcard(name.to_owned()));
            }
            let malformed = |why| BadNames::Malformed(name.to_owned(), why);
            if let Some(text) = below("node", inside) {
                let found = text.parse().map_err(malformed)?;
                match node {
                    Some(one) if one != found => return Err(BadNames::TwoNodes(one, found)),
                    _ => node = Some(found),
                }
            } else if let Some(text) = below("group", inside) {
                groups.insert(text.parse::<Group>().map_err(malformed)?);
                if groups.len() > GROUPS_MAX {
                    return Err(BadNames::TooMany);
                }
            } else if let Ok(role) = inside.parse::<Role>() {
                roles.insert(role);
            }
        }
        if roles.is_empty() {
            return Err(BadNames::NoRole);
        }
        Ok(Node { name: node.ok_or(BadNames::NoNode)?, roles, groups })
    }

    /// The DNS names that a certificate of this node has: roles, then the node, then groups.
    pub fn dns_names(&self) -> Vec<String> {
        let roles = self.roles.iter().map(|role| role.dns_name().to_owned());
        let node = format!("{}.node.{DOMAIN}", self.name);
        let groups = self.groups.iter().map(|group| format!("{group}.group.{DOMAIN}"));
        roles.chain([node]).chain(groups).collect()
    }
}

/// What stands before `.KIND`; an empty text if there is nothing but `KIND`, which names no node and no group.
fn below<'a>(kind: &str, inside: &'a str) -> Option<&'a str> {
    let rest = inside.strip_suffix(kind)?;
    if rest.is_empty() { Some("") } else { rest.strip_suffix('.') }
}

impl fmt::Display for Node {
    /// The name and the groups: `web-1`, `web-1 (group web)`, `web-1 (groups db, web)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<&str> = self.groups.iter().map(Group::as_str).collect();
        match groups.len() {
            0 => write!(f, "{}", self.name),
            1 => write!(f, "{} (group {})", self.name, groups[0]),
            _ => write!(f, "{} (groups {})", self.name, groups.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
