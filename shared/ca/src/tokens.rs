//! Who may join: tokens and what is left of them. Pure.

use crate::issued::{groups_of, groups_text};
use crate::plain_date::shown_s;
use crate::sealed::{digest, hex};
use shared::host::config::Glob;
use shared::identity::{GROUPS_MAX, Group, NodeName};
use shared::token::{Secret, TokenId};
use std::collections::BTreeSet;
use std::fmt;

/// Limits the tokens that an authority keeps. Making one more is an error; those that ended long ago leave by themselves.
pub const TOKENS_MAX: usize = 1000;

/// Limits the machines that one token admits, so that the file stays small: each use is a line of it.
pub const USES_MAX: u32 = 10_000;

/// How long a token stays in the file after its end, in seconds: 30 days, so that a late machine learns that its token
/// expired, and not that nobody knows it.
const KEPT_S: u64 = 30 * 24 * 3600;

/// What a machine that joins does about TLS from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It speaks TLS where the other side does.
    Prefer,
    /// It speaks to nobody without TLS.
    Require,
}

impl Mode {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Prefer => "prefer",
            Mode::Require => "require",
        }
    }
}

/// A token as the authority keeps it: without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// Which token it is.
    pub id: TokenId,
    /// The SHA-256 of its secret.
    pub secret: [u8; 32],
    /// What its machines do about TLS.
    pub mode: Mode,
    /// The groups of its machines.
    pub groups: BTreeSet<Group>,
    /// Which names its machines may have.
    pub nodes: Glob,
    /// How many machines it admits.
    pub uses_max: u32,
    /// The last second in which it counts, since 1970.
    pub until: u64,
    /// Whether it was revoked.
    pub is_revoked: bool,
    /// The machines that it admitted.
    pub uses: Vec<Use>,
}

/// A machine that a token admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Its name.
    pub node: NodeName,
    /// The SHA-256 of its public key.
    pub key: [u8; 32],
}

/// Why a token does not admit a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoGrant {
    /// The authority has no such token, or it has another secret. Whoever guesses learns no more than that.
    Unknown,
    /// It ended at this second since 1970.
    Expired {
        /// The end.
        until: u64,
    },
    /// It admitted as many machines as it may.
    UsedUp {
        /// The number of machines that it admitted.
        uses: u32,
    },
    /// It was revoked.
    Revoked,
    /// The name does not fit.
    Name {
        /// The names that it admits.
        pattern: String,
    },
}

impl fmt::Display for NoGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoGrant::Unknown => f.write_str("the authority knows no such token"),
            NoGrant::Expired { until } => write!(f, "the token expired at {}", shown_s(*until)),
            NoGrant::UsedUp { uses: 1 } => f.write_str("the token is used up: it admitted 1 machine"),
            NoGrant::UsedUp { uses } => write!(f, "the token is used up: it admitted {uses} machines"),
            NoGrant::Revoked => f.write_str("the token was revoked"),
            NoGrant::Name { pattern } => write!(f, "the token is for machines named {pattern}"),
        }
    }
}

/// What a token says about a machine that it admits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The groups of the machine.
    pub groups: BTreeSet<Group>,
    /// What it does about TLS.
    pub mode: Mode,
    /// Whether it may take its name from another key: the token is for this name only, so whoever made it meant this
    /// machine.
    pub may_replace: bool,
}

impl Admission {
    /// Whether it is for one name only.
    pub fn is_for_one_name(&self) -> bool {
        self.nodes.as_str().parse::<NodeName>().is_ok()
    }

    /// What the token says about a machine that joins with it. [`Admission::note`] must follow when the machine gets its
    /// certificate.
    ///
    /// The same key again is the same use, so an answer that was lost costs none; it may even come when the token is
    /// used up, though not after its end.
    ///
    /// # Errors
    /// The first reason that applies. Without the right secret nobody learns any other.
    pub fn redeem(
        &self,
        now: u64,
        secret: &Secret,
        node: &NodeName,
        key: &[u8; 32],
    ) -> Result<Grant, NoGrant> {
        if secret.digest() != self.secret {
            return Err(NoGrant::Unknown);
        }
        if self.is_revoked {
            return Err(NoGrant::Revoked);
        }
        if now > self.until {
            return Err(NoGrant::Expired { until: self.until });
        }
        if !self.nodes.matches(node.as_str()) {
            return Err(NoGrant::Name { pattern: self.nodes.as_str().to_owned() });
        }
        if !self.has_admitted(node, key) && self.uses.len() >= self.uses_max as usize {
            return Err(NoGrant::UsedUp { uses: self.uses_max });
        }
        Ok(Grant { groups: self.groups.clone(), mode: self.mode, may_replace: self.is_for_one_name() })
    }

