//! The text of a signature, checked in shape.

use crate::name::{MANIFEST_SUFFIX, SIGNATURE_SUFFIX};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Limits a signature's text in bytes. A longer text is refused. minisign's own comments with the longest name of a file
/// need 600 bytes.
pub const SIGNATURE_BYTES_MAX: usize = 1024;

/// Limits the name of a file that can be signed, in bytes: file systems allow 255, and the signature's file adds both
/// suffixes. A longer name can be shared, but not signed.
pub const SIGNABLE_NAME_BYTES_MAX: usize = 255 - MANIFEST_SUFFIX.len() - SIGNATURE_SUFFIX.len();

const UNTRUSTED: &str = "untrusted comment: ";
const TRUSTED: &str = "trusted comment: ";

/// The bytes of line 2: the algorithm, the key's id, the signature.
const LINE_2_BYTES: usize = 2 + 8 + 64;
/// The bytes of line 4: the signature of the trusted comment.
const LINE_4_BYTES: usize = 64;

/// A signature's text, which is well formed: four lines, each with its line feed. Whether it is right depends on a key
/// and a manifest; see [`PublicKey::verify`](super::PublicKey::verify).
///
/// CRLF, a missing last line end and empty lines at the end are taken, and not kept.
///
/// ```
/// use shared::signature::SignatureText;
///
/// let text = "untrusted comment: signature from minisign secret key\r\n\
///     RUTnOD6m9zm632ME3utFThhTQXKmv7BIo0BRsjrnnYuL0TYCb8Ycn0KKqmeKEN42gOxmq0MacRKwxtAcxdEbuIbpVKhC4xMEAA0=\r\n\
///     trusted comment: timestamp:1795740186\tfile:hello.txt.tinytorrent\thashed\r\n\
///     jyQNybLAKIi4twM/vmuODN+ZlDdkYb5g0x+SIaX3h+yvWhTJNMzsZ6sogJY6IiBb8IOgaLACEeati9FZRUsECQ==";
/// let signature: SignatureText = text.parse().unwrap();
/// assert_eq!(signature.as_str(), text.replace('\r', "") + "\n");
/// assert_eq!(signature.key_id().to_string(), "DFBA39F7A63E38E7");
/// assert_eq!(signature.timestamp(), Some(1_795_740_186));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SignatureText(String);

/// Why a text is not a signature that is taken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSigned {
    /// It is longer than [`SIGNATURE_BYTES_MAX`].
    TooLong,
    /// It is not UTF-8.
    NotUtf8,
    /// It has not exactly four lines, or a line does not begin as it must.
    Lines,
    /// A comment contains a control character other than a tab.
    Control,
    /// Line 2 or 4 is not the base64 of as many bytes as it should have.
    Encoding,
    /// It was made by `minisign -l`: the text itself is signed, not its hash.
    Legacy,
    /// Line 2 names an algorithm that minisign does not have.
    Algorithm,
}

impl fmt::Display for NotSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotSigned::TooLong => "the signature is longer than 1,024 bytes",
            NotSigned::NotUtf8 => "the signature is not UTF-8",
            NotSigned::Lines => "the signature does not have the four lines of minisign",
            NotSigned::Control => "a comment in the signature contains a control character",
            NotSigned::Encoding => "a line of the signature is damaged",
            NotSigned::Legacy => "the signature has minisign's old form, without a hash (minisign -l)",
            NotSigned::Algorithm => "the signature was made with an unknown algorithm",
        })
    }
}

impl std::error::Error for NotSigned {}

/// Which key made a signature. It is part of the key and chosen at random: it finds a key, and proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 8]);

/// As minisign writes it: 16 hexadecimal digits in upper case.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

impl SignatureText {
    /// Reads a file's bytes.
    ///
    /// # Errors
    ///
    /// When they are not a signature; see [`NotSigned`].
    pub fn of_bytes(bytes: &[u8]) -> Result<SignatureText, NotSigned> {
        if bytes.len() > SIGNATURE_BYTES_MAX {
            return Err(NotSigned::TooLong);
        }
        std::str::from_utf8(bytes).map_err(|_| NotSigned::NotUtf8)?.parse()
    }

