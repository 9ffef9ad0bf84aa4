//! The rules, applied to a manifest. Pure.

use super::refused::{Reason, Refused};
use shared::host::config::Glob;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::signature::{PublicKey, SignatureText};
use shared::tree::TreeName;
use std::sync::Arc;

/// A rule with its keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The names that it is about.
    pub names: Vec<Glob>,
    /// The keys of which one must have signed.
    pub keys: Vec<PublicKey>,
    /// Whether a signature is needed. It is also if none of the keys could be read.
    pub is_needed: bool,
    /// The age at which a signature counts no more, in seconds.
    pub max_age_s: Option<u64>,
}

/// The rules that are in force; the first that is about a name counts. A name that no rule is about needs no signature.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy(Arc<[Rule]>);

/// Whether a manifest may be older than one that was accepted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// It may not be signed before this time, in seconds since 1970; `None` if nothing was accepted yet.
    NotBefore(Option<u64>),
    /// It may be.
    Any,
}

/// A manifest that may be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// No rule asks for its signature.
    AsItIs,
    /// It has the signature that a rule asks for, made at this time, in seconds since 1970; 0 if it does not tell.
    Signed(u64),
}

impl Policy {
    /// These rules, in the order of the config files.
    pub fn new(rules: Vec<Rule>) -> Policy {
        Policy(rules.into())
    }

    /// Whether a name needs a signature.
    pub fn asks_for(&self, name: &ResourceName) -> bool {
        self.rule_for(name).is_some()
    }

    /// The rule that asks for the signature of a name, and its number.
    fn rule_for(&self, name: &ResourceName) -> Option<(usize, &Rule)> {
        let tree = TreeName::of_resource(name);
        let is_about = |glob: &Glob| {
            // A directory is named without ".tar" by whoever writes rules.
            glob.matches(name.as_str()) || tree.as_ref().is_some_and(|tree| glob.matches(tree.as_str()))
        };
        let mut rules = self.0.iter().enumerate();
        let (index, rule) = rules.find(|(_, rule)| rule.names.iter().any(is_about))?;
        rule.is_needed.then_some((index + 1, rule))
    }

    /// Whether a name with this signature can be accepted at all at `now`, in seconds since 1970. Whether the signature is
    /// that of the manifest is not looked at, so this costs nothing.
    ///
    /// # Errors
    /// When it cannot.
    pub fn foresee(
        &self,
        name: &ResourceName,
        signature: Option<&SignatureText>,
        age: Age,
        now: u64,
    ) -> Result<(), Refused> {
        let Some((number, rule)) = self.rule_for(name) else { return Ok(()) };
        let reason = match (signature, age) {
            (None, _) => Reason::Unsigned,
            (Some(by), _) if !rule.keys.iter().any(|key| key.id() == by.key_id()) => {
                Reason::OtherKey(by.key_id())
            }
            (Some(by), Age::NotBefore(Some(newest))) if signed_at(by) < newest => {
                Reason::Older(signed_at(by), newest)
            }
            (Some(by), _) => match rule.max_age_s {
                Some(max_age_s) if now.saturating_sub(signed_at(by)) >= max_age_s => Reason::TooOld {
                    signed: by.timestamp(),
                    age_s: now.saturating_sub(signed_at(by)),
                    max_age_s,
                },
                _ => return Ok(()),
            },
        };
        Err(refused(name, number, rule, reason))
    }

    /// Whether a manifest with this signature may be fetched at `now`, in seconds since 1970. The text of the manifest is
    /// hashed in parts.
    ///
    /// # Errors
    /// When it may not.
    pub fn judge(
        &self,
        manifest: &Manifest,
        signature: Option<&SignatureText>,
        age: Age,
        now: u64,
    ) -> Result<Accepted, Refused> {
        let Some((number, rule)) = self.rule_for(manifest.name()) else { return Ok(Accepted::AsItIs) };
        self.foresee(manifest.name(), signature, age, now)?;
        let Some(signature) = signature else { return Ok(Accepted::AsItIs) }; // was refused
        match rule.keys.iter().any(|key| key.verify(manifest, signature).is_ok()) {
            true => Ok(Accepted::Signed(signed_at(signature))),
            false => Err(refused(manifest.name(), number, rule, Reason::Wrong(signature.key_id()))),
        }
    }
}

