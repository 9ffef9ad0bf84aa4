//! Why a manifest is refused.

use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind};
use shared::signature::KeyId;
use shared::utc::Utc;
use std::fmt;

const DAY_S: u64 = 24 * 3600;

/// Why a manifest is refused: which rule asks for what, and what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The manifest's name.
    pub name: ResourceName,
    /// The number of the rule, counted from 1.
    pub rule: usize,
    /// The keys of which the rule asks for one. Empty: none of its keys could be read.
    pub expected: Vec<KeyId>,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a manifest or its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It has no signature.
    Unsigned,
    /// Another key has signed it.
    OtherKey(KeyId),
    /// The signature says that it is of this key, and is not one of this manifest.
    Wrong(KeyId),
    /// It was signed at the first of these times, and a version signed at the second one was accepted before; in seconds
    /// since 1970.
    Older(u64, u64),
    /// It is older than the rule allows.
    TooOld {
        /// When it was made, in seconds since 1970, if it says so.
        signed: Option<u64>,
        /// Its age in seconds.
        age_s: u64,
        /// The age at which signatures count no more, in seconds.
        max_age_s: u64,
    },
}

impl Refused {
    /// What the user can do.
    pub fn hint(&self) -> &'static str {
        match self.reason {
            Reason::Unsigned => {
                "whoever shares it signs it with `ttctl sign`; the rules are [[trust]] in ttd.toml"
            }
            Reason::OtherKey(_) => {
                "if that key is to be trusted, add it to the rule in ttd.toml and reload ttd"
            }
            Reason::Wrong(_) => {
                "the manifest or its signature was changed on the way; get it from somewhere else"
            }
            Reason::Older(..) => "`ttctl get --allow-older` takes the older version all the same",
            Reason::TooOld { .. } => {
                "whoever shares it signs it again with `ttctl sign`; if it was signed lately, look at this machine's clock"
            }
        }
    }

    /// The error for whoever asked for it.
    pub fn error(&self) -> ControlError {
        ControlError {
            kind: ErrorKind::BadData,
            message: self.to_string(),
            hint: Some(self.hint().to_owned()),
        }
    }

    fn asks(&self) -> String {
        let ids: Vec<String> = self.expected.iter().map(KeyId::to_string).collect();
        match &ids[..] {
            [] => format!("rule {} of [[trust]] asks for a key that cannot be read", self.rule),
            [id] => format!("rule {} of [[trust]] asks for a signature by {id}", self.rule),
            ids => {
                format!("rule {} of [[trust]] asks for a signature by one of {}", self.rule, ids.join(", "))
            }
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, asks) = (&self.name, self.asks());
        match self.reason {
            Reason::Unsigned => write!(f, "{name} is not signed: {asks}"),
            Reason::OtherKey(by) => write!(f, "{name} is signed by {by}: {asks}"),
            Reason::Wrong(by) => {
                write!(
                    f,
                    "the signature of {name} says it is by {by}, and is not one of this manifest: {asks}"
                )
            }
            Reason::Older(signed, newest) => write!(
                f,
                "{name} was signed {} s before a version that was accepted here (timestamp {signed}, not {newest})",
                newest - signed
            ),
            Reason::TooOld { signed, age_s, max_age_s } => {
                match signed {
                    Some(signed) => write!(f, "{name} was signed {} ago, at {}", span(age_s), Utc(signed))?,
                    None => write!(f, "the signature of {name} does not say when it was made")?,
                }
                write!(
                    f,
                    ": rule {} of [[trust]] takes signatures that are younger than {}",
                    self.rule,
                    span(max_age_s)
                )
            }
        }
    }
}

/// "90 days", "36 h", "20 s".
fn span(seconds: u64) -> String {
    match seconds {
        s if s >= 2 * DAY_S => format!("{} days", s / DAY_S),
        s if s >= 2 * 3600 => format!("{} h", s / 3600),
        s => format!("{s} s"),
    }
}

impl std::error::Error for Refused {}
