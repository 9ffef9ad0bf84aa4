//! Decides which part of a table a screen shows.

use crate::output::{Colour, Output};
use crate::table::Drawn;

/// Everything that could be shown now. No line is wider than the terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The table; its head stays when the rows are scrolled.
    pub(crate) table: Drawn,
    /// The lines below the table.
    pub(crate) foot: Vec<String>,
}

/// A movement of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scroll {
    Rows(isize),
    Pages(isize),
    Top,
    Bottom,
}

/// The scroll position: the first visible row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    first: usize,
}

impl Frame {
    /// All lines, for the time after the watch.
    pub(super) fn whole(self) -> Vec<String> {
        let Drawn { head, rows } = self.table;
        let head = (!rows.is_empty()).then_some(head);
        head.into_iter().chain(rows.into_iter().flatten()).chain(self.foot).collect()
    }

    /// The lines for a screen of this many rows.
    pub(super) fn seen(&self, rows: usize, place: &mut Place, output: &Output) -> Vec<String> {
        let room = self.room(rows);
        place.first = place.first.min(self.last_first(room));
        let mut lines: Vec<String> = Vec::new();
        let mut shown = 0;
        for row in &self.table.rows[place.first..] {
            if lines.len() + row.len() > room {
                break;
            }
            lines.extend_from_slice(row);
            shown += 1;
        }
        if shown == 0
            && let Some(row) = self.table.rows.get(place.first)
        {
            lines.extend(row.iter().take(room).cloned()); // a row may have more lines than the screen
            shown = 1;
        }
        if !self.table.rows.is_empty() {
            lines.insert(0, self.table.head.clone());
        }
        let more = self.table.rows.len() - shown;
        let foot = self.foot.iter().take(rows / 2);
        let keys = match more {
            0 => "q quits".to_owned(),
            more => format!("… and {more} more: ↑ ↓ scroll, q quits"),
        };
        lines.extend(foot.cloned());
        lines.truncate(rows.saturating_sub(1));
        let columns = output.columns().unwrap_or(usize::MAX);
        lines.push(output.paint(Colour::Faint, &crate::width::shorten(&keys, columns)));
        lines
    }

    /// The number of lines for the rows of the table, without the head, the foot and the line of keys.
    fn room(&self, rows: usize) -> usize {
        rows.saturating_sub(2 + self.foot.len().min(rows / 2)).max(1)
    }

    /// The first row of the last page.
    fn last_first(&self, room: usize) -> usize {
        let mut lines = 0;
        let fits = |row: &&Vec<String>| {
            lines += row.len();
            lines <= room
        };
        let on_last_page = self.table.rows.iter().rev().take_while(fits).count();
        self.table.rows.len() - on_last_page.max(1).min(self.table.rows.len())
    }
}

impl Place {
    /// Scrolls, at most to the end.
    pub(super) fn scroll(&mut self, scroll: Scroll, frame: &Frame, rows: usize) {
        let room = frame.room(rows);
        let page = isize::try_from(room).unwrap_or(isize::MAX);
        let last = frame.last_first(room);
        let by = match scroll {
            Scroll::Rows(by) => by,
            Scroll::Pages(by) => by.saturating_mul(page),
            Scroll::Top => isize::MIN,
            Scroll::Bottom => isize::MAX,
        };
        self.first = self.first.saturating_add_signed(by).min(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Global;

    fn frame(rows: usize) -> Frame {
        let rows = (0..rows).map(|row| match row {
            2 => vec!["row 2".to_owned(), "  why".to_owned()],
            _ => vec![format!("row {row}")],
        });
        let table = Drawn { head: "HEAD".to_owned(), rows: rows.collect() };
        Frame { table, foot: vec!["sum".to_owned()] }
    }

    fn seen(frame: &Frame, rows: usize, place: &mut Place) -> String {
        let output = Output::to(Vec::new(), &Global::default()).at_terminal(60);
        let lines = frame.seen(rows, place, &output);
        assert!(lines.len() <= rows, "{rows}: {lines:?}");
        lines.join("\n")
    }

    #[test]
    fn what_fits_is_shown_whole() {
        let mut place = Place::default();
        assert_eq!(seen(&frame(3), 7, &mut place), "HEAD\nrow 0\nrow 1\nrow 2\n  why\nsum\nq quits");
        assert_eq!(seen(&frame(0), 7, &mut place), "sum\nq quits");
    }

    #[test]
    fn what_does_not_fit_is_counted_and_scrolled_to() {
        let (frame, mut place) = (frame(6), Place::default());
        assert_eq!(
            seen(&frame, 7, &mut place),
            "HEAD\nrow 0\nrow 1\nrow 2\n  why\nsum\n… and 3 more: ↑ ↓ scroll, q quits"
        );
        let mut after = |scroll| {
            place.scroll(scroll, &frame, 7);
            seen(&frame, 7, &mut place).lines().nth(1).unwrap().to_owned()
        };
        assert_eq!(after(Scroll::Rows(1)), "row 1");
        assert_eq!(after(Scroll::Rows(-5)), "row 0");
        assert_eq!(after(Scroll::Bottom), "row 3");
        assert_eq!(after(Scroll::Rows(1)), "row 3", "the last page is full");
        assert_eq!(after(Scroll::Pages(-1)), "row 0");
        assert_eq!(after(Scroll::Pages(1)), "row 3");
        assert_eq!(after(Scroll::Top), "row 0");
    }

    #[test]
    fn what_is_left_behind_is_everything_without_the_keys() {
        let all = ["HEAD", "row 0", "row 1", "row 2", "  why", "row 3", "row 4", "row 5", "sum"];
        assert_eq!(frame(6).whole(), all);
        assert_eq!(frame(0).whole(), ["sum"]);
    }

    #[test]
    fn no_screen_is_too_small_and_no_place_is_behind_the_end() {
        for rows in 0..12 {
            for number in 0..9 {
                let mut place = Place { first: 7 };
                let output = Output::to(Vec::new(), &Global::default()).at_terminal(20);
                assert!(frame(number).seen(rows, &mut place, &output).len() <= rows.max(1));
                place.scroll(Scroll::Bottom, &frame(number), rows);
                frame(number).seen(rows, &mut place, &output);
            }
        }
    }
}
