//! Tables with aligned columns. In a pipe columns are as wide as their contents; on a terminal the table fits its
//! width.

use crate::error::Error;
use crate::human::clean;
use crate::layout::{GAP, Wish, fit};
use crate::output::{Colour, ID_DIGITS, Output};
use crate::width::{shorten, shorten_middle, width, wrap};

/// The indentation of lines below a row, in columns of the terminal.
const INDENT: usize = 2;

/// The side to which a column's cells are aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// A column: its head, and how it adapts to a narrow terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    head: &'static str,
    side: Side,
    form: Form,
    drop: Option<u8>,
    /// In a table that is drawn repeatedly, the width that is reserved for later contents.
    usual: usize,
}

/// How cells are displayed on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    /// The middle is left out if there is too little room.
    Shortened,
    /// Only the first digits are shown.
    Id,
    /// On lines of its own, under the row.
    Below,
}

impl Column {
    /// For words.
    pub(crate) const fn left(head: &'static str) -> Column {
        Column { head, side: Side::Left, form: Form::Whole, drop: None, usual: 0 }
    }

    /// For numbers.
    pub(crate) const fn right(head: &'static str) -> Column {
        Column { side: Side::Right, ..Column::left(head) }
    }

    /// For names: the middle is left out if there is too little room.
    pub(crate) const fn shortened(self) -> Column {
        Column { form: Form::Shortened, ..self }
    }

    /// For ids: a terminal shows the first digits.
    pub(crate) const fn id(self) -> Column {
        Column { form: Form::Id, ..self }
    }

    /// For sentences: on a terminal they are on lines of their own, below the row.
    pub(crate) const fn below(self) -> Column {
        Column { form: Form::Below, ..self }
    }

    /// May be dropped if there is too little room: the column with the lowest number first.
    pub(crate) const fn dropped(self, order: u8) -> Column {
        Column { drop: Some(order), ..self }
    }

    /// In a table that is drawn repeatedly, at least this wide and always present.
    pub(crate) const fn usual(self, width: usize) -> Column {
        Column { usual: width, ..self }
    }
}

/// Rows that are printed with aligned columns.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
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

/// A table as lines of text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Drawn {
    pub(crate) head: String,
    /// For each row its line and the lines below it.
    pub(crate) rows: Vec<Vec<String>>,
}

/// The widths of a table's columns so far, so that it does not jump when it is drawn again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steady(Vec<usize>);

