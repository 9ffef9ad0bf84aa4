//! What a caller may do: the rules of `[[allow]]`, applied to who the caller has proven to be. Pure.
//!
//! A caller's rules are found once ([`Rights::of`]), and each name is then compared with their patterns
//! ([`Granted::may`]). Without any rule everything is allowed.

use shared::host::config::{AllowRule, Glob, Who};
use shared::identity::Node;
use shared::name::ResourceName;
use shared::rpc::tracker::{NotAllowed, Right, WHOM_BYTES_MAX};
use std::sync::Arc;

/// Limits the names of a resource that are looked at, newest first, to decide what a caller may do with it. A resource
/// rarely has more than one.
const NAMES_LOOKED_AT_MAX: usize = 64;

/// The patterns by which a rule gives a right.
fn patterns(right: Right, rule: &AllowRule) -> &[Glob] {
    match right {
        Right::Publish => &rule.publish,
        Right::Fetch => &rule.fetch,
        Right::Watch => &rule.watch,
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

impl Granted {
    /// Whether there are no rules at all, so that everybody may do everything.
    pub fn is_everything(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether the caller may do this with the name.
    ///
    /// # Errors
    ///
    /// When no rule allows it; the error names the rule that allows it to others.
    pub fn may(&self, right: Right, name: &ResourceName) -> Result<(), NotAllowed> {
        match self.has(right, name.as_str()) {
            true => Ok(()),
            false => Err(self.refusal(right, Some(name.clone()))),
        }
    }

    /// Whether the caller may fetch the name. Whoever may publish it may fetch it as well: it has the file.
    pub fn may_take_part(&self, name: &ResourceName) -> bool {
        self.has(Right::Fetch, name.as_str()) || self.has(Right::Publish, name.as_str())
    }

    /// Whether the caller may do this with a resource that is published under these names. One of them is enough. A
    /// resource without a name belongs to those who may do this with every name.
    ///
    /// # Errors
    ///
    /// When no rule allows it. The error names neither a name nor a rule, because the caller may not know the names.
    pub fn may_any<'a>(
        &self,
        right: Right,
        names: impl Iterator<Item = &'a ResourceName>,
    ) -> Result<(), NotAllowed> {
        let mut names = names.take(NAMES_LOOKED_AT_MAX).peekable();
        let may = match names.peek() {
            None => self.has_every(right),
            Some(_) => names.any(|name| self.has(right, name.as_str())),
        };
        if may { Ok(()) } else { Err(self.refusal(right, None)) }
    }

    /// Whether the caller may take part in the swarm of a resource: the catalogue has it under `published`, and the caller
    /// says that it is called `told`.
    ///
    /// # Errors
    ///
    /// When no rule allows it; as that of [`Granted::may`] if nothing but the caller's own word says what it is called.
    pub fn may_join<'a>(
        &self,
        published: impl Iterator<Item = &'a ResourceName>,
        told: &[ResourceName],
    ) -> Result<(), NotAllowed> {
        let mut published = published.take(NAMES_LOOKED_AT_MAX).peekable();
        let (is_published, first) = (published.peek().is_some(), told.first());
        let may = match (is_published, first) {
            _ if self.is_everything() => true,
            (true, _) => published.any(|name| self.may_take_part(name)),
            (false, Some(_)) => told.iter().any(|name| self.may_take_part(name)),
            (false, None) => self.has_every(Right::Fetch),
        };
        if may { Ok(()) } else { Err(self.refusal(Right::Fetch, first.cloned())) }
    }

    fn has(&self, right: Right, name: &str) -> bool {
        self.rules.is_empty() || self.mine.iter().any(|&index| gives(&self.rules[index], right, name))
    }

    /// Whether a rule gives the right for all names, by the pattern `*`.
    fn has_every(&self, right: Right) -> bool {
        let gives_all = |&index: &usize| patterns(right, &self.rules[index]).iter().any(Glob::is_all);
        self.rules.is_empty() || self.mine.iter().any(gives_all)
    }

    fn refusal(&self, right: Right, name: Option<ResourceName>) -> NotAllowed {
        let gives_it = |rule: &AllowRule| name.as_ref().is_some_and(|name| gives(rule, right, name.as_str()));
        let rule = self.rules.iter().zip(1..).find(|(rule, _)| gives_it(rule));
        let rule = rule.map(|(rule, number)| {
            let whom: Vec<String> = rule.who.iter().map(ToString::to_string).collect();
            (number, cut(whom.join(", ")))
        });
        NotAllowed { you: cut(self.you.clone()), right, name, rule }
    }
}

fn gives(rule: &AllowRule, right: Right, name: &str) -> bool {
    patterns(right, rule).iter().any(|glob| glob.matches(name))
}

/// At most [`WHOM_BYTES_MAX`] bytes of a text.
fn cut(mut text: String) -> String {
    if text.len() > WHOM_BYTES_MAX {
        text.truncate(text.floor_char_boundary(WHOM_BYTES_MAX - '…'.len_utf8()));
        text.push('…');
    }
    text
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

    #[test]
    fn a_resource_is_judged_by_its_names_and_without_one_by_all_names() {
        let some = Rights::new(vec![rule(&["*"], &["mine-*"], &["app-*"], &[])]).of(None);
        let all = Rights::new(vec![rule(&["*"], &[], &["app-*", "*"], &[])]).of(None);
        let names = |texts: &[&str]| -> Vec<ResourceName> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        for (published, told, some_may, all_may) in [
            (&["app-1"][..], &[][..], true, true),
            (&["os", "app-1"], &[], true, true),
            (&["mine-1"], &[], true, true), // whoever publishes it has it
            (&["os"], &["app-1"], false, true),
            (&[], &["app-1"], true, true),
            (&[], &["os"], false, true),
            (&[], &[], false, true),
        ] {
            let (published, told) = (names(published), names(told));
            let may = |granted: &Granted| granted.may_join(published.iter(), &told).is_ok();
            assert_eq!((may(&some), may(&all)), (some_may, all_may), "{published:?} {told:?}");
        }
        assert!(some.may_any(Right::Fetch, names(&["os", "app-1"]).iter()).is_ok());
        assert!(some.may_any(Right::Fetch, names(&["mine-1"]).iter()).is_err());
        assert!(Rights::default().of(None).may_join([].iter(), &[]).is_ok());
        assert_eq!(
            some.may_any(Right::Fetch, names(&["os"]).iter()).unwrap_err().to_string(),
            "an anonymous caller may not fetch this file: no rule of [[allow]] gives it to anybody"
        );
    }

    #[test]
    fn a_long_list_of_those_who_may_is_cut() {
        let who: Vec<String> = (0..100).map(|number| format!("node:web-{number}")).collect();
        let who: Vec<&str> = who.iter().map(String::as_str).collect();
        let refusal = Rights::new(vec![rule(&who, &["x"], &[], &[])])
            .of(None)
            .may(Right::Publish, &"x".parse().unwrap());
        let (_, whom) = refusal.unwrap_err().rule.unwrap();
        assert!(
            whom.len() <= WHOM_BYTES_MAX && whom.starts_with("node:web-0, ") && whom.ends_with('…'),
            "{whom}"
        );
    }
}
