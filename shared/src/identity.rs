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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(names: &[&str]) -> Result<Node, BadNames> {
        Node::of_dns_names(names.iter().copied())
    }

    fn name(text: &str) -> NodeName {
        text.parse().unwrap()
    }

    const PEER: &str = "peer.tinytorrent.internal";
    const WEB_1: &str = "web-1.node.tinytorrent.internal";

    #[test]
    fn a_certificate_names_one_node_its_roles_and_its_groups() {
        let node = of(&[
            "web-1.prod.example",
            "TRACKER.tinytorrent.internal",
            PEER,
            "Web-1.Prod.node.TinyTorrent.internal",
            "b.group.tinytorrent.internal",
            "a.group.tinytorrent.internal",
            "a.group.tinytorrent.internal",
        ])
        .unwrap();
        assert_eq!(node.name.as_str(), "web-1.prod");
        assert_eq!(node.roles, [Role::Peer, Role::Tracker].into());
        assert_eq!(node.groups, ["a".parse().unwrap(), "b".parse().unwrap()].into());
        assert_eq!(node.to_string(), "web-1.prod (groups a, b)");
    }

    #[test]
    fn names_that_mean_nothing_to_us_are_passed_over() {
        let foreign = [
            "example.org",
            "*.example.org",
            "peer.tinytorrent.internal.example.org",
            "xpeer.tinytorrent.internal",
            "eviltinytorrent.internal",
            "tracker.eviltinytorrent.internal",
            "tinytorrent.internal",
            ".tinytorrent.internal.",
            "archivist.tinytorrent.internal",
            "x.peer.tinytorrent.internal",
            "tracker.tinytorrent.internal\0",
            " tracker.tinytorrent.internal ",
            "",
        ];
        let node = of(&[&foreign[..], &[PEER, WEB_1]].concat()).unwrap();
        assert_eq!(node, of(&[PEER, WEB_1]).unwrap());
        assert_eq!(of(&foreign), Err(BadNames::NoRole));
    }

    #[test]
    fn what_could_mean_two_things_or_nothing_is_refused() {
        let malformed = |name: &str, why| BadNames::Malformed(name.to_owned(), why);
        let cases: &[(&[&str], BadNames)] = &[
            (&[], BadNames::NoRole),
            (&[WEB_1], BadNames::NoRole),
            (&[PEER], BadNames::NoNode),
            (
                &[PEER, WEB_1, "web-2.node.tinytorrent.internal"],
                BadNames::TwoNodes(name("web-1"), name("web-2")),
            ),
            (&["*.tinytorrent.internal", WEB_1], BadNames::Wildcard("*.tinytorrent.internal".to_owned())),
            (
                &[PEER, "*.node.tinytorrent.internal"],
                BadNames::Wildcard("*.node.tinytorrent.internal".to_owned()),
            ),
            (
                &[PEER, WEB_1, "*.group.TinyTorrent.internal"],
                BadNames::Wildcard("*.group.TinyTorrent.internal".to_owned()),
            ),
            (&[PEER, "node.tinytorrent.internal"], malformed("node.tinytorrent.internal", BadLabel::Empty)),
            (&[PEER, ".node.tinytorrent.internal"], malformed(".node.tinytorrent.internal", BadLabel::Empty)),
            (
                &[PEER, "a..b.node.tinytorrent.internal"],
                malformed("a..b.node.tinytorrent.internal", BadLabel::Empty),
            ),
            (
                &[PEER, WEB_1, "group.tinytorrent.internal"],
                malformed("group.tinytorrent.internal", BadLabel::Empty),
            ),
            (
                &[PEER, WEB_1, "a.b.group.tinytorrent.internal"],
                malformed("a.b.group.tinytorrent.internal", BadLabel::Character('.')),
            ),
            (
                &[PEER, "a\u{1b}.node.tinytorrent.internal"],
                malformed("a\u{1b}.node.tinytorrent.internal", BadLabel::Character('\u{1b}')),
            ),
        ];
        for (names, why) in cases {
            assert_eq!(of(names).as_ref(), Err(why), "{names:?}");
        }
    }

    #[test]
    fn groups_are_bounded() {
        let group = |n: usize| format!("g{n}.group.tinytorrent.internal");
        let names = |count: usize| {
            (0..count).map(group).chain([PEER.to_owned(), WEB_1.to_owned()]).collect::<Vec<_>>()
        };
        let of = |names: Vec<String>| Node::of_dns_names(names.iter().map(String::as_str));
        assert_eq!(of(names(GROUPS_MAX)).unwrap().groups.len(), GROUPS_MAX);
        assert_eq!(of(names(GROUPS_MAX + 1)), Err(BadNames::TooMany));
    }

    #[test]
    fn bad_names_are_told_by_what_is_wrong_with_them() {
        let cases = [
            ("", BadLabel::Empty),
            (".", BadLabel::Empty),
            ("a.", BadLabel::Empty),
            (".a", BadLabel::Empty),
            ("a b", BadLabel::Character(' ')),
            ("a/b", BadLabel::Character('/')),
            ("*", BadLabel::Character('*')),
            ("é", BadLabel::Character('é')),
            ("a\nb", BadLabel::Character('\n')),
            ("-a", BadLabel::Hyphen),
            ("a.b-", BadLabel::Hyphen),
            (&"a".repeat(64), BadLabel::LabelTooLong),
            (&"a.".repeat(100).repeat(2), BadLabel::TooLong(NODE_BYTES_MAX)),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<NodeName>(), Err(why), "{text:?}");
        }
        assert_eq!("a.b".parse::<Group>(), Err(BadLabel::Character('.')));
        assert_eq!("a".repeat(64).parse::<Group>(), Err(BadLabel::TooLong(LABEL_BYTES_MAX)));
    }

    #[test]
    fn the_longest_names_fit_into_dns() {
        let label = "a".repeat(LABEL_BYTES_MAX);
        let longest = format!("{label}.{label}.{label}.{}", "b".repeat(NODE_BYTES_MAX - 3 * 64));
        let node = of(&[PEER, &format!("{longest}.node.{DOMAIN}")]).unwrap();
        assert_eq!(node.name.as_str().len(), NODE_BYTES_MAX);
        assert!(node.dns_names().iter().all(|name| name.len() <= 253));
    }

    #[test]
    fn a_strangers_name_is_escaped_and_shortened() {
        let name = format!("*\u{1b}[2J{}.tinytorrent.internal", "x".repeat(500));
        let said = of(&[&name]).unwrap_err().to_string();
        assert!(said.starts_with("the certificate has the wildcard *\\u{1b}[2Jxxx"), "{said}");
        assert!(said.ends_with("xxx…") && said.len() < 200, "{said}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            node in "[a-z0-9_]{1,9}(\\.[a-z0-9]{1,9}){0,3}",
            roles in proptest::collection::btree_set(0..3_usize, 1..=3),
            groups in proptest::collection::btree_set("[a-z0-9_]{1,20}", 0..5),
        ) {
            let node = Node {
                name: node.parse().unwrap(),
                roles: roles.into_iter().map(|n| Role::ALL[n]).collect(),
                groups: groups.iter().map(|text| text.parse().unwrap()).collect(),
            };
            prop_assert_eq!(Node::of_dns_names(node.dns_names().iter().map(String::as_str)), Ok(node));
        }

        #[test]
        fn any_names_give_a_node_or_a_reason(names in proptest::collection::vec(
            "(\\PC{0,8}|[a-z*.-]{0,8})(\\.?(node|group|peer|tracker))?(\\.tinytorrent\\.internal)?", 0..8,
        )) {
            let result = Node::of_dns_names(names.iter().map(String::as_str));
            match result {
                Ok(node) => prop_assert!(!node.roles.is_empty() && node.groups.len() <= GROUPS_MAX),
                Err(why) => prop_assert!(!why.to_string().chars().any(char::is_control)),
            }
        }
    }
}
