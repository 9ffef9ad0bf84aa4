//! Keeps what a stranger makes us log on one line.

use std::borrow::Cow;

/// An event as one line; what may not stand in a line is escaped.
pub(super) fn one_line(event: &[u8], ansi: bool) -> Cow<'_, [u8]> {
    let line = event.strip_suffix(b"\n").unwrap_or(event);
    // The control characters beyond ASCII, U+0080 to U+009F, are two bytes; some terminals obey them.
    let is_control = |at: usize| match line[at] {
        0xc2 => line.get(at + 1).is_some_and(|next| (0x80..=0x9f).contains(next)),
        0x80..=0x9f => at > 0 && line[at - 1] == 0xc2,
        byte => byte.is_ascii_control() && !(ansi && byte == 0x1b),
    };
    if !(0..line.len()).any(is_control) {
        return Cow::Borrowed(event);
    }
    let mut escaped = Vec::with_capacity(event.len() + 16);
    for (at, byte) in line.iter().enumerate() {
        if is_control(at) {
            escaped.extend(byte.escape_ascii());
        } else {
            escaped.push(*byte);
        }
    }
    escaped.extend_from_slice(&event[line.len()..]);
    Cow::Owned(escaped)
}
