//! What a caller may do: the rules of `[[allow]]`, applied to who the caller has proven to be. Pure.
//!
//! A caller's rules are found once ([`Rights::of`]), and each name is then compared with their patterns
//! ([`Granted::may`]). Without any rule everything is allowed.

use shared::host::config::{AllowRule, Glob, Who};
use shared::identity::Node;
use shared::name::ResourceName;
use std::fmt;
use std::sync::Arc;

/// What a caller wants to do with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    fn patterns(self, rule: &AllowRule) -> &[Glob] {
        match self {
            Right::Publish => &rule.publish,
            Right::Fetch => &rule.fetch,
            Right::Watch => &rule.watch,
        }
    }
}

/// The rules of a tracker.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rights {
    rules: Arc<[AllowRule]>,
}

impl Rights {
    /// These rules, in the order of the config files.
    pub fn new(rules: Vec<AllowRule>) -> Rights {
        Rights { rules: rules.into() }
    }

    /// What this caller may do; `None` is a caller without a certificate.
    pub fn of(&self, caller: Option<&Node>) -> Granted {
        let is_mine = |(_, rule): &(usize, &AllowRule)| rule.who.iter().any(|who| is_meant(who, caller));
        Granted {
            you: caller.map_or_else(|| "an anonymous caller".to_owned(), ToString::to_string),
            mine: self.rules.iter().enumerate().filter(is_mine).map(|(index, _)| index).collect(),
            rules: self.rules.clone(),
        }
    }
}

fn is_meant(who: &Who, caller: Option<&Node>) -> bool {
    match (who, caller) {
        (Who::Everybody, _) | (Who::Anonymous, None) => true,
        (Who::Group(group), Some(node)) => node.groups.contains(group),
        (Who::Node(glob), Some(node)) => glob.matches(node.name.as_str()),
        (Who::Role(role), Some(node)) => node.roles.contains(role),
        (Who::Anonymous, Some(_)) | (_, None) => false,
    }
}

/// What one caller may do.
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    you: String,
    rules: Arc<[AllowRule]>,
    /// The indices of the rules that are about the caller.
    mine: Vec<usize>,
}

/// Why a caller may not do something. It is told to the caller, and has nothing in it but who the caller is and what the
/// administrator has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAllowed {
    /// Who the caller is: "web-1 (group web)".
    pub you: String,
    /// What was refused.
    pub right: Right,
    /// For which name.
    pub name: ResourceName,
    /// The first rule that gives this name to anybody: its number, counted from 1, and whom it gives it to.
    pub rule: Option<(usize, String)>,
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} may not {} {}: ", self.you, self.right.verb(), self.name)?;
        match &self.rule {
            Some((number, whom)) => write!(f, "rule {number} of [[allow]] gives it to {whom}"),
            None => f.write_str("no rule of [[allow]] gives it to anybody"),
        }
    }
}

impl std::error::Error for NotAllowed {}