impl Table {
    pub(crate) fn new(columns: &[Column]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, with a cell for each column.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// The lines of the heads and the rows. Columns that are empty in all rows are left out.
    pub(crate) fn lines(&self, output: &Output) -> Vec<String> {
        let widths = (0..self.columns.len()).map(|place| self.width(place, output)).collect();
        let Drawn { head, rows } = self.draw(widths, output);
        std::iter::once(head).chain(rows.into_iter().flatten()).collect()
    }

    /// Draws the table again with new contents. A column that was there stays, and stays as wide.
    pub(crate) fn again(&self, steady: &mut Steady, output: &Output) -> Drawn {
        steady.0.resize(self.columns.len(), 0);
        for (place, column) in self.columns.iter().enumerate() {
            let usual = if column.usual == 0 { 0 } else { column.usual.max(width(column.head)) };
            steady.0[place] = steady.0[place].max(usual).max(self.width(place, output));
        }
        self.draw(steady.0.clone(), output)
    }

    /// Prints the table, or the remark `nothing` if there are no rows.
    pub(crate) fn print(&self, output: &mut Output, nothing: &str) -> Result<(), Error> {
        if self.rows.is_empty() {
            output.note(nothing);
            return Ok(());
        }
        self.lines(output).iter().try_for_each(|line| output.line(line))
    }

    /// The text of a cell if there is enough room.
    fn text(&self, place: usize, cell: &Cell, output: &Output) -> String {
        match (self.columns[place].form, output.columns()) {
            (Form::Id, Some(_)) => cell.text.chars().take(ID_DIGITS).collect(),
            _ => cell.text.clone(),
        }
    }

    /// The width of a column's contents; 0 if all its cells are empty.
    fn width(&self, place: usize, output: &Output) -> usize {
        let cells = self.rows.iter().map(|row| width(&self.text(place, &row[place], output)));
        let widest = cells.max().unwrap_or(0);
        if widest == 0 { 0 } else { widest.max(width(self.columns[place].head)) }
    }

    /// Draws the table with columns that need these widths.
    fn draw(&self, widths: Vec<usize>, output: &Output) -> Drawn {
        let beside: Vec<usize> = (0..self.columns.len())
            .filter(|&place| widths[place] > 0)
            .filter(|&place| output.columns().is_none() || self.columns[place].form != Form::Below)
            .collect();
        let wishes: Vec<Wish> = beside.iter().map(|&place| self.wish(place, widths[place])).collect();
        let fitting = match output.columns() {
            Some(room) => fit(&wishes, room),
            None => wishes.iter().map(|wish| Some(wish.width)).collect(),
        };
        let fitting: Vec<(usize, usize)> =
            beside.iter().zip(fitting).filter_map(|(&place, width)| Some((place, width?))).collect();
        let heads: Vec<Cell> =
            self.columns.iter().map(|column| Cell::coloured(column.head, Colour::Bold)).collect();
        let rows = self.rows.iter().map(|row| {
            let mut lines = vec![self.line(row, &fitting, output)];
            if let Some(room) = output.columns() {
                lines.extend(self.below(row, room, output));
            }
            lines
        });
        Drawn { head: self.line(&heads, &fitting, output), rows: rows.collect() }
    }

    fn wish(&self, place: usize, width: usize) -> Wish {
        let Column { form, drop, .. } = self.columns[place];
        Wish { width, shortens: form == Form::Shortened, drop }
    }

    /// The line of one row, with these columns and widths.
    fn line(&self, row: &[Cell], columns: &[(usize, usize)], output: &Output) -> String {
        let mut line = String::new();
        for (at, &(place, room)) in columns.iter().enumerate() {
            let text = self.text(place, &row[place], output);
            let text = match self.columns[place].form {
                Form::Shortened => shorten_middle(&text, room),
                _ => shorten(&text, room),
            };
            let gap = " ".repeat(room - width(&text));
            let text = row[place].colour.map_or(text.clone(), |colour| output.paint(colour, &text));
            line.push_str(&" ".repeat(if at == 0 { 0 } else { GAP }));
            match self.columns[place].side {
                Side::Left => line.extend([text, gap]),
                Side::Right => line.extend([gap, text]),
            }
        }
        line.trim_end().to_owned()
    }

    /// The lines below a row.
    fn below(&self, row: &[Cell], room: usize, output: &Output) -> Vec<String> {
        let is_below =
            |(column, cell): &(&Column, &Cell)| column.form == Form::Below && !cell.text.is_empty();
        let texts = self.columns.iter().zip(row).filter(is_below).map(|(_, cell)| cell);
        let painted = |cell: &Cell, line: &str| match cell.colour {
            Some(colour) => output.paint(colour, line),
            None => line.to_owned(),
        };
        let lines = texts.flat_map(|cell| {
            let lines = wrap(&cell.text, room.saturating_sub(INDENT));
            lines.into_iter().map(move |line| painted(cell, &line))
        });
        lines.map(|line| format!("{:INDENT$}{line}", "")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Global;

    const COLUMNS: [Column; 6] = [
        Column::left("NAME").shortened(),
        Column::left("STATE"),
        Column::right("SIZE").dropped(2),
        Column::right("PEERS").dropped(1),
        Column::left("RESOURCE").id().dropped(3),
        Column::left("REASON").below(),
    ];

    const ID: &str = "e5e72beb4e3c6926d3dc9e3e2ef7833ba50cd919c2460a782b244fd071e920de";

    fn table() -> Table {
        let mut table = Table::new(&COLUMNS);
        let name = "lab-2026-debian-bookworm-desktop.img";
        table.row(vec![name.into(), "seeding".into(), "4.0 GiB".into(), "12".into(), ID.into(), "".into()]);
        let why = "no peer has chunks 3, 4, 5, 6, 7 and 81 more";
        table.row(vec![
            "模型.grib2".into(),
            "waiting".into(),
            "~80 MiB".into(),
            "0".into(),
            ID.into(),
            why.into(),
        ]);
        table
    }

    fn at(columns: usize) -> Output {
        Output::to(Vec::new(), &Global::default()).at_terminal(columns)
    }

    #[test]
    fn columns_are_aligned_whatever_the_script() {
        let mut table = Table::new(&[
            Column::left("NAME"),
            Column::right("SIZE"),
            Column::left("NONE"),
            Column::left("WHY"),
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

    #[test]
    fn a_terminal_has_ids_short_and_reasons_under_the_row() {
        assert_eq!(
            table().lines(&at(90)).join("\n"),
            "\
NAME                                  STATE       SIZE  PEERS  RESOURCE
lab-2026-debian-bookworm-desktop.img  seeding  4.0 GiB     12  e5e72beb4e3c
模型.grib2                            waiting  ~80 MiB      0  e5e72beb4e3c
  no peer has chunks 3, 4, 5, 6, 7 and 81 more"
        );
        assert_eq!(
            table().lines(&at(40)).join("\n"),
            "\
NAME                             STATE
lab-2026-debian…orm-desktop.img  seeding
模型.grib2                       waiting
  no peer has chunks 3, 4, 5, 6, 7 and
  81 more"
        );
    }

    #[test]
    fn in_a_pipe_everything_is_whole() {
        let lines = table().lines(&Output::to(Vec::new(), &Global::default()));
        assert!(lines[2].ends_with(&format!("      0  {ID}  no peer has chunks 3, 4, 5, 6, 7 and 81 more")));
        let full = Output::to(Vec::new(), &Global { full: true, ..Global::default() }).at_terminal(40);
        assert_eq!(table().lines(&full), lines);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for columns in 1..150 {
            let lines = table().lines(&at(columns));
            let widest = lines.iter().map(|line| width(line)).max().unwrap();
            assert!(widest <= columns.max(4), "{columns}: {lines:#?}"); // two of indentation, and a character
        }
    }

    #[test]
    fn drawn_again_the_columns_stay_where_they_are() {
        let columns =
            [Column::left("NAME").shortened(), Column::right("DOWN").usual(9), Column::right("LEFT")];
        let drawn = |steady: &mut Steady, name: &str, rate: &str, left: &str| {
            let mut table = Table::new(&columns);
            table.row(vec![name.into(), rate.into(), left.into()]);
            let Drawn { head, rows } = table.again(steady, &at(80));
            (head, rows[0][0].clone())
        };
        let mut steady = Steady::default();
        let (head, row) = drawn(&mut steady, "a-long-name", "", "");
        assert_eq!((head.as_str(), row.as_str()), ("NAME              DOWN", "a-long-name"));
        let (head, row) = drawn(&mut steady, "x", "110 MiB/s", "4 s");
        assert_eq!(
            (head.as_str(), row.as_str()),
            ("NAME              DOWN  LEFT", "x            110 MiB/s   4 s")
        );
        assert_eq!(drawn(&mut steady, "x", "", "").0, head, "what is empty again stays");
    }
}
