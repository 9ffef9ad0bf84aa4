//! Aligned columns.

use crate::human::clean;
use crate::output::{Colour, Output};
use unicode_width::UnicodeWidthStr;

/// Which side a column's cells lie on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Rows that are printed with aligned columns.
#[derive(Debug)]
pub(crate) struct Table {
    heads: Vec<(&'static str, Side)>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text: clean(&text), colour: None }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell { text: clean(text), colour: None }
    }
}

impl Cell {
    pub(crate) fn coloured(text: &str, colour: Colour) -> Cell {
        Cell { text: clean(text), colour: Some(colour) }
    }
}

impl Table {
    pub(crate) fn new(heads: &[(&'static str, Side)]) -> Table {
        Table { heads: heads.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.heads.len());
        self.rows.push(cells);
    }

    /// The lines: the heads, then the rows. Columns that are empty in all rows are left out.
    pub(crate) fn lines(&self, output: &Output) -> Vec<String> {
        let columns: Vec<(usize, usize)> = (0..self.heads.len())
            .filter(|&column| self.rows.iter().any(|row| !row[column].text.is_empty()))
            .map(|column| {
                let cells = self.rows.iter().map(|row| row[column].text.width());
                (column, cells.max().unwrap_or(0).max(self.heads[column].0.width()))
            })
            .collect();
        let heads: Vec<Cell> =
            self.heads.iter().map(|(head, _)| Cell::coloured(head, Colour::Bold)).collect();
        let line = |row: &Vec<Cell>| {
            let mut line = String::new();
            for (place, &(column, width)) in columns.iter().enumerate() {
                let cell = &row[column];
                let gap = " ".repeat(width - cell.text.width());
                let text = cell.colour.map_or(cell.text.clone(), |colour| output.paint(colour, &cell.text));
                line.push_str(if place == 0 { "" } else { "  " });
                match self.heads[column].1 {
                    Side::Left => line.extend([text, gap]),
                    Side::Right => line.extend([gap, text]),
                }
            }
            line.trim_end().to_owned()
        };
        std::iter::once(&heads).chain(&self.rows).map(line).collect()
    }

    /// Prints the table, or `nothing` beside the result if there are no rows.
    pub(crate) fn print(&self, output: &mut Output, nothing: &str) -> Result<(), crate::error::Error> {
        if self.rows.is_empty() {
            output.note(nothing);
            return Ok(());
        }
        self.lines(output).iter().try_for_each(|line| output.line(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Global;

    #[test]
    fn columns_are_aligned_whatever_the_script() {
        let mut table = Table::new(&[
            ("NAME", Side::Left),
            ("SIZE", Side::Right),
            ("NONE", Side::Left),
            ("WHY", Side::Left),
        ]);
        table.row(vec!["a".into(), "12 MiB".into(), "".into(), "".into()]);
        table.row(vec!["模型.grib2".into(), "1 B".into(), "".into(), "no\x07 peer".into()]);
        let output = Output::to(Vec::new(), &Global::default());
        assert_eq!(
            table.lines(&output).join("\n"),
            "\
NAME          SIZE  WHY
a           12 MiB
模型.grib2     1 B  no\\u{7} peer"
        );
    }
}
