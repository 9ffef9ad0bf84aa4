//! The width of text on a terminal, and how text is made to fit: shortened, or on several lines. Widths are in columns.
//! A CJK character or an emoji takes two columns, a combining accent none.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The number of columns that a text takes. Terminals differ in emoji of several characters: some draw a family as one,
/// most draw each of its members. Then it is the larger number.
pub(crate) fn width(text: &str) -> usize {
    let one = |part: &str| part.chars().filter_map(UnicodeWidthChar::width).sum::<usize>().max(part.width());
    text.graphemes(true).map(one).sum()
}

/// The beginning of a text that fits, whole characters only.
fn head(text: &str, columns: usize) -> &str {
    let end = text.grapheme_indices(true).map(|(at, part)| at + part.len());
    let end = end.take_while(|&end| width(&text[..end]) <= columns).last();
    &text[..end.unwrap_or(0)]
}

/// The first part of a character that consists of several.
fn first(text: &str) -> &str {
    &text[..text.chars().next().map_or(0, char::len_utf8)]
}

/// The end of a text that fits, whole characters only.
fn tail(text: &str, columns: usize) -> &str {
    let starts = text.grapheme_indices(true).rev().map(|(at, _)| at);
    let start = starts.take_while(|&at| width(&text[at..]) <= columns).last();
    &text[start.unwrap_or(text.len())..]
}

/// The text in at most this many columns, with its end cut off if necessary.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    match columns.checked_sub(1) {
        None => String::new(),
        Some(room) => format!("{}…", head(text, room)),
    }
}

/// The text in at most this many columns, with its middle left out if necessary: names that differ at the beginning or
/// at the end can still be told apart.
pub(crate) fn shorten_middle(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else { return String::new() };
    let tail = tail(text, room / 2);
    format!("{}…{tail}", head(text, room - width(tail)))
}

/// The words of a text. A command in backticks is one of them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut in_backticks = false;
    text.split(move |char| {
        in_backticks ^= char == '`';
        char == ' ' && !in_backticks
    })
}

/// How far the lines of a message after its first one are indented.
const INDENT: usize = 2;

/// The message on lines of at most this many columns; those after the first are indented. A command in backticks stays on
/// one line, so that it can be pasted. A word or command that is longer than a line is left whole: the terminal breaks it.
pub(crate) fn wrap_message(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words(text) {
        let line = lines.last_mut().expect("there is a line");
        if line.is_empty() {
            line.push_str(word);
        } else if width(line) + 1 + width(word) <= columns {
            line.extend([" ", word]);
        } else {
            lines.push(format!("{:INDENT$}{word}", ""));
        }
    }
    lines
}

/// The text on lines of at most this many columns, broken at spaces. A command in backticks stays on one line if a line
/// has room for it. A word that is longer than a line is broken anywhere.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2); // the width of the widest character
    let mut lines = vec![String::new()];
    let parts_max = |word: &str| if width(word) > columns { usize::MAX } else { 1 };
    for mut word in words(text).flat_map(|word| word.splitn(parts_max(word), ' ')) {
        let line = lines.last_mut().expect("there is a line");
        if line.is_empty() || width(line) + 1 + width(word) <= columns {
            line.push_str(if line.is_empty() { "" } else { " " });
        } else {
            lines.push(String::new());
        }
        loop {
            let line = lines.last_mut().expect("there is a line");
            if width(line) + width(word) <= columns {
                line.push_str(word);
                break;
            }
            let mut part = head(word, columns - width(line));
            if part.is_empty() && line.is_empty() {
                part = first(word); // when an emoji of several parts is wider than a line
            }
            line.push_str(part);
            word = &word[part.len()..];
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_middle_and_texts_their_end() {
        let name = "lab-2026-debian-bookworm-desktop.img";
        assert_eq!(shorten_middle(name, 20), "lab-2026-d…sktop.img");
        assert_eq!(shorten(name, 12), "lab-2026-de…");
        assert_eq!((shorten_middle(name, 36).as_str(), shorten(name, 40).as_str()), (name, name));
        assert_eq!((shorten_middle(name, 1).as_str(), shorten(name, 1).as_str()), ("…", "…"));
        assert_eq!((shorten_middle(name, 0).as_str(), shorten(name, 0).as_str()), ("", ""));
    }

    #[test]
    fn nothing_is_wider_than_its_room_whatever_the_script() {
        let texts = [
            "lab-2026-模型-气象数据-desktop.img",
            "e\u{301}te\u{301}-e\u{301}te\u{301}-e\u{301}te\u{301}-e\u{301}te\u{301}.tar",
            "👩‍👩‍👧‍👦 family 👩‍👩‍👧‍👦 photos 🇩🇪🇫🇷.zip",
        ];
        for (text, columns) in texts.iter().flat_map(|text| (0..40).map(move |columns| (text, columns))) {
            for short in [shorten(text, columns), shorten_middle(text, columns)] {
                assert!(width(&short) <= columns, "{columns}: {short}");
                assert!(!short.starts_with(['\u{301}', '\u{200d}']), "{columns}: {short}");
            }
            if columns >= 2 {
                let lines = wrap(text, columns);
                assert!(lines.iter().all(|line| width(line) <= columns), "{columns}: {lines:?}");
                assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
            }
        }
        assert_eq!(width(texts[2]), 8 + " family ".len() + 8 + " photos ".len() + 4 + ".zip".len());
        assert_eq!(shorten("lab-2026-模型-desktop.img", 12), "lab-2026-模…");
        assert_eq!(shorten_middle("e\u{301}e\u{301}e\u{301}e\u{301}", 3), "e\u{301}…e\u{301}");
    }

    #[test]
    fn a_message_is_wrapped_and_its_commands_can_be_pasted() {
        assert_eq!(
            wrap_message("hint: see it with `ttctl status a.img`, cancel it with `ttctl remove a.img`", 36),
            ["hint: see it with", "  `ttctl status a.img`, cancel it", "  with `ttctl remove a.img`",]
        );
        let path = "/srv/tinytorrent/.tinytorrent/parts/0123456789abcdef.part";
        assert_eq!(
            wrap_message(&format!("error: cannot open {path}: no such file"), 30),
            ["error: cannot open".to_owned(), format!("  {path}:"), "  no such file".to_owned()]
        );
        assert_eq!(wrap_message("error: a ` alone", 80), ["error: a ` alone"]);
        assert_eq!(wrap_message("", 80), [""]);
    }

    #[test]
    fn lines_are_broken_at_spaces_where_there_are_any() {
        assert_eq!(wrap("no peer has chunk 17", 11), ["no peer has", "chunk 17"]);
        assert_eq!(wrap("see /a/very/long/path now", 8), ["see", "/a/very/", "long/pat", "h now"]);
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(
            wrap("fetch it with `ttctl get x`, or not", 20),
            ["fetch it with", "`ttctl get x`, or", "not"]
        );
        assert_eq!(wrap("with `ttctl get x`", 10), ["with", "`ttctl get", "x`"]);
    }
}
