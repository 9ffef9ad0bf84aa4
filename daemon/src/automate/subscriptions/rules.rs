//! The rules of `[[subscribe]]`, as they are in force. Pure.

use shared::host::config::Glob;
use shared::name::ResourceName;
use shared::tree::TreeName;
use shared::url::TrackerUrl;
use std::collections::BTreeSet;

/// Limits the trackers that are followed; further ones are left out.
pub const TRACKERS_MAX: usize = 16;

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The names that it is about.
    pub names: Vec<Glob>,
    /// The trackers that say what is published; those of the configuration if there is none.
    pub trackers: Vec<TrackerUrl>,
    /// Where it is written, as FILE:LINE.
    pub place: String,
}

impl Rule {
    /// The pattern of this rule that has a name.
    fn pattern(&self, name: &ResourceName) -> Option<&Glob> {
        self.names.iter().find(|glob| glob.matches(name.as_str()) || has_tree(glob, name))
    }
}

/// Whether a pattern has the name of a directory: that is called with and without `.tar`.
fn has_tree(glob: &Glob, name: &ResourceName) -> bool {
    TreeName::of_resource(name).is_some_and(|tree| glob.matches(tree.as_str()))
}

/// All rules, in the order of the config files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    rules: Vec<Rule>,
    /// The trackers of the configuration.
    configured: Vec<TrackerUrl>,
}

impl Rules {
    /// These rules.
    pub fn new(rules: Vec<Rule>, configured: Vec<TrackerUrl>) -> Rules {
        Rules { rules, configured }
    }

    /// The trackers to follow, in order; at most [`TRACKERS_MAX`].
    pub fn trackers(&self) -> BTreeSet<&TrackerUrl> {
        let all = self.rules.iter().flat_map(|rule| self.trackers_of(rule));
        let mut trackers = BTreeSet::new();
        for tracker in all {
            if trackers.len() < TRACKERS_MAX {
                trackers.insert(tracker);
            }
        }
        trackers
    }

    /// The trackers of a rule.
    pub fn trackers_of<'a>(&'a self, rule: &'a Rule) -> &'a [TrackerUrl] {
        if rule.trackers.is_empty() { &self.configured } else { &rule.trackers }
    }

    /// The first rule that is about a name, with its index and the pattern that has the name.
    pub fn rule_of(&self, name: &ResourceName) -> Option<(usize, &Rule, &Glob)> {
        let rules = self.rules.iter().enumerate();
        rules.into_iter().find_map(|(index, rule)| Some((index, rule, rule.pattern(name)?)))
    }

    /// The pattern by which a name is wanted from a tracker.
    pub fn wants(&self, name: &ResourceName, tracker: &TrackerUrl) -> Option<&Glob> {
        let (_, rule, glob) = self.rule_of(name)?;
        self.trackers_of(rule).contains(tracker).then_some(glob)
    }

    /// The rules in order.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(names: &[&str], trackers: &[&str]) -> Rule {
        Rule {
            names: names.iter().map(|glob| glob.parse().unwrap()).collect(),
            trackers: trackers.iter().map(|url| url.parse().unwrap()).collect(),
            place: String::new(),
        }
    }

    #[test]
    fn the_first_rule_that_has_a_name_says_which_trackers_count() {
        let rules = Rules::new(
            vec![rule(&["app-*", "exact"], &["tt://special"]), rule(&["app-1", "*.iso"], &[])],
            vec!["tt://usual".parse().unwrap()],
        );
        for (name, tracker, expected) in [
            ("app-1", "tt://special", Some("app-*")),
            ("app-1", "tt://usual", None),
            ("exact", "tt://special", Some("exact")),
            ("exactly", "tt://special", None),
            ("a.iso", "tt://usual", Some("*.iso")),
            ("a.iso", "tt://special", None),
            ("app-2.tar", "tt://special", Some("app-*")),
            ("exact.tar", "tt://special", Some("exact")), // a directory
        ] {
            let (parsed, tracker) = (name.parse().unwrap(), tracker.parse().unwrap());
            assert_eq!(rules.wants(&parsed, &tracker).map(Glob::as_str), expected, "{name} at {tracker}");
        }
        let all: Vec<&str> = rules.trackers().into_iter().map(TrackerUrl::as_str).collect();
        assert_eq!(all, ["tt://special", "tt://usual"]);
    }
}
