//! The one place that writes to the terminal: results to the standard output, everything else to the standard
//! error. Colours only on a terminal, and not if `NO_COLOR` is set.

use crate::cli::Global;
use crate::documents::{Document, Failed, Failure};
use crate::error::{Error, Kind};
use crate::human::clean;
use crate::terminal;
use serde::Serialize;
use std::io::{self, BufWriter, IsTerminal, Write};

/// An id on a terminal: this many digits tell the files of a fleet apart, and are taken wherever an id is asked for.
pub(crate) const ID_DIGITS: usize = 12;

/// Where to write, and how.
pub struct Output {
    out: BufWriter<Box<dyn Write>>,
    json: bool,
    /// The result as JSON. It is held back until the command ends: how that ends is part of it.
    document: Option<String>,
    out_terminal: bool,
    err_terminal: bool,
    colours: bool,
    /// Whether a terminal can move its cursor.
    moves: bool,
    /// Whether nothing is shortened for a terminal.
    full: bool,
    /// How wide the terminal is, where it is not asked.
    columns: Option<usize>,
    /// Who is told how far things are.
    progress: Told,
    /// Who is told what is worth knowing beside the result.
    notes: Told,
    /// Whether a command that has done what it should says so.
    is_quiet: bool,
    /// Which daemon the command line names: what is suggested is for the same one.
    which_daemon: String,
    /// Whether `out` is this process's own.
    of_process: bool,
}

/// Who is told something beside the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nobody,
    /// A person at a terminal.
    People,
    /// Whoever reads the standard error: a person, a log, cron.
    All,
}

/// What a colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// All is well.
    Good,
    /// It goes on.
    Busy,
    /// It waits.
    Careful,
    /// It does not go on.
    Bad,
    /// Of less importance.
    Faint,
    /// A heading.
    Bold,
}

impl Output {
    /// This process's own outputs.
    pub fn of_process(global: &Global) -> Output {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Output {
            out: BufWriter::new(Box::new(io::stdout())),
            out_terminal: io::stdout().is_terminal(),
            err_terminal: io::stderr().is_terminal(),
            colours: !no_colour && !is_dumb,
            moves: !is_dumb,
            of_process: true,
            ..Output::to(io::sink(), global)
        }
    }

    /// Writes to `out`, as if it were a pipe.
    pub fn to(out: impl Write + 'static, global: &Global) -> Output {
        Output {
            out: BufWriter::new(Box::new(out)),
            json: global.json,
            document: None,
            out_terminal: false,
            err_terminal: false,
            colours: false,
            moves: false,
            full: global.full,
            columns: None,
            progress: match global {
                Global { quiet: true, .. } | Global { no_progress: true, .. } => Told::Nobody,
                Global { progress: true, .. } => Told::All,
                _ => Told::People,
            },
            notes: match global {
                Global { quiet: true, .. } => Told::Nobody,
                Global { verbose: true, .. } | Global { progress: true, .. } => Told::All,
                _ => Told::People,
            },
            is_quiet: global.quiet,
            which_daemon: global.which_daemon(),
            of_process: false,
        }
    }

    /// As if the results went to a terminal without colours, which is this wide.
    #[cfg(test)]
    pub(crate) fn at_terminal(self, columns: usize) -> Output {
        Output { out_terminal: true, columns: Some(columns), ..self }
    }

    /// Whether the result is to be JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a person looks at the results.
    pub fn out_is_terminal(&self) -> bool {
        self.out_terminal
    }

    /// How wide a line of the results may be, in columns: `None` where everything is whole, in a pipe and with `--full`.
    pub fn columns(&self) -> Option<usize> {
        let is_fitted = self.out_terminal && !self.full;
        is_fitted.then(|| self.columns.unwrap_or_else(|| terminal::size(io::stdout()).columns))
    }

    /// An id, as a person or a script needs it: its first digits on a terminal, else all of it.
    pub fn id(&self, id: &impl ToString) -> String {
        let id = id.to_string();
        match self.columns() {
            Some(_) => id.chars().take(ID_DIGITS).collect(),
            None => id,
        }
    }

    /// Whether results can be drawn over one another: on a terminal that is not dumb, and not as JSON.
    pub fn out_is_screen(&self) -> bool {
        self.out_terminal && self.moves && !self.json
    }

