//! Tokens with which a machine joins a closed fleet: `tt1.PIN.ID.SECRET`, 68 characters that a person copies and pastes.
//!
//! A token has three parts. The *pin* says which authority the fleet has, so that nobody else can answer in the
//! tracker's place. The *id* says which token it is, so that people can name and revoke it. The *secret* proves that
//! the machine was given the token. Two check digits at the end tell a token that was damaged in copying from a wrong
//! one: one changed letter, or two neighbors that changed places, are always noticed, and a lost one by the length.
//!
//! ```
//! use shared::token::{BadToken, Token};
//!
//! let text = "tt1.00000000000000000000000000.00000000.00000000000000000000000000";
//! let token: Token = format!("{text}fv").parse().unwrap();
//! assert_eq!(token.text(), format!("{text}fv"));
//! assert_eq!(text.parse::<Token>(), Err(BadToken::Cut { characters: 66 }));
//! assert_eq!(format!("{text}fw").parse::<Token>(), Err(BadToken::Changed));
//! ```

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The characters of a token.
pub const TOKEN_CHARACTERS: usize = PREFIX.len() + LONG + 1 + SHORT + 1 + LONG + CHECK;

/// What a token of this form begins with.
const PREFIX: &str = "tt1.";

/// Crockford's alphabet: without `i`, `l`, `o` and `u`, which people confuse with other letters. A letter is 5 bits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The letters of 16 bytes.
const LONG: usize = 26;

/// The letters of 5 bytes.
const SHORT: usize = 8;

/// The check digits.
const CHECK: usize = 2;

/// Which authority a fleet has: the first 16 bytes of the SHA-256 of its public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pin(pub [u8; 16]);

impl Pin {
    /// The pin of an authority. `public_key` is the DER of its `SubjectPublicKeyInfo`, as certificates have it.
    pub fn of_public_key(public_key: &[u8]) -> Pin {
        let digest: [u8; 32] = Sha256::digest(public_key).into();
        let mut pin = [0; 16];
        pin.copy_from_slice(&digest[..16]);
        Pin(pin)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&letters(u128::from_be_bytes(self.0), LONG, 2))
    }
}

/// Which token it is. It is no secret: commands show it and take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenId(pub [u8; 5]);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0.iter().fold(0, |value, &byte| value << 8 | u128::from(byte));
        f.pad(&letters(value, SHORT, 0))
    }
}

/// The text is no token's id, which is eight letters and digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadTokenId;

impl fmt::Display for BadTokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token's id is 8 letters and digits, such as 3kq8w2ra")
    }
}

impl std::error::Error for BadTokenId {}

impl FromStr for TokenId {
    type Err = BadTokenId;

    fn from_str(text: &str) -> Result<TokenId, BadTokenId> {
        let digits: Vec<u8> = text.chars().map(digit).collect::<Option<_>>().ok_or(BadTokenId)?;
        if digits.len() != SHORT {
            return Err(BadTokenId);
        }
        Ok(TokenId(id_of(&digits)))
    }
}

/// What proves that a machine was given the token. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(pub [u8; 16]);

impl Secret {
    /// What an authority keeps instead of the secret. The secret has 128 random bits, so a plain hash cannot be undone,
    /// and comparing hashes tells nothing about the secret.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A whole token. It has no `Display`, so that its secret does not get into a message by accident; [`Token::text`] has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The authority that the tracker must have.
    pub pin: Pin,
    /// Which token it is.
    pub id: TokenId,
    /// The proof that the machine was given it.
    pub secret: Secret,
}

