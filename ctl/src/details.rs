//! A list of names and values that describes one thing, one per line.

use crate::error::Error;
use crate::human::clean;
use crate::output::{Colour, ID_DIGITS, Output};
use crate::width::{width, wrap};

/// Lines of a name and a value, with the values aligned. On a terminal a long value continues on the next line.
#[derive(Debug, Default)]
pub(crate) struct Details(Vec<Detail>);

#[derive(Debug)]
struct Detail {
    name: &'static str,
    value: String,
    colour: Option<Colour>,
    is_id: bool,
}

impl Details {
    /// Adds a line. Empty values are not shown.
    pub(crate) fn add(&mut self, name: &'static str, value: impl AsRef<str>) {
        self.0.push(Detail { name, value: clean(value.as_ref()), colour: None, is_id: false });
    }

    /// Adds a line whose value is colored on a terminal.
    pub(crate) fn add_coloured(&mut self, name: &'static str, value: &str, colour: Colour) {
        self.0.push(Detail { name, value: clean(value), colour: Some(colour), is_id: false });
    }

    /// Adds an id: all of it if there is room for it.
    pub(crate) fn add_id(&mut self, name: &'static str, id: &impl ToString) {
        self.0.push(Detail { name, value: id.to_string(), colour: None, is_id: true });
    }

    /// The lines, formatted for the output.
    pub(crate) fn lines(&self, output: &Output) -> Vec<String> {
        let names = self.0.iter().map(|detail| detail.name.len()).max().unwrap_or(0);
        let shown = self.0.iter().filter(|detail| !detail.value.is_empty());
        shown.flat_map(|detail| detail.lines(names, output)).collect()
    }

    pub(crate) fn print(&self, output: &mut Output) -> Result<(), Error> {
        self.lines(output).iter().try_for_each(|line| output.line(line))
    }
}

impl Detail {
    fn lines(&self, names: usize, output: &Output) -> Vec<String> {
        let values = match output.columns().map(|columns| columns.saturating_sub(names + 1)) {
            Some(room) if self.is_id && width(&self.value) > room => {
                vec![self.value.chars().take(ID_DIGITS).collect()]
            }
            Some(room) => wrap(&self.value, room),
            None => vec![self.value.clone()],
        };
        let line = |(place, value): (usize, &String)| {
            let name = format!("{:<names$}", if place == 0 { self.name } else { "" });
            let value = self.colour.map_or(value.clone(), |colour| output.paint(colour, value));
            format!("{} {value}", if place == 0 { output.paint(Colour::Faint, &name) } else { name })
        };
        values.iter().enumerate().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Global;

    #[test]
    fn a_long_value_goes_on_below_its_beginning() {
        let mut details = Details::default();
        details.add("name", "lab.img");
        details.add_id("resource", &"e5e72beb4e3c6926d3dc9e3e2ef7833ba50cd919c2460a782b244fd071e920de");
        details.add("nothing", "");
        details.add_coloured("reason", "no peer has chunks 3, 4, 5 and 81 more", Colour::Careful);
        let output = || Output::to(Vec::new(), &Global::default());
        assert_eq!(
            details.lines(&output().at_terminal(30)).join("\n"),
            "\
name     lab.img
resource e5e72beb4e3c
reason   no peer has chunks 3,
         4, 5 and 81 more"
        );
        assert!(details.lines(&output()).iter().all(|line| line.len() != 30));
        assert_eq!(details.lines(&output())[2], "reason   no peer has chunks 3, 4, 5 and 81 more");
        assert_eq!(details.lines(&output().at_terminal(80))[1].len(), 9 + 64);
    }
}