    /// Whether progress is drawn, over what was there before.
    pub fn draws_progress(&self) -> bool {
        self.err_terminal && self.moves && self.shows_progress()
    }

    /// Whether to tell how far things are: to a person, and to whoever asked for it. A good run in a pipe or under cron
    /// says nothing.
    pub fn shows_progress(&self) -> bool {
        self.reaches(self.progress)
    }

    fn reaches(&self, told: Told) -> bool {
        match told {
            Told::Nobody => false,
            Told::People => self.err_terminal,
            Told::All => true,
        }
    }

    /// Ends when whoever reads the results has gone: a pipe tells only those who write, or who look.
    pub fn reader_gone(&self) -> impl Future<Output = ()> + use<> {
        let (gone, seen) = tokio::sync::oneshot::channel();
        if self.of_process {
            std::thread::spawn(move || {
                wait_until_hung_up();
                let _ = gone.send(()); // nobody may care any more
            });
        }
        async move {
            if seen.await.is_err() {
                std::future::pending().await
            }
        }
    }

    /// A text with the commands that it suggests made such that they can be pasted: for the daemon that was named.
    pub fn pasteable(&self, text: &str) -> String {
        if self.which_daemon.is_empty() {
            return text.to_owned();
        }
        let mut parts = text.split("`ttctl ");
        let mut pasteable = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            pasteable.push_str("`ttctl ");
            if !part.starts_with("--") {
                pasteable.push_str(&format!("{} ", self.which_daemon));
            }
            pasteable.push_str(part);
        }
        pasteable
    }

    /// Whether there may be colours on the standard error.
    pub fn err_has_colours(&self) -> bool {
        self.err_terminal && self.colours
    }

    /// A line of the result. It is trusted: what comes from elsewhere went through [`clean`].
    pub fn line(&mut self, line: &str) -> Result<(), Error> {
        writeln!(self.out, "{line}").map_err(write_error)
    }

    /// A line that says no more than that the command has done what it should: left out with --quiet.
    pub fn done(&mut self, line: &str) -> Result<(), Error> {
        if self.is_quiet { Ok(()) } else { self.line(line) }
    }

    /// Prints what is no part of a JSON document.
    pub(crate) fn only_text(
        &mut self,
        print: impl FnOnce(&mut Output) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.json { Ok(()) } else { print(self) }
    }

    /// Hands over the lines that were written, and no document that is not complete yet.
    pub(crate) fn flush_lines(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(write_error)
    }

    /// What was done to these: one line for each.
    pub fn names(&mut self, done: &str, names: &[String]) -> Result<(), Error> {
        names.iter().try_for_each(|name| self.done(&format!("{done} {}", clean(name))))
    }

    /// Text as it is, for manifests.
    pub fn text(&mut self, text: &str) -> Result<(), Error> {
        self.out.write_all(text.as_bytes()).map_err(write_error)
    }

    /// The JSON document of a command, an object. It is written when the command ends.
    pub fn json(&mut self, document: &impl Serialize) -> Result<(), Error> {
        self.document = Some(json_text(document)?);
        Ok(())
    }

    /// One of many JSON documents of a command that goes on: it is written at once.
    pub(crate) fn json_line(&mut self, document: &impl Serialize) -> Result<(), Error> {
        let text = json_text(document)?;
        self.line(&text)
    }

    /// Ends a command: writes its JSON document, with what went wrong, and tells a person of that.
    pub fn end(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        let document = self.document.take();
        let error = result.as_ref().err().filter(|error| error.kind != Kind::BrokenPipe);
        let text = match (document, error) {
            (document, None) => document,
            (None, Some(error)) if self.json => {
                Some(json_text(&Document::new(Failed { error: self.failure(error) }))?)
            }
            (None, Some(_)) => None,
            (Some(document), Some(error)) => Some(with_error(&document, &self.failure(error))?),
        };
        let written = text.map_or(Ok(()), |text| self.line(&text)).and_then(|()| self.flush());
        // What was printed before the error still counts.
        result.and(written)
    }

    /// An error as it stands in a JSON document.
    pub(crate) fn failure(&self, error: &Error) -> Failure {
        Failure { hint: error.hint.as_ref().map(|hint| self.pasteable(hint)), ..Failure::from(error) }
    }

    /// Hands over what was written; an update must not wait for the next one. What goes wrong after it is in no document
    /// that was written before.
    pub fn flush(&mut self) -> Result<(), Error> {
        if let Some(document) = self.document.take() {
            self.line(&document)?;
        }
        self.out.flush().map_err(write_error)
    }

    /// The text in a colour, if the results may have colours.
    pub fn paint(&self, colour: Colour, text: &str) -> String {
        paint(self.out_terminal && self.colours, colour, text)
    }

    /// Something to know beside the result, for people.
    pub fn note(&self, text: &str) {
        if self.reaches(self.notes) {
            err_line(&clean(&self.pasteable(text)));
        }
    }

    /// Says what is worth knowing as [`note`](Output::note) does, for those who do not have the output.
    pub(crate) fn noter(&self) -> impl Fn(&str) + use<> {
        let is_told = self.reaches(self.notes);
        move |text| {
            if is_told {
                err_line(&clean(text));
            }
        }
    }

    /// Something that may be wrong.
    pub fn warning(&self, text: &str) {
        let label = paint(self.err_has_colours(), Colour::Careful, "warning:");
        err_line(&format!("{label} {}", clean(&self.pasteable(text))));
    }

    /// What went wrong, and what to do about it.
    pub fn error(&self, error: &Error) {
        if error.kind == Kind::BrokenPipe || error.is_told {
            return;
        }
        let label = paint(self.err_has_colours(), Colour::Bad, "error:");
        err_line(&format!("{label} {}", clean(&error.message)));
        if let Some(hint) = &error.hint {
            let label = paint(self.err_has_colours(), Colour::Bold, "hint:");
            err_line(&format!("{label} {}", clean(&self.pasteable(hint))));
        }
    }
}