impl Granted {
    /// Whether the caller may do this with the name.
    ///
    /// # Errors
    ///
    /// When no rule allows it; the error names the rule that allows it to others.
    pub fn may(&self, right: Right, name: &ResourceName) -> Result<(), NotAllowed> {
        let gives = |rule: &AllowRule| right.patterns(rule).iter().any(|glob| glob.matches(name.as_str()));
        if self.rules.is_empty() || self.mine.iter().any(|&index| gives(&self.rules[index])) {
            return Ok(());
        }
        let rule = self.rules.iter().enumerate().find(|(_, rule)| gives(rule)).map(|(index, rule)| {
            let whom: Vec<String> = rule.who.iter().map(ToString::to_string).collect();
            (index + 1, whom.join(", "))
        });
        Err(NotAllowed { you: self.you.clone(), right, name: name.clone(), rule })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(who: &[&str], publish: &[&str], fetch: &[&str], watch: &[&str]) -> AllowRule {
        let globs = |globs: &[&str]| globs.iter().map(|glob| glob.parse().unwrap()).collect();
        AllowRule {
            who: who.iter().map(|who| who.parse().unwrap()).collect(),
            publish: globs(publish),
            fetch: globs(fetch),
            watch: globs(watch),
        }
    }

    /// A node with these names of a certificate, without their domain.
    fn node(names: &[&str]) -> Node {
        let names: Vec<String> = names.iter().map(|name| format!("{name}.tinytorrent.internal")).collect();
        Node::of_dns_names(names.iter().map(String::as_str)).unwrap()
    }

    fn may(rights: &Rights, caller: Option<&Node>, right: Right, name: &str) -> Result<(), String> {
        rights.of(caller).may(right, &name.parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn without_rules_everybody_may_do_everything() {
        let web = node(&["peer", "web-1.node"]);
        for right in [Right::Publish, Right::Fetch, Right::Watch] {
            assert_eq!(may(&Rights::default(), None, right, "app.img"), Ok(()));
            assert_eq!(may(&Rights::default(), Some(&web), right, "app.img"), Ok(()));
        }
    }

    #[test]
    fn a_rule_gives_what_it_names_to_whom_it_names_and_to_nobody_else() {
        let rights = Rights::new(vec![
            rule(&["group:build"], &["app-*"], &[], &[]),
            rule(&["*"], &[], &["app-*", "os-*"], &[]),
            rule(&["role:operator", "node:web-*"], &[], &[], &["*"]),
            rule(&["anonymous"], &["public-*"], &[], &[]),
        ]);
        let build = node(&["peer", "ci.node", "build.group"]);
        let web = node(&["peer", "web-1.node", "web.group"]);
        let operator = node(&["operator", "anna.node"]);
        for (caller, right, name, is_allowed) in [
            (Some(&build), Right::Publish, "app-1", true),
            (Some(&build), Right::Publish, "os-1", false),
            (Some(&build), Right::Publish, "public-1", false),
            (Some(&build), Right::Watch, "app-1", false),
            (Some(&web), Right::Publish, "app-1", false),
            (Some(&web), Right::Fetch, "os-1", true),
            (Some(&web), Right::Fetch, "secret", false),
            (Some(&web), Right::Watch, "secret", true),
            (Some(&operator), Right::Watch, "app-1", true),
            (Some(&operator), Right::Publish, "app-1", false),
            (None, Right::Publish, "public-1", true),
            (None, Right::Publish, "app-1", false),
            (None, Right::Fetch, "app-1", true),
            (None, Right::Watch, "app-1", false),
        ] {
            assert_eq!(may(&rights, caller, right, name).is_ok(), is_allowed, "{caller:?} {right:?} {name}");
        }
    }

    #[test]
    fn a_group_is_not_a_node_and_a_node_is_not_a_group() {
        let rights = Rights::new(vec![rule(&["group:build", "node:web"], &["*"], &[], &[])]);
        let named_alike = node(&["peer", "build.node", "web.group"]);
        assert!(may(&rights, Some(&named_alike), Right::Publish, "x").is_err());
        assert!(may(&rights, Some(&node(&["peer", "web-1.node"])), Right::Publish, "x").is_err());
    }

    #[test]
    fn a_refusal_says_who_what_and_which_rule_gives_it_to_others() {
        let rights = Rights::new(vec![
            rule(&["*"], &[], &["*"], &[]),
            rule(&["group:build", "role:operator"], &["app-*"], &[], &[]),
        ]);
        let web = node(&["peer", "web-1.node", "web.group"]);
        let told = |caller, name| may(&rights, caller, Right::Publish, name).unwrap_err();
        assert_eq!(
            told(Some(&web), "app-1.img"),
            "web-1 (group web) may not publish app-1.img: rule 2 of [[allow]] gives it to group:build, role:operator"
        );
        assert_eq!(
            told(None, "os.img"),
            "an anonymous caller may not publish os.img: no rule of [[allow]] gives it to anybody"
        );
    }
}
