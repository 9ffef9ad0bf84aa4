//! Quotes text for a shell.

/// A text as one word of a shell's command line, quoted if necessary, so that a command that is shown can be pasted.
///
/// ```
/// use shared::shell::word;
///
/// assert_eq!(word("lab-2025.img"), "lab-2025.img");
/// assert_eq!(word("my file"), "'my file'");
/// ```
pub fn word(text: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "-_.,/:@%+=".contains(char);
    match text.chars().all(is_plain) && !text.is_empty() {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
