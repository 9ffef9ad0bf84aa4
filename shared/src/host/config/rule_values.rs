//! What rules in config files name: public keys, and callers of a tracker.

use super::Glob;
use crate::identity::{Group, Role};
use crate::signature::PublicKey;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A text that a rule does not accept. The error says what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRule(String);

impl fmt::Display for BadRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadRule {}

/// A public key in a config file, or where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustKey {
    /// A `.pub` file of minisign, an absolute path.
    File(PathBuf),
    /// The key itself.
    Key(PublicKey),
}

impl FromStr for TrustKey {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<TrustKey, BadRule> {
        if text.starts_with('/') {
            return match text.contains('\0') {
                true => Err(BadRule("a path cannot contain a NUL byte".to_owned())),
                false => Ok(TrustKey::File(text.into())),
            };
        }
        text.parse().map(TrustKey::Key).map_err(|why| {
            let expected = "expected the absolute path of a public key of minisign, or the key itself";
            BadRule(format!("{expected}; {why}"))
        })
    }
}

/// As it was written; a key as the last line of its file.
impl fmt::Display for TrustKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrustKey::File(path) => path.display().fmt(f),
            TrustKey::Key(key) => f.write_str(&key.to_base64()),
        }
    }
}

/// Who a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Members of a group.
    Group(Group),
    /// Nodes whose name matches.
    Node(Glob),
    /// Nodes of a role.
    Role(Role),
    /// Callers without a certificate.
    Anonymous,
    /// All callers.
    Everybody,
}

impl FromStr for Who {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Who, BadRule> {
        const EXPECTED: &str = "expected \"group:NAME\", \"node:PATTERN\", \"role:peer\", \"role:operator\", \
                                \"anonymous\" or \"*\"";
        let bad = |why: &dyn fmt::Display| BadRule(format!("{text}: {why}"));
        match text.split_once(':') {
            None if text == "anonymous" => Ok(Who::Anonymous),
            None if text == "*" => Ok(Who::Everybody),
            Some(("group", group)) => group.parse().map(Who::Group).map_err(|why| bad(&why)),
            // names of nodes are in lower case
            Some(("node", glob)) => glob.to_ascii_lowercase().parse().map(Who::Node).map_err(|why| bad(&why)),
            Some(("role", "peer")) => Ok(Who::Role(Role::Peer)),
            Some(("role", "operator")) => Ok(Who::Role(Role::Operator)),
            _ => Err(BadRule(EXPECTED.to_owned())),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Group(group) => write!(f, "group:{group}"),
            Who::Node(glob) => write!(f, "node:{glob}"),
            Who::Role(role) => write!(f, "role:{}", role.as_str()),
            Who::Anonymous => f.write_str("anonymous"),
            Who::Everybody => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "RWTnOD6m9zm63+WfvYPiAYm/3CJ+0sxD3754KkpTmYwq+ad/NoesNYh7";

    #[test]
    fn whoever_a_rule_is_about_is_written_as_read() {
        for text in ["group:build", "node:web-*", "role:operator", "role:peer", "anonymous", "*"] {
            assert_eq!(text.parse::<Who>().unwrap().to_string(), text);
        }
        assert_eq!("node:Web-*".parse(), "node:web-*".parse::<Who>());
        for bad in [
            "",
            "build",
            "group:",
            "group:a b",
            "node:",
            "node:[",
            "role:tracker",
            "role:",
            "Anonymous",
            "user:x",
        ] {
            assert!(bad.parse::<Who>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_a_path_or_itself() {
        assert_eq!("/etc/x.pub".parse(), Ok(TrustKey::File("/etc/x.pub".into())));
        assert_eq!(KEY.parse::<TrustKey>().unwrap().to_string(), KEY);
        let told = |text: &str| text.parse::<TrustKey>().unwrap_err().to_string();
        let expected = "expected the absolute path of a public key of minisign, or the key itself; ";
        assert_eq!(told("release.pub"), format!("{expected}this is not a public key of minisign"));
        assert_eq!(told("RWQAAEIyAAAA"), format!("{expected}this is a secret key; the public one is needed"));
        assert!("/a\0b".parse::<TrustKey>().is_err());
    }
}
