//! Why a machine gets no certificate from a tracker.

use crate::identity::NodeName;
use crate::utc::Utc;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Limits the pattern of a token in bytes. A longer one is cut before it is sent, and ends the connection if it comes.
pub const PATTERN_BYTES_MAX: usize = 200;

/// The pattern of the names that a token admits, as its maker wrote it: at most [`PATTERN_BYTES_MAX`] bytes without
/// control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

/// The text is too long for a pattern, or has control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPattern;

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a pattern of more than {PATTERN_BYTES_MAX} bytes, or with control characters")
    }
}

impl std::error::Error for BadPattern {}

impl Pattern {
    /// The pattern, cut and cleaned where it has to be.
    pub fn cut(text: &str) -> Pattern {
        let clean: String = text.chars().filter(|char| !char.is_control()).collect();
        Pattern(clean[..clean.floor_char_boundary(PATTERN_BYTES_MAX)].to_owned())
    }
}

impl TryFrom<String> for Pattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Pattern, BadPattern> {
        let is_good = text.len() <= PATTERN_BYTES_MAX && !text.chars().any(char::is_control);
        if is_good { Ok(Pattern(text)) } else { Err(BadPattern) }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.0
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a machine gets no certificate. `Display` says the cause, and [`hint`](NotEnrolled::hint) what to do about it. All
/// times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotEnrolled {
    /// The tracker has no authority.
    NoAuthority,
    /// The authority has no such token, or it has another secret. Whoever guesses learns no more than that.
    UnknownToken,
    /// The token ended.
    Expired {
        /// Its last second.
        until: u64,
    },
    /// The token admitted as many machines as it may.
    UsedUp {
        /// The number of machines.
        uses: u32,
    },
    /// The token was revoked.
    TokenRevoked,
    /// The token is for other names.
    OtherName {
        /// The names that it admits.
        pattern: Pattern,
    },
    /// Another key has the name.
    NameTaken(NodeName),
    /// The request is no PKCS#10 request, or its key has not signed it.
    Malformed,
    /// No authority of this tracker has issued the certificate.
    Foreign,
    /// The certificate was revoked.
    Revoked,
    /// The certificate ended too long ago.
    TooLate {
        /// Its last second.
        until: u64,
        /// For how many seconds after its end this tracker renews a certificate.
        grace_s: u64,
    },
    /// The request is for another key than the certificate.
    OtherKey,
    /// The time on the tracker's clock is outside of the authority's life, so nothing can be issued.
    Clock {
        /// The first second of the authority's life.
        from: u64,
        /// Its last second.
        until: u64,
        /// The time on the tracker's clock.
        now: u64,
    },
    /// The authority cannot issue anything, and the tracker's log says why: its key is elsewhere, or the disk is full.
    Unable,
    /// The tracker has been asked too often, by the caller or by all.
    TryLater {
        /// When it answers again, in milliseconds from now.
        after_ms: u32,
    },
    /// The connection is not encrypted, and the call must not be read by others.
    NotEncrypted,
}

impl NotEnrolled {
    /// Whether the same call may succeed later, although nobody has done anything.
    pub fn may_pass(&self) -> bool {
        matches!(self, NotEnrolled::TryLater { .. } | NotEnrolled::Unable | NotEnrolled::Clock { .. })
    }

    /// What to do about it, as the beginning of a sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            NotEnrolled::NoAuthority => "name the tracker on whose machine `ttctl ca init` was run",
            NotEnrolled::UnknownToken => "paste the whole line that `ttctl ca token` printed",
            NotEnrolled::Expired { .. } | NotEnrolled::UsedUp { .. } | NotEnrolled::TokenRevoked => {
                "make a new one with `ttctl ca token` on the tracker's machine"
            }
            NotEnrolled::OtherName { .. } => "join with a name that fits, or make a token for this name",
            NotEnrolled::NameTaken(_) => {
                "choose another name, or make a token for this name alone (`ttctl ca token --node NAME`), or revoke \
                 the other key (`ttctl ca revoke NAME`)"
            }
            NotEnrolled::Malformed => "use the same version of TinyTorrent on both machines",
            NotEnrolled::Foreign
            | NotEnrolled::Revoked
            | NotEnrolled::TooLate { .. }
            | NotEnrolled::OtherKey => "join with a new token (`ttctl ca token` on the tracker's machine)",
            NotEnrolled::Clock { .. } => "set the clock of the tracker's machine",
            NotEnrolled::Unable => "look into the tracker's log",
            NotEnrolled::TryLater { .. } => "try again later",
            NotEnrolled::NotEncrypted => "set tls = \"prefer\" or tls = \"require\" at the tracker",
        }
    }
}

