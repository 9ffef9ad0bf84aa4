//! Texts that come from strangers, and texts that people are shown.

/// A stranger's bytes as a text, if they are one.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Checks that a text for people neither begins a line of its own nor controls the terminal.
pub(super) fn check_shown(text: &impl std::fmt::Display) {
    let text = text.to_string();
    assert!(!text.contains(char::is_control), "{text:?}");
}