fn signed_at(signature: &SignatureText) -> u64 {
    signature.timestamp().unwrap_or(0).min(i64::MAX as u64) // the largest number of TOML
}

fn refused(name: &ResourceName, number: usize, rule: &Rule, reason: Reason) -> Refused {
    let expected = rule.keys.iter().map(PublicKey::id).collect();
    Refused { name: name.clone(), rule: number, expected, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ChunkHash, ResourceId};

    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\n\
        RUTnOD6m9zm632ME3utFThhTQXKmv7BIo0BRsjrnnYuL0TYCb8Ycn0KKqmeKEN42gOxmq0MacRKwxtAcxdEbuIbpVKhC4xMEAA0=\n\
        trusted comment: timestamp:1795740186\tfile:hello.txt.tinytorrent\thashed\n\
        jyQNybLAKIi4twM/vmuODN+ZlDdkYb5g0x+SIaX3h+yvWhTJNMzsZ6sogJY6IiBb8IOgaLACEeati9FZRUsECQ==\n";
    const KEY: &str = "RWTnOD6m9zm63+WfvYPiAYm/3CJ+0sxD3754KkpTmYwq+ad/NoesNYh7";
    const OTHER: &str = "RWQI/RoXGLnDkGuMkyK4ccOri0PcX41vTT8WggNjZ+qWd5XZ9pWY/fBY";
    const SIGNED: u64 = 1_795_740_186;
    const NOW: u64 = SIGNED + 10;
    const DAY: u64 = 24 * 3600;

    fn rule(names: &[&str], keys: &[&str]) -> Rule {
        let names = names.iter().map(|glob| glob.parse().unwrap()).collect();
        let keys: Vec<PublicKey> = keys.iter().map(|key| key.parse().unwrap()).collect();
        Rule { names, is_needed: !keys.is_empty(), keys, max_age_s: None }
    }

    /// The manifest that is signed, or one that was changed in a way.
    fn hello(name: &str, tracker: &str) -> Manifest {
        let (hash, trackers) = (ChunkHash::of(b"hello"), vec![tracker.parse().unwrap()]);
        Manifest::new(name.parse().unwrap(), ResourceId::of(b"hello"), trackers, vec![hash]).unwrap()
    }

    fn signed() -> Manifest {
        hello("hello.txt", "tt://tracker.example")
    }

    fn judge(
        policy: &Policy,
        manifest: &Manifest,
        signature: Option<&str>,
        age: Age,
    ) -> Result<Accepted, Reason> {
        let signature: Option<SignatureText> = signature.map(|text| text.parse().unwrap());
        policy.judge(manifest, signature.as_ref(), age, NOW).map_err(|refused| refused.reason)
    }

    #[test]
    fn without_a_rule_for_its_name_everything_is_accepted() {
        for policy in [
            Policy::default(),
            Policy::new(vec![rule(&["os-*"], &[KEY])]),
            Policy::new(vec![rule(&["hello*"], &[]), rule(&["*"], &[KEY])]),
        ] {
            for signature in [None, Some(SIGNATURE)] {
                assert_eq!(judge(&policy, &signed(), signature, Age::Any), Ok(Accepted::AsItIs));
                assert!(!policy.asks_for(signed().name()));
            }
        }
    }

    #[test]
    fn a_rule_asks_for_the_signature_of_one_of_its_keys() {
        let policy = Policy::new(vec![rule(&["hello.*"], &[OTHER, KEY])]);
        let id = KEY.parse::<PublicKey>().unwrap().id();
        let judge =
            |manifest: &Manifest, signature: Option<&str>| judge(&policy, manifest, signature, Age::Any);
        assert_eq!(judge(&signed(), Some(SIGNATURE)), Ok(Accepted::Signed(SIGNED)));
        assert_eq!(judge(&signed(), None), Err(Reason::Unsigned));
        for changed in [hello("hello.tex", "tt://tracker.example"), hello("hello.txt", "tt://other.example")]
        {
            assert_eq!(judge(&changed, Some(SIGNATURE)), Err(Reason::Wrong(id)));
        }
        let later = SIGNATURE.replace("1795740186", "1895740186");
        assert_eq!(judge(&signed(), Some(&later)), Err(Reason::Wrong(id)), "its time is signed, too");
        let policy = Policy::new(vec![rule(&["*"], &[OTHER])]);
        let refused = policy.judge(&signed(), Some(&SIGNATURE.parse().unwrap()), Age::Any, NOW).unwrap_err();
        let told = "hello.txt is signed by DFBA39F7A63E38E7: rule 1 of [[trust]] asks for a signature by \
                    90C3B918171AFD08";
        assert_eq!(refused.to_string(), told);
    }

    #[test]
    fn a_rule_whose_keys_cannot_be_read_accepts_nothing() {
        let policy = Policy::new(vec![Rule { is_needed: true, ..rule(&["*"], &[]) }]);
        for signature in [None, Some(SIGNATURE)] {
            assert!(judge(&policy, &signed(), signature, Age::Any).is_err());
        }
    }

    #[test]
    fn an_older_signature_than_the_newest_is_refused() {
        let policy = Policy::new(vec![rule(&["*"], &[KEY])]);
        for (newest, expected) in [
            (None, Ok(Accepted::Signed(SIGNED))),
            (Some(SIGNED - 1), Ok(Accepted::Signed(SIGNED))),
            (Some(SIGNED), Ok(Accepted::Signed(SIGNED))),
            (Some(SIGNED + 1), Err(Reason::Older(SIGNED, SIGNED + 1))),
        ] {
            let judged = judge(&policy, &signed(), Some(SIGNATURE), Age::NotBefore(newest));
            assert_eq!(judged, expected, "{newest:?}");
        }
        assert_eq!(judge(&policy, &signed(), Some(SIGNATURE), Age::Any), Ok(Accepted::Signed(SIGNED)));
    }

    #[test]
    fn a_signature_older_than_the_rule_allows_is_refused_with_its_age() {
        let policy = Policy::new(vec![Rule { max_age_s: Some(90 * DAY), ..rule(&["*"], &[KEY]) }]);
        let judge =
            |text: &str, age: Age, now: u64| policy.judge(&signed(), Some(&text.parse().unwrap()), age, now);
        for now in [SIGNED - DAY, SIGNED, SIGNED + 90 * DAY - 1] {
            assert_eq!(judge(SIGNATURE, Age::NotBefore(None), now), Ok(Accepted::Signed(SIGNED)), "{now}");
        }
        for age in [Age::NotBefore(None), Age::Any] {
            let refused = judge(SIGNATURE, age, SIGNED + 100 * DAY).unwrap_err();
            assert_eq!(
                refused.to_string(),
                "hello.txt was signed 100 days ago, at 2026-11-27 00:43:06 UTC: rule 1 of [[trust]] takes signatures that \
                 are younger than 90 days"
            );
        }
        let undated = SIGNATURE.replace("timestamp:1795740186\t", "");
        let refused = judge(&undated, Age::Any, SIGNED).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the signature of hello.txt does not say when it was made: rule 1 of [[trust]] takes signatures that are \
             younger than 90 days"
        );
        assert!(!refused.hint().is_empty());
    }

    #[test]
    fn a_directory_is_meant_by_its_name_with_and_without_the_suffix() {
        for glob in ["app", "app.tar", "app*"] {
            let policy = Policy::new(vec![rule(&[glob], &[KEY])]);
            assert!(policy.asks_for(&"app.tar".parse().unwrap()), "{glob}");
        }
        assert!(!Policy::new(vec![rule(&["app"], &[KEY])]).asks_for(&"app.tar.gz".parse().unwrap()));
    }
}