impl Token {
    /// The token as it is copied, **with its secret**: for the person who makes it, and for nobody else.
    pub fn text(&self) -> String {
        let secret = letters(u128::from_be_bytes(self.secret.0), LONG, 2);
        let (pin, id) = (self.pin.to_string(), self.id.to_string());
        let digits: Vec<u8> =
            [&pin, &id, &secret].into_iter().flat_map(|part| part.chars().filter_map(digit)).collect();
        let check = letters(u128::from(check_of(&digits)), CHECK, 0);
        format!("{PREFIX}{pin}.{id}.{secret}{check}")
    }
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadToken {
    /// It does not begin as a token does.
    Other,
    /// Its end is missing: it has only this many characters.
    Cut {
        /// Those that are there.
        characters: usize,
    },
    /// It has this many characters, which is too many.
    Long {
        /// Those that are there.
        characters: usize,
    },
    /// It has a character that no token has.
    Character(char),
    /// It has the right length, and a letter or a dot in it is not what it was.
    Changed,
}

impl fmt::Display for BadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadToken::Other => write!(f, "this is not a token: a token begins with {PREFIX}"),
            BadToken::Cut { characters } => {
                write!(f, "the token is cut: {characters} characters, not {TOKEN_CHARACTERS}")
            }
            BadToken::Long { characters } => {
                write!(f, "the token is too long: {characters} characters, not {TOKEN_CHARACTERS}")
            }
            BadToken::Character(char) => write!(f, "the token contains {char:?}, which no token has"),
            BadToken::Changed => f.write_str("the token was changed: its check digits do not fit"),
        }
    }
}

impl std::error::Error for BadToken {}

impl FromStr for Token {
    type Err = BadToken;

    /// Reads what a person pasted: upper case is taken, `o` for 0, `i` and `l` for 1, and whitespace anywhere, because
    /// mail programs and terminals break long lines.
    fn from_str(pasted: &str) -> Result<Token, BadToken> {
        // A token is short: whatever stands far behind its end is not looked at.
        let text: String =
            pasted.chars().filter(|char| !char.is_whitespace()).take(10 * TOKEN_CHARACTERS).collect();
        let begin: String = text.chars().take(PREFIX.len()).collect();
        if !begin.eq_ignore_ascii_case(PREFIX) {
            return Err(BadToken::Other);
        }
        let rest = &text[PREFIX.len()..];
        if let Some(other) = rest.chars().find(|&char| char != '.' && digit(char).is_none()) {
            return Err(BadToken::Character(other));
        }
        // From here on each character is one byte.
        match text.len() {
            characters if characters < TOKEN_CHARACTERS => return Err(BadToken::Cut { characters }),
            characters if characters > TOKEN_CHARACTERS => return Err(BadToken::Long { characters }),
            _ => {}
        }
        let parts: Vec<&str> = rest.split('.').collect();
        if parts.iter().map(|part| part.len()).ne([LONG, SHORT, LONG + CHECK]) {
            return Err(BadToken::Changed);
        }
        let digits: Vec<u8> = rest.chars().filter_map(digit).collect();
        let (said, check) = digits.split_at(LONG + SHORT + LONG);
        if value_of(check) != u128::from(check_of(said)) {
            return Err(BadToken::Changed);
        }
        let (pin, secret) = (sixteen(&said[..LONG])?, sixteen(&said[LONG + SHORT..])?);
        Ok(Token { pin: Pin(pin), id: TokenId(id_of(&said[LONG..LONG + SHORT])), secret: Secret(secret) })
    }
}

/// The lowest `5 × count - spare` bits of a value as `count` letters; the last letter's `spare` lowest bits are 0.
fn letters(value: u128, count: usize, spare: u32) -> String {
    let letter = |at: usize| {
        let shift = 5 * (count - 1 - at) as u32;
        let bits = if shift >= spare { value >> (shift - spare) } else { value << (spare - shift) };
        ALPHABET[(bits & 31) as usize] as char
    };
    (0..count).map(letter).collect()
}

/// The 5 bits that a letter stands for; `None` if it stands for nothing.
fn digit(letter: char) -> Option<u8> {
    let letter = match letter.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    };
    ALPHABET.iter().position(|&known| char::from(known) == letter).map(|at| at as u8)
}