    /// Counts a machine that got a certificate.
    pub fn note(&mut self, node: &NodeName, key: &[u8; 32]) {
        if !self.has_admitted(node, key) {
            self.uses.push(Use { node: node.clone(), key: *key });
        }
    }

    /// How many machines it still admits at a time.
    pub fn uses_left(&self, now: u64) -> u32 {
        if self.is_revoked || now > self.until { 0 } else { self.uses_max - self.uses.len() as u32 }
    }

    fn has_admitted(&self, node: &NodeName, key: &[u8; 32]) -> bool {
        self.uses.iter().any(|known| known.key == *key && known.node == *node)
    }

    fn is_kept(&self, now: u64) -> bool {
        self.until.saturating_add(KEPT_S) >= now
    }
}

/// All tokens.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tokens(pub Vec<Admission>);

impl Tokens {
    /// The token with this id.
    pub fn find(&mut self, id: TokenId) -> Option<&mut Admission> {
        self.0.iter_mut().find(|token| token.id == id)
    }

    /// Adds a token, and lets those go that ended long ago.
    ///
    /// # Errors
    /// A sentence, if the token makes no sense or if there are [`TOKENS_MAX`].
    pub fn add(&mut self, now: u64, token: Admission) -> Result<(), String> {
        if token.uses_max == 0 || token.uses_max > USES_MAX {
            return Err(format!("a token admits 1 to {USES_MAX} machines, not {}", token.uses_max));
        }
        if token.groups.len() > GROUPS_MAX {
            return Err(format!("a machine has at most {GROUPS_MAX} groups"));
        }
        let pattern = token.nodes.as_str();
        if pattern.is_empty()
            || !pattern.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase())
        {
            return Err("a pattern for machines has no spaces and no capital letters".to_owned());
        }
        self.0.retain(|token| token.is_kept(now));
        if self.0.len() >= TOKENS_MAX {
            return Err(format!(
                "the authority has {TOKENS_MAX} tokens already; wait until some have expired"
            ));
        }
        self.0.push(token);
        Ok(())
    }

    /// The lines of the file.
    pub(crate) fn to_lines(&self) -> String {
        let mut lines = String::new();
        for token in &self.0 {
            let state = if token.is_revoked { "revoked" } else { "open" };
            lines += &format!(
                "token {} {} {} {} {} {} {} {state}\n",
                token.id,
                hex(&token.secret),
                token.mode.as_str(),
                groups_text(&token.groups),
                token.nodes.as_str(),
                token.uses_max,
                token.until
            );
            for one in &token.uses {
                lines += &format!("use {} {}\n", one.node, hex(&one.key));
            }
        }
        lines
    }

    /// Reads the lines of a file; `None` if one of them makes no sense.
    pub(crate) fn of_lines(lines: &str) -> Option<Tokens> {
        let mut tokens = Tokens::default();
        for line in lines.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            match fields[..] {
                ["token", id, secret, mode, groups, nodes, uses_max, until, state] => {
                    tokens.0.push(Admission {
                        id: id.parse().ok()?,
                        secret: digest(secret)?,
                        mode: [Mode::Prefer, Mode::Require]
                            .into_iter()
                            .find(|known| known.as_str() == mode)?,
                        groups: groups_of(groups)?,
                        nodes: nodes.parse().ok()?,
                        uses_max: uses_max.parse().ok().filter(|&uses| uses <= USES_MAX)?,
                        until: until.parse().ok()?,
                        is_revoked: match state {
                            "open" => false,
                            "revoked" => true,
                            _ => return None,
                        },
                        uses: Vec::new(),
                    });
                }
                ["use", node, key] => {
                    let token = tokens.0.last_mut()?;
                    token.uses.push(Use { node: node.parse().ok()?, key: digest(key)? });
                    if token.uses.len() > token.uses_max as usize {
                        return None;
                    }
                }
                _ => return None,
            }
        }
        Some(tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: Secret = Secret([5; 16]);

    fn token(nodes: &str, uses_max: u32) -> Admission {
        Admission {
            id: TokenId([1; 5]),
            secret: SECRET.digest(),
            mode: Mode::Require,
            groups: ["web".parse().unwrap()].into(),
            nodes: nodes.parse().unwrap(),
            uses_max,
            until: 100,
            is_revoked: false,
            uses: Vec::new(),
        }
    }

    fn name(text: &str) -> NodeName {
        text.parse().unwrap()
    }

    #[test]
    fn each_refusal_has_its_reason() {
        let open = token("web-*", 1);
        let redeem = |token: &Admission, now, secret, node| token.redeem(now, secret, &name(node), &[1; 32]);
        let grant = redeem(&open, 100, &SECRET, "web-1").unwrap();
        assert_eq!(grant, Grant { groups: open.groups.clone(), mode: Mode::Require, may_replace: false });
        assert_eq!(redeem(&open, 101, &SECRET, "web-1"), Err(NoGrant::Expired { until: 100 }));
        assert_eq!(redeem(&open, 0, &SECRET, "db-1"), Err(NoGrant::Name { pattern: "web-*".to_owned() }));
        let revoked = Admission { is_revoked: true, ..open.clone() };
        assert_eq!(redeem(&revoked, 0, &SECRET, "web-1"), Err(NoGrant::Revoked));
        for token in [open, revoked] {
            // Whoever does not know the secret learns nothing.
            assert_eq!(redeem(&token, 999, &Secret([6; 16]), "db-1"), Err(NoGrant::Unknown));
        }
    }

    #[test]
    fn the_same_machine_again_is_the_same_use() {
        let mut token = token("web-*", 2);
        let mut join = |node: &str, key| {
            let granted = token.redeem(0, &SECRET, &name(node), &[key; 32]);
            if granted.is_ok() {
                token.note(&name(node), &[key; 32]);
            }
            granted.map(|_| token.uses_left(0))
        };
        assert_eq!(join("web-1", 1), Ok(1));
        assert_eq!(join("web-1", 1), Ok(1));
        assert_eq!(join("web-2", 2), Ok(0));
        assert_eq!(join("web-2", 2), Ok(0));
        assert_eq!(join("web-3", 3), Err(NoGrant::UsedUp { uses: 2 }));
        // The same key under another name would be another machine for everybody else.
        assert_eq!(join("web-3", 1), Err(NoGrant::UsedUp { uses: 2 }));
    }

    #[test]
    fn only_a_token_for_one_name_may_replace_its_key() {
        let may_replace =
            |nodes| token(nodes, 1).redeem(0, &SECRET, &name("web-1"), &[1; 32]).unwrap().may_replace;
        assert!(may_replace("web-1") && !may_replace("web-[1]") && !may_replace("*"));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut used = token("web-{1,2}", 3);
        used.note(&name("web-1"), &[1; 32]);
        used.note(&name("web-2"), &[2; 32]);
        let revoked =
            Admission { is_revoked: true, groups: BTreeSet::new(), mode: Mode::Prefer, ..token("*", 1) };
        let tokens = Tokens(vec![used, revoked]);
        assert_eq!(Tokens::of_lines(&tokens.to_lines()), Some(tokens));
        assert_eq!(Tokens::of_lines(""), Some(Tokens::default()));
        for bad in ["x\n", "use web-1 00\n", "token\n"] {
            assert_eq!(Tokens::of_lines(bad), None, "{bad}");
        }
    }

    #[test]
    fn tokens_are_bounded_and_leave_when_they_are_old() {
        let mut tokens = Tokens::default();
        for _ in 0..TOKENS_MAX {
            tokens.add(0, token("*", 1)).unwrap();
        }
        assert!(tokens.add(0, token("*", 1)).is_err());
        tokens.add(101 + KEPT_S, Admission { until: u64::MAX, ..token("*", 1) }).unwrap();
        assert_eq!(tokens.0.len(), 1);
        for bad in [token("a b", 1), token("WEB", 1), token("*", 0), token("*", USES_MAX + 1)] {
            assert!(tokens.add(0, bad).is_err());
        }
    }
}
