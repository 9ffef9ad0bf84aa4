//! The size of the terminal.

use std::os::fd::AsFd;

/// The size that is assumed if a terminal does not report one, such as some serial lines.
const UNKNOWN: Size = Size { columns: 80, rows: 24 };

/// A size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// The size of this terminal now, no wider than `$COLUMNS` allows.
pub(crate) fn size(terminal: impl AsFd) -> Size {
    let told = rustix::termios::tcgetwinsize(terminal).ok();
    let told = told.map(|size| Size { columns: size.ws_col.into(), rows: size.ws_row.into() });
    let columns = std::env::var("COLUMNS").ok();
    within(told, columns.as_deref())
}

/// The size that a terminal reports, limited by `$COLUMNS`. Either may be missing or may not be a number above 0.
fn within(told: Option<Size>, allowed: Option<&str>) -> Size {
    let told = told.unwrap_or(Size { columns: 0, rows: 0 });
    let allowed = allowed.and_then(|allowed| allowed.parse().ok()).filter(|&columns| columns > 0);
    let columns = match (told.columns, allowed) {
        (0, allowed) => allowed.unwrap_or(UNKNOWN.columns),
        (told, allowed) => allowed.map_or(told, |allowed: usize| allowed.min(told)),
    };
    Size { columns, rows: if told.rows == 0 { UNKNOWN.rows } else { told.rows } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_makes_a_terminal_narrower_and_never_wider() {
        let size = |columns, rows| Size { columns, rows };
        let told = Some(size(100, 30));
        assert_eq!(within(told, None), size(100, 30));
        assert_eq!(within(told, Some("60")), size(60, 30));
        assert_eq!(within(told, Some("200")), size(100, 30), "what is wider would wrap");
        for nonsense in ["", "0", "-1", "wide"] {
            assert_eq!(within(told, Some(nonsense)), size(100, 30), "{nonsense:?}");
        }
        assert_eq!(within(Some(size(0, 0)), Some("60")), size(60, 24));
        assert_eq!(within(None, None), size(80, 24));
    }
}
