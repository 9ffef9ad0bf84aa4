//! How the listing writes paths and targets: as mtree(5) does, with `\ooo` for each byte that is not plain.

use std::fmt::Write;

/// Whether a byte stands for itself.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'\\' | b'#' | b'=')
}

/// The number of bytes that a text has when it is written.
pub(super) fn escaped_bytes(text: &str) -> usize {
    text.bytes().map(|byte| if is_plain(byte) { 1 } else { 4 }).sum()
}

/// Appends a text as the listing writes it.
pub(super) fn push_escaped(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match is_plain(byte) {
            true => out.push(byte.into()),
            false => write!(out, "\\{byte:03o}").expect("a String takes all"),
        }
    }
}

/// Replaces `out` by the bytes that a text of the listing stands for. Returns `false` if the text is not written as
/// [`push_escaped`] would write it.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let mut rest = text;
    loop {
        match *rest {
            [] => return true,
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ref behind @ ..] => {
                let byte = (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0');
                if is_plain(byte) {
                    return false;
                }
                out.push(byte);
                rest = behind;
            }
            [byte, ref behind @ ..] if is_plain(byte) => {
                out.push(byte);
                rest = behind;
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_text_comes_back(text in any::<String>()) {
            let (mut written, mut read) = (String::new(), Vec::new());
            push_escaped(&mut written, &text);
            prop_assert_eq!(written.len(), escaped_bytes(&text));
            prop_assert!(written.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert!(unescape(written.as_bytes(), &mut read));
            prop_assert_eq!(read, text.as_bytes());
        }

        #[test]
        fn there_is_one_way_to_write_a_text(written in r"[ab0-7\\# =]{0,12}") {
            let mut read = Vec::new();
            if unescape(written.as_bytes(), &mut read) {
                let mut again = String::new();
                push_escaped(&mut again, std::str::from_utf8(&read).unwrap_or("a"));
                prop_assert!(again == written || std::str::from_utf8(&read).is_err());
            }
        }
    }

    #[test]
    fn what_is_plain_is_not_escaped() {
        let mut read = Vec::new();
        for bad in [r"\141", "a b", r"\40", r"\400", "a#b", "a=b", r"\", "é"] {
            assert!(!unescape(bad.as_bytes(), &mut read), "{bad:?}");
        }
    }
}