/// The number that at most 25 digits stand for.
fn value_of(digits: &[u8]) -> u128 {
    digits.iter().fold(0, |value, &digit| value << 5 | u128::from(digit))
}

/// The bytes that [`LONG`] digits stand for, if the two bits behind them are 0.
fn sixteen(digits: &[u8]) -> Result<[u8; 16], BadToken> {
    let (last, before) = digits.split_last().ok_or(BadToken::Changed)?;
    if last & 3 != 0 {
        return Err(BadToken::Changed);
    }
    Ok((value_of(before) << 3 | u128::from(last >> 2)).to_be_bytes())
}

/// The bytes that [`SHORT`] digits stand for.
fn id_of(digits: &[u8]) -> [u8; 5] {
    let mut id = [0; 5];
    id.copy_from_slice(&value_of(digits).to_be_bytes()[11..]);
    id
}

/// A CRC of 10 bits (that of ATM) over digits of 5 bits. It notices each change within 10 bits in a row: a letter, or two
/// neighbors, also where one of them is a check digit.
fn check_of(digits: &[u8]) -> u16 {
    const POLYNOMIAL: u16 = 0x233;
    let bits = digits.iter().flat_map(|digit| (0..5).rev().map(move |bit| u16::from(digit >> bit & 1)));
    bits.fold(0x3ff, |check, bit| {
        let out = (check >> 9 & 1) ^ bit;
        (check << 1 & 0x3ff) ^ (out * POLYNOMIAL)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens() -> impl Strategy<Value = Token> {
        any::<([u8; 16], [u8; 5], [u8; 16])>().prop_map(|(pin, id, secret)| Token {
            pin: Pin(pin),
            id: TokenId(id),
            secret: Secret(secret),
        })
    }

    fn one() -> Token {
        Token { pin: Pin(*b"sixteen bytes of"), id: TokenId(*b"five5"), secret: Secret(*b"a secret it is !") }
    }

    #[test]
    fn a_token_is_68_characters_that_say_what_it_is() {
        let text = one().text();
        assert_eq!(text, "tt1.edmqgx35cnq20rksehjq683fcr.csmqcs9n.c4g76sb3e9jq8839egg6jws0447v");
        assert_eq!(text.len(), TOKEN_CHARACTERS);
        assert_eq!(TOKEN_CHARACTERS, 68);
        assert_eq!(text.parse(), Ok(one()));
        assert_eq!(one().id.to_string(), "csmqcs9n");
    }

    #[test]
    fn a_pin_is_half_a_hash_of_the_key() {
        let digest: [u8; 32] = Sha256::digest(b"key").into();
        assert_eq!(Pin::of_public_key(b"key").0, digest[..16]);
        assert_ne!(Pin::of_public_key(b"key"), Pin::of_public_key(b"kex"));
    }

    #[test]
    fn people_may_type_it_as_they_like() {
        let text = "tt1.00000000000000000000000000.11111111.00000000000000000000000000";
        let digits: Vec<u8> = text[4..].chars().filter_map(digit).collect();
        let text = format!("{text}{}", letters(u128::from(check_of(&digits)), CHECK, 0));
        let token: Token = text.parse().unwrap();
        for variant in [
            text.to_uppercase(),
            text.replace('0', "o"),
            text.replace('0', "O"),
            text.replacen("11111111", "1iIlL1il", 1),
            format!("  {text}\n"),
            format!("{}\r\n  {}", &text[..40], &text[40..]),
        ] {
            assert_eq!(variant.parse(), Ok(token), "{variant:?}");
        }
    }

    #[test]
    fn what_is_no_token_is_told_from_a_damaged_one() {
        let text = one().text();
        let cases = [
            ("", BadToken::Other),
            ("tt1", BadToken::Other),
            ("tt2.abc", BadToken::Other),
            ("tracker.example", BadToken::Other),
            ("é", BadToken::Other),
            ("ttéé", BadToken::Other),
            ("tt1.", BadToken::Cut { characters: 4 }),
            (&text[..61], BadToken::Cut { characters: 61 }),
            (&text[1..], BadToken::Other),
            (&format!("{text}0"), BadToken::Long { characters: 69 }),
            (&format!("{text}{}", "0".repeat(5000)), BadToken::Long { characters: 680 }),
            (&text.replacen('.', "\u{1b}", 2).replacen('\u{1b}', ".", 1), BadToken::Character('\u{1b}')),
            (&text.replacen(".c", "c.", 1), BadToken::Changed),
            (&format!("{}ü", &text[..67]), BadToken::Character('ü')),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<Token>(), Err(why), "{text:?}");
        }
    }

    #[test]
    fn bits_that_mean_nothing_are_no_second_spelling() {
        let text = one().text();
        let mut digits: Vec<u8> = text[4..].chars().filter_map(digit).collect();
        digits.truncate(LONG + SHORT + LONG);
        digits[LONG - 1] |= 1;
        let spelled: String = digits.iter().map(|&digit| ALPHABET[digit as usize] as char).collect();
        let check = letters(u128::from(check_of(&digits)), CHECK, 0);
        let text = format!("tt1.{}.{}.{}{check}", &spelled[..26], &spelled[26..34], &spelled[34..]);
        assert_eq!(text.parse::<Token>(), Err(BadToken::Changed));
    }

    #[test]
    fn ids_are_read_as_people_write_them() {
        assert_eq!("CSMQCS9N".parse(), Ok(TokenId(*b"five5")));
        for bad in ["", "csmqcs9", "csmqcs9nm", "csmqcs9u", "csmqcs9é", "csmq-s9m"] {
            assert_eq!(bad.parse::<TokenId>(), Err(BadTokenId), "{bad}");
        }
    }

    #[test]
    fn the_secret_is_in_no_debug_output() {
        let shown = format!("{:?}", one());
        assert!(shown.ends_with("secret: Secret(…) }"), "{shown}");
    }

    proptest! {
        // Each case tries every place of a token with every letter.
        #![proptest_config(ProptestConfig::with_cases(8))]

        #[test]
        fn what_is_written_is_read_again(token in tokens()) {
            prop_assert_eq!(token.text().parse(), Ok(token));
            prop_assert_eq!(token.id.to_string().parse(), Ok(token.id));
        }

        /// Every place and every other letter, not a sample of them.
        #[test]
        fn one_changed_lost_or_added_letter_is_always_told(token in tokens()) {
            let text = token.text();
            for at in 0..text.len() {
                let lost = format!("{}{}", &text[..at], &text[at + 1..]);
                prop_assert!(lost.parse::<Token>().is_err(), "{}", lost);
                for &letter in ALPHABET {
                    let letter = char::from(letter);
                    let added = format!("{}{letter}{}", &text[..at], &text[at..]);
                    prop_assert!(added.parse::<Token>().is_err(), "{}", added);
                    let changed = format!("{}{letter}{}", &text[..at], &text[at + 1..]);
                    prop_assert!(changed == text || changed.parse::<Token>().is_err(), "{}", changed);
                }
            }
        }

        #[test]
        fn two_exchanged_neighbors_are_always_told(token in tokens()) {
            let text = token.text();
            for at in 0..text.len() - 1 {
                let mut bytes = text.clone().into_bytes();
                bytes.swap(at, at + 1);
                let exchanged = String::from_utf8(bytes).unwrap();
                prop_assert!(exchanged == text || exchanged.parse::<Token>().is_err(), "{}", exchanged);
            }
        }

        #[test]
        fn any_text_is_a_token_or_not(text in "\\PC{0,90}|tt1\\.[0-9a-z.]{60,68}") {
            let _ = text.parse::<Token>();
        }
    }
}