    /// The four lines.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Which key is said to have made it.
    pub fn key_id(&self) -> KeyId {
        let bytes = decoded::<LINE_2_BYTES>(self.line(1)).expect("line 2 was decoded when this was made");
        KeyId(bytes[2..10].try_into().expect("line 2 is longer"))
    }

    /// The comment in line 3. It is only worth something if the signature is right.
    pub fn trusted_comment(&self) -> &str {
        self.line(2).strip_prefix(TRUSTED).expect("line 3 was checked when this was made")
    }

    /// When the signature was made, in seconds since 1970, as the trusted comment says.
    pub fn timestamp(&self) -> Option<u64> {
        timestamp(self.trusted_comment())
    }

    fn line(&self, index: usize) -> &str {
        self.0.lines().nth(index).expect("there are four lines")
    }
}

/// The number after `timestamp:` in a trusted comment, in seconds since 1970. Tabs separate the comment's parts.
///
/// ```
/// use shared::signature::timestamp;
///
/// assert_eq!(timestamp("timestamp:1795740186\tfile:x\thashed"), Some(1795740186));
/// assert_eq!(timestamp("release 7\ttimestamp:5"), Some(5));
/// assert_eq!(timestamp("the timestamp:5"), None);
/// assert_eq!(timestamp("timestamp:+5"), None);
/// ```
pub fn timestamp(comment: &str) -> Option<u64> {
    let digits = comment.split('\t').find_map(|part| part.strip_prefix("timestamp:"))?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

impl FromStr for SignatureText {
    type Err = NotSigned;

    fn from_str(text: &str) -> Result<Self, NotSigned> {
        if text.len() > SIGNATURE_BYTES_MAX {
            return Err(NotSigned::TooLong);
        }
        let lines: Vec<&str> = text.trim_end_matches(['\r', '\n']).lines().collect();
        let &[untrusted, signature, trusted, global] = lines.as_slice() else {
            return Err(NotSigned::Lines);
        };
        if !untrusted.starts_with(UNTRUSTED) || !trusted.starts_with(TRUSTED) {
            return Err(NotSigned::Lines);
        }
        if [untrusted, trusted].iter().any(|line| line.chars().any(|c| c.is_control() && c != '\t')) {
            return Err(NotSigned::Control);
        }
        match decoded::<LINE_2_BYTES>(signature).ok_or(NotSigned::Encoding)? {
            [b'E', b'D', ..] => {}
            [b'E', b'd', ..] => return Err(NotSigned::Legacy),
            _ => return Err(NotSigned::Algorithm),
        }
        decoded::<LINE_4_BYTES>(global).ok_or(NotSigned::Encoding)?;
        Ok(SignatureText(format!("{}\n", lines.join("\n"))))
    }
}

/// The bytes of a line of base64. There is one way to write them.
pub(super) fn decoded<const BYTES: usize>(line: &str) -> Option<[u8; BYTES]> {
    BASE64.decode(line.as_bytes()).ok()?.try_into().ok()
}

impl TryFrom<String> for SignatureText {
    type Error = NotSigned;

    fn try_from(text: String) -> Result<Self, NotSigned> {
        text.parse()
    }
}

impl From<SignatureText> for String {
    fn from(signature: SignatureText) -> String {
        signature.0
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Made by minisign 0.11: `minisign -S -s release.key -m hello.txt.tinytorrent`.
    pub(in super::super) const BY_MINISIGN: &str = "untrusted comment: signature from minisign secret key\n\
        RUTnOD6m9zm632ME3utFThhTQXKmv7BIo0BRsjrnnYuL0TYCb8Ycn0KKqmeKEN42gOxmq0MacRKwxtAcxdEbuIbpVKhC4xMEAA0=\n\
        trusted comment: timestamp:1795740186\tfile:hello.txt.tinytorrent\thashed\n\
        jyQNybLAKIi4twM/vmuODN+ZlDdkYb5g0x+SIaX3h+yvWhTJNMzsZ6sogJY6IiBb8IOgaLACEeati9FZRUsECQ==\n";

    /// The same with `-l`.
    const LEGACY: &str = "untrusted comment: signature from minisign secret key\n\
        RWTnOD6m9zm63yIglc6MOfo2RwnBPTZtCyL03wz1aZKjxGrfveIDmdvUCngELKbjNcXatUY2SNYvNiJ/z/X/mWQ/d7dfj8jG4Ac=\n\
        trusted comment: timestamp:1795740186\tfile:hello.txt.tinytorrent\n\
        kLDUU89T72NGqXQyvZ3ZpFnJFyCkwXaGIs0oJmekc8W/IKeVELNfmDkpYw2kKG7w6NdjA3ppO3vnXjmSbHt+CA==\n";

    #[test]
    fn minisigns_signature_is_kept_as_it_is() {
        let signature: SignatureText = BY_MINISIGN.parse().unwrap();
        assert_eq!(signature.as_str(), BY_MINISIGN);
        assert_eq!(signature.trusted_comment(), "timestamp:1795740186\tfile:hello.txt.tinytorrent\thashed");
        assert_eq!(BY_MINISIGN.len(), signature.as_str().len());
    }

    #[test]
    fn line_ends_make_no_difference() {
        let signature: SignatureText = BY_MINISIGN.parse().unwrap();
        for odd in [
            BY_MINISIGN.replace('\n', "\r\n"),
            BY_MINISIGN.trim_end().to_owned(),
            format!("{BY_MINISIGN}\n\r\n\n"),
        ] {
            assert_eq!(odd.parse(), Ok(signature.clone()), "{odd:?}");
        }
    }

    #[test]
    fn what_is_no_signature_is_refused_with_its_reason() {
        let with = |from: &str, to: &str| BY_MINISIGN.replacen(from, to, 1);
        let cases = [
            (String::new(), NotSigned::Lines),
            ("\n\n\n\n".to_owned(), NotSigned::Lines),
            (LEGACY.to_owned(), NotSigned::Legacy),
            (with("RUTn", "RVTn"), NotSigned::Algorithm),
            (format!("\u{feff}{BY_MINISIGN}"), NotSigned::Lines),
            (format!("\n{BY_MINISIGN}"), NotSigned::Lines),
            (format!("{BY_MINISIGN}more"), NotSigned::Lines),
            (with("untrusted comment: ", "untrusted comment:"), NotSigned::Lines),
            (with("\ntrusted comment: ", "\ncomment: "), NotSigned::Lines),
            (with("from", "\u{1b}[31m"), NotSigned::Control),
            (with("file:", "\u{9b}31m"), NotSigned::Control),
            (with("hashed", "hashed\rfile:"), NotSigned::Control),
            (with("RUTn", "RUT"), NotSigned::Encoding),
            (with("RUTn", "RUTn "), NotSigned::Encoding),
            (with("AA0=", "AA1="), NotSigned::Encoding), // bits that mean nothing
            (with("AA0=", "AA0"), NotSigned::Encoding),
            (with("jyQN", "AAAAjyQN"), NotSigned::Encoding),
            (with("jyQN", "????"), NotSigned::Encoding),
            (with("hashed", &"x".repeat(SIGNATURE_BYTES_MAX)), NotSigned::TooLong),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<SignatureText>(), Err(why), "{text:?}");
        }
        assert_eq!(SignatureText::of_bytes(b"\xff"), Err(NotSigned::NotUtf8));
        assert_eq!(SignatureText::of_bytes(&vec![b'\n'; 1 << 20]), Err(NotSigned::TooLong));
    }

    #[test]
    fn the_longest_name_fits_into_minisigns_own_comment() {
        let name = "x".repeat(SIGNABLE_NAME_BYTES_MAX);
        let text = BY_MINISIGN.replace("hello.txt", &name).replace("1795740186", &u64::MAX.to_string());
        let signature: SignatureText = text.parse().unwrap();
        assert_eq!(signature.timestamp(), Some(u64::MAX));
        assert!(text.len() <= 610, "{}", text.len());
        assert_eq!(format!("{name}{MANIFEST_SUFFIX}{SIGNATURE_SUFFIX}").len(), 255);
    }

    #[test]
    fn a_timestamp_is_digits_that_fit() {
        for none in [
            "",
            "timestamp:",
            "timestamp:-1",
            "timestamp:1 ",
            "timestamp:18446744073709551616",
            "Timestamp:1",
        ] {
            assert_eq!(timestamp(none), None, "{none:?}");
        }
        assert_eq!(timestamp("timestamp:7\ttimestamp:9"), Some(7), "the first one counts");
    }
}