impl fmt::Display for NotEnrolled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotEnrolled::NoAuthority => f.write_str("this tracker has no authority"),
            NotEnrolled::UnknownToken => f.write_str("the authority knows no such token"),
            NotEnrolled::Expired { until } => write!(f, "the token expired at {}", Utc(*until)),
            NotEnrolled::UsedUp { uses: 1 } => f.write_str("the token is used up: it admitted 1 machine"),
            NotEnrolled::UsedUp { uses } => write!(f, "the token is used up: it admitted {uses} machines"),
            NotEnrolled::TokenRevoked => f.write_str("the token was revoked"),
            NotEnrolled::OtherName { pattern } => write!(f, "the token is for machines named {pattern}"),
            NotEnrolled::NameTaken(name) => write!(f, "{name} belongs to another key"),
            NotEnrolled::Malformed => f.write_str("the request for a certificate is malformed"),
            NotEnrolled::Foreign => f.write_str("the certificate is not of this tracker's authority"),
            NotEnrolled::Revoked => f.write_str("the certificate was revoked"),
            NotEnrolled::TooLate { until, grace_s: 0 } => {
                write!(
                    f,
                    "the certificate expired at {}, and this tracker renews no expired one",
                    Utc(*until)
                )
            }
            NotEnrolled::TooLate { until, grace_s } => write!(
                f,
                "the certificate expired at {}, and this tracker renews one for {} after its end",
                Utc(*until),
                Span(*grace_s)
            ),
            NotEnrolled::OtherKey => f.write_str("the request is for another key than the certificate"),
            NotEnrolled::Clock { from, until, now } => write!(
                f,
                "the clock of the tracker's machine says {}, and its authority is valid from {} to {}",
                Utc(*now),
                Utc(*from),
                Utc(*until)
            ),
            NotEnrolled::Unable => {
                f.write_str("the tracker's authority cannot issue certificates at present")
            }
            NotEnrolled::TryLater { after_ms } => {
                write!(
                    f,
                    "the tracker is asked too often: it answers in {}",
                    Span(u64::from(*after_ms).div_ceil(1000))
                )
            }
            NotEnrolled::NotEncrypted => {
                f.write_str("the connection is not encrypted, and certificates are issued over TLS only")
            }
        }
    }
}

impl std::error::Error for NotEnrolled {}

/// Seconds in the largest unit that divides them.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            s if s >= 86_400 && s.is_multiple_of(86_400) => write!(f, "{} d", s / 86_400),
            s if s >= 3600 && s.is_multiple_of(3600) => write!(f, "{} h", s / 3600),
            s if s >= 60 && s.is_multiple_of(60) => write!(f, "{} min", s / 60),
            s => write!(f, "{s} s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All reasons, in the order of their numbers.
    fn all() -> Vec<NotEnrolled> {
        vec![
            NotEnrolled::NoAuthority,
            NotEnrolled::UnknownToken,
            NotEnrolled::Expired { until: 1_800_000_000 },
            NotEnrolled::UsedUp { uses: 5 },
            NotEnrolled::TokenRevoked,
            NotEnrolled::OtherName { pattern: Pattern::cut("web-*") },
            NotEnrolled::NameTaken("web-1".parse().unwrap()),
            NotEnrolled::Malformed,
            NotEnrolled::Foreign,
            NotEnrolled::Revoked,
            NotEnrolled::TooLate { until: 1_800_000_000, grace_s: 30 * 86_400 },
            NotEnrolled::OtherKey,
            NotEnrolled::Clock { from: 1, until: 2, now: 3 },
            NotEnrolled::Unable,
            NotEnrolled::TryLater { after_ms: 1500 },
            NotEnrolled::NotEncrypted,
        ]
    }

    #[test]
    fn each_reason_has_its_number_its_cause_and_what_to_do() {
        for (number, reason) in all().iter().enumerate() {
            let bytes = postcard::to_stdvec(reason).unwrap();
            assert_eq!(usize::from(bytes[0]), number, "{reason:?}");
            assert_eq!(postcard::from_bytes::<NotEnrolled>(&bytes).as_ref(), Ok(reason));
            assert!(!reason.hint().is_empty(), "{reason:?}");
        }
        let said: Vec<String> = all().iter().map(ToString::to_string).collect();
        assert_eq!(said[2], "the token expired at 2027-01-15 08:00:00 UTC");
        assert_eq!(said[5], "the token is for machines named web-*");
        let too_late = "the certificate expired at 2027-01-15 08:00:00 UTC, and this tracker renews ";
        assert_eq!(said[10], format!("{too_late}one for 30 d after its end"));
        assert_eq!(said[14], "the tracker is asked too often: it answers in 2 s");
        let never = NotEnrolled::TooLate { until: 1_800_000_000, grace_s: 0 };
        assert_eq!(never.to_string(), format!("{too_late}no expired one"));
    }

    #[test]
    fn a_pattern_is_bounded() {
        let long = "é".repeat(PATTERN_BYTES_MAX);
        let cut = Pattern::cut(&long);
        assert_eq!(cut.to_string().len(), PATTERN_BYTES_MAX);
        assert_eq!(Pattern::try_from(cut.to_string()), Ok(cut));
        assert_eq!(Pattern::try_from(long), Err(BadPattern));
        assert_eq!(Pattern::try_from("a\u{1b}[31m".to_owned()), Err(BadPattern));
        assert_eq!(Pattern::cut("a\u{1b}[31m").to_string(), "a[31m");
    }
}
