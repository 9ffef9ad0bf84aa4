//! The tables of rules, as they stand in a config file.

use crate::host::config::settings::settings;
use crate::host::config::{AllowRule, Files, TrustRule};

settings! {
    /// A configuration with the rules of both programs.
    pub struct RulesConfig {
        /// Whose signatures count.
        pub trust: Vec<TrustRule> = Vec::new(),
        /// Who may do what.
        pub allow: Vec<AllowRule> = Vec::new(),
    }
}

const KEY: &str = "RWTnOD6m9zm63+WfvYPiAYm/3CJ+0sxD3754KkpTmYwq+ad/NoesNYh7";

fn read(text: &str) -> Result<RulesConfig, String> {
    RulesConfig::of(&Files::of_texts([("a", text)])).map_err(|error| error.to_string())
}

#[test]
fn rules_are_read_in_their_order() {
    let text = format!(
        "[[trust]]\nnames = [\"app-*\", \"os\"]\nkeys = [\"/etc/release.pub\", \"{KEY}\"]\n\
         [[trust]]\nnames = [\"*\"]\nkeys = []\nmax_age = \"90 d\"\n\
         [[allow]]\nwho = [\"group:build\", \"role:operator\"]\npublish = [\"app-*\"]\n"
    );
    let config = read(&text).unwrap();
    assert_eq!(config.trust.len(), 2);
    assert!(config.trust[0].names[0].matches("app-1") && !config.trust[0].names[1].matches("os-1"));
    assert_eq!((config.trust[0].keys.len(), config.trust[1].keys.len()), (2, 0));
    let ages: Vec<Option<u64>> =
        config.trust.iter().map(|rule| Some(rule.max_age?.duration().as_secs())).collect();
    assert_eq!(ages, [None, Some(90 * 24 * 3600)]);
    let allow = &config.allow[0];
    assert_eq!(config.changed(&RulesConfig::default()), ["trust", "allow"]);
    assert_eq!((allow.who.len(), allow.publish.len(), allow.fetch.len(), allow.watch.len()), (2, 1, 0, 0));
}

#[test]
fn a_mistake_in_a_rule_is_told_with_its_place() {
    for (text, expected) in [
        ("[[trust]]\nnames = [\"*\"]\n", "a:1: [[trust]] needs the key \"keys\""),
        ("[[trust]]\nkeys = []\nnames = [\"a\", \"[\"]\n", "a:3: trust.names: \"[\" is not a pattern: "),
        ("[[trust]]\nnames = \"*\"\nkeys = []\n", "a:2: trust.names: expected a list in brackets"),
        (
            "[[trust]]\nnames = [\"*\"]\nkeys = [\"release.pub\"]\n",
            "a:3: trust.keys: expected the absolute path",
        ),
        ("[[trust]]\nnames = [\"*\"]\nkeys = []\nkey = 1\n", "a:4: unknown key \"key\" in [[trust]]"),
        ("[[trust]]\nnames = [\"*\"]\nkeys = []\nmax_age = \"90 y\"\n", "a:4: trust.max_age: "),
        ("[[allow]]\npublish = [\"*\"]\n", "a:1: [[allow]] needs the key \"who\""),
        ("[[allow]]\nwho = [\"build\"]\n", "a:2: allow.who: expected \"group:NAME\", "),
        ("[[allow]]\nwho = [5]\n", "a:2: allow.who: expected "),
        ("[allow]\nwho = [\"*\"]\n", "a:1: allow: expected tables, each of which begins with [[allow]]"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn the_example_of_the_rules_is_right() {
    let example = RulesConfig::example();
    let lines = example.lines().map(|line| line.strip_prefix('#').filter(|line| !line.starts_with(' ')));
    let text: Vec<&str> = lines.flatten().collect();
    let config = read(&text.join("\n")).unwrap_or_else(|error| panic!("{error}\n{example}"));
    assert_eq!((config.trust.len(), config.allow.len()), (1, 1));
}