/// Blocks until the other side of the standard output has gone: the reader of a pipe, the terminal.
fn wait_until_hung_up() {
    use rustix::event::{PollFd, PollFlags, poll};

    let out = io::stdout();
    // an error or a hang-up is told without being asked for
    let mut looked_at = [PollFd::new(&out, PollFlags::empty())];
    while matches!(poll(&mut looked_at, None), Ok(0) | Err(rustix::io::Errno::INTR)) {}
}

fn json_text(document: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(document).map_err(|error| Error::internal(format!("cannot write JSON: {error}")))
}

/// The text of an object with one more field, the last.
fn with_error(document: &str, failure: &Failure) -> Result<String, Error> {
    let fields = document.strip_suffix('}').unwrap_or(document);
    Ok(format!("{fields},\"error\":{}}}", json_text(failure)?))
}

/// What becomes of an error at the standard output.
pub(crate) fn write_error(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Error::new(Kind::BrokenPipe, ""),
        _ => Error::io("cannot write the output", &error),
    }
}

/// How a command goes about its work, for those who asked for it with --verbose.
pub(crate) fn detail(global: &Global, text: &str) {
    if global.verbose && !global.quiet {
        err_line(&clean(text));
    }
}

/// A standard error that nobody reads is no reason to fail.
fn err_line(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// The text in a colour, if there may be colours.
pub(crate) fn paint(colours: bool, colour: Colour, text: &str) -> String {
    let code = match colour {
        _ if !colours || text.is_empty() => return text.to_owned(),
        Colour::Good => "32",
        Colour::Busy => "36",
        Colour::Careful => "33",
        Colour::Bad => "1;31",
        Colour::Faint => "2",
        Colour::Bold => "1",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_suggested_can_be_pasted() {
        let global = Global { folder: Some("/srv/my files".into()), ..Global::default() };
        let pasteable = |text: &str| Output::to(io::sink(), &global).pasteable(text);
        assert_eq!(
            pasteable("`ttctl list` shows it, `ttctl --directory /a remove x` ends it"),
            "`ttctl --directory '/srv/my files' list` shows it, `ttctl --directory /a remove x` ends it"
        );
        assert_eq!(
            Output::to(io::sink(), &Global::default()).pasteable("see `ttctl list`"),
            "see `ttctl list`"
        );
    }
}
