//! The one place that writes to the terminal: results to the standard output, everything else to the standard error.
//! There are colors only on a terminal, and none if `NO_COLOR` is set.

use crate::cli::Global;
use crate::documents::{Document, Failed, Failure};
use crate::error::{Error, Kind};
use crate::human::clean;
use crate::stderr;
use crate::terminal;
use crate::width::wrap_message;
use serde::Serialize;
use std::io::{self, BufWriter, IsTerminal, Write};

/// How many digits of an id are shown on a terminal: enough to tell all files of a fleet apart, and accepted wherever
/// an id is asked for.
pub(crate) const ID_DIGITS: usize = 12;

/// Where and how to write.
pub struct Output {
    out: BufWriter<Box<dyn Write>>,
    json: bool,
    /// The result as JSON. It is kept until the command ends, because it contains the outcome.
    document: Option<String>,
    out_terminal: bool,
    err_terminal: bool,
    colours: bool,
    /// Whether the terminal can move its cursor.
    moves: bool,
    /// Whether nothing is shortened on a terminal.
    full: bool,
    /// A fixed width for tests; `None` to ask the terminal.
    columns: Option<usize>,
    /// Who sees progress.
    progress: Audience,
    /// Who sees remarks.
    notes: Audience,
    /// Whether messages of success are left out.
    is_quiet: bool,
    /// The options that name the daemon on the command line; they are added to suggested commands.
    which_daemon: String,
    /// Whether `out` is the standard output of this process.
    of_process: bool,
}

/// Who sees a kind of message on the standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    Nobody,
    /// A person at a terminal.
    People,
    /// Everybody who reads the standard error: people, logs, cron.
    All,
}

/// The meaning of a color.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// All is well.
    Good,
    /// It is in progress.
    Busy,
    /// It waits.
    Careful,
    /// It has failed.
    Bad,
    /// Of less importance.
    Faint,
    /// A heading.
    Bold,
}

impl Output {
    /// Writes to the standard output and error of this process.
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
                Global { quiet: true, .. } | Global { no_progress: true, .. } => Audience::Nobody,
                Global { progress: true, .. } => Audience::All,
                _ => Audience::People,
            },
            notes: match global {
                Global { quiet: true, .. } => Audience::Nobody,
                Global { verbose: true, .. } | Global { progress: true, .. } => Audience::All,
                _ => Audience::People,
            },
            is_quiet: global.quiet,
            which_daemon: global.which_daemon(),
            of_process: false,
        }
    }

    /// Writes results as for a terminal of this width without colors.
    #[cfg(test)]
    pub(crate) fn at_terminal(self, columns: usize) -> Output {
        Output { out_terminal: true, columns: Some(columns), ..self }
    }

    /// Whether a person can be asked: only if this writes to the process's own outputs, and only at a terminal.
    pub(crate) fn can_ask(&self) -> bool {
        self.of_process && self.err_terminal && io::stdin().is_terminal()
    }

    /// Whether the result is JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether the results go to a terminal.
    pub fn out_is_terminal(&self) -> bool {
        self.out_terminal
    }

    /// The width of the results in columns; `None` if nothing is shortened, in a pipe and with `--full`.
    pub fn columns(&self) -> Option<usize> {
        let is_fitted = self.out_terminal && !self.full;
        is_fitted.then(|| self.columns.unwrap_or_else(|| terminal::size(io::stdout()).columns))
    }

    /// An id: its first digits on a terminal, otherwise all of it.
    pub fn id(&self, id: &impl ToString) -> String {
        let id = id.to_string();
        match self.columns() {
            Some(_) => id.chars().take(ID_DIGITS).collect(),
            None => id,
        }
    }

    /// Whether results can overwrite earlier ones: on a terminal that is not dumb, and not as JSON.
    pub fn out_is_screen(&self) -> bool {
        self.out_terminal && self.moves && !self.json
    }

    /// Whether progress is drawn as a bar that overwrites itself.
    pub fn draws_progress(&self) -> bool {
        self.err_terminal && self.moves && self.shows_progress()
    }

    /// Whether progress is shown: on a terminal, and if it was asked for. In a pipe or under cron a command that
    /// succeeds shows none.
    pub fn shows_progress(&self) -> bool {
        self.reaches(self.progress)
    }

    fn reaches(&self, audience: Audience) -> bool {
        match audience {
            Audience::Nobody => false,
            Audience::People => self.err_terminal,
            Audience::All => true,
        }
    }

    /// Ends when the reader of the results has gone. A pipe reports that only to a process that writes or polls.
    pub fn reader_gone(&self) -> impl Future<Output = ()> + use<> {
        let (gone, seen) = tokio::sync::oneshot::channel();
        if self.of_process {
            std::thread::spawn(move || {
                wait_until_hung_up();
                let _ = gone.send(()); // the command may have ended
            });
        }
        async move {
            if seen.await.is_err() {
                std::future::pending().await
            }
        }
    }

    /// Adds the options that name the daemon to the commands that a text suggests, so that they can be pasted.
    pub fn pasteable(&self, text: &str) -> String {
        if self.which_daemon.is_empty() {
            return text.to_owned();
        }
        let mut parts = text.split("`ttctl ");
        let mut pasteable = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            pasteable.push_str("`ttctl ");
            // `ttctl ca` needs no daemon, and is often meant for another machine.
            if !part.starts_with("--") && !part.starts_with("ca ") {
                pasteable.push_str(&format!("{} ", self.which_daemon));
            }
            pasteable.push_str(part);
        }
        pasteable
    }

    /// Whether the standard error may have colors.
    pub fn err_has_colours(&self) -> bool {
        self.err_terminal && self.colours
    }

    /// Writes a line of the result. It must be safe for a terminal: strangers' texts went through [`clean`].
    pub fn line(&mut self, line: &str) -> Result<(), Error> {
        writeln!(self.out, "{line}").map_err(write_error)
    }

    /// Writes a message of success, which --quiet leaves out. On a terminal it is wrapped.
    pub fn done(&mut self, line: &str) -> Result<(), Error> {
        if self.is_quiet {
            return Ok(());
        }
        match self.columns() {
            Some(columns) => self.line(&wrap_message(line, columns).join("\n")),
            None => self.line(line),
        }
    }

    /// Prints text if the result is not JSON.
    pub(crate) fn only_text(
        &mut self,
        print: impl FnOnce(&mut Output) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.json { Ok(()) } else { print(self) }
    }

    /// Flushes the lines that were written. A JSON document that is not complete yet stays.
    pub(crate) fn flush_lines(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(write_error)
    }

    /// Writes one line for each name, with what was done.
    pub fn names(&mut self, done: &str, names: &[String]) -> Result<(), Error> {
        // A name is not wrapped: it can be copied from the terminal.
        let lines = if self.is_quiet { &[] } else { names };
        lines.iter().try_for_each(|name| self.line(&format!("{done} {}", clean(name))))
    }

    /// Writes text unchanged, for manifests.
    pub fn text(&mut self, text: &str) -> Result<(), Error> {
        self.out.write_all(text.as_bytes()).map_err(write_error)
    }

    /// Sets the JSON document of the command, an object. It is written when the command ends.
    pub fn json(&mut self, document: &impl Serialize) -> Result<(), Error> {
        self.document = Some(json_text(document)?);
        Ok(())
    }

    /// Writes one of the many JSON documents of a command that continues, at once.
    pub(crate) fn json_line(&mut self, document: &impl Serialize) -> Result<(), Error> {
        let text = json_text(document)?;
        self.line(&text)
    }

    /// Ends a command: writes its JSON document, including the error if there is one, and prints the error for people.
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
        // An error of the command comes before an error of the output.
        result.and(written)
    }

    /// An error as part of a JSON document.
    pub(crate) fn failure(&self, error: &Error) -> Failure {
        Failure { hint: error.hint.as_ref().map(|hint| self.pasteable(hint)), ..Failure::from(error) }
    }

    /// Flushes what was written, so that an update does not wait for the next one. A later error is in no document that
    /// was written before.
    pub fn flush(&mut self) -> Result<(), Error> {
        if let Some(document) = self.document.take() {
            self.line(&document)?;
        }
        self.out.flush().map_err(write_error)
    }

    /// The text in a color, if the results may have colors.
    pub fn paint(&self, colour: Colour, text: &str) -> String {
        paint(self.out_terminal && self.colours, colour, text)
    }

    /// Prints a remark for people.
    pub fn note(&self, text: &str) {
        if self.reaches(self.notes) {
            err_line(&clean(&self.pasteable(text)));
        }
    }

    /// A function that prints remarks like [`note`](Output::note), for code that does not have the output.
    pub(crate) fn noter(&self) -> impl Fn(&str) + use<> {
        let is_told = self.reaches(self.notes);
        move |text| {
            if is_told {
                err_line(&clean(text));
            }
        }
    }

    /// Prints a warning.
    pub fn warning(&self, text: &str) {
        tell(self.err_has_colours(), "warning:", Colour::Careful, &self.pasteable(text));
    }

    /// A function that prints warnings that suggest no command, for code that does not have the output.
    pub(crate) fn warner(&self) -> impl Fn(&str) + use<> {
        let has_colours = self.err_has_colours();
        move |text| tell(has_colours, "warning:", Colour::Careful, text)
    }

    /// Prints an error and its hint.
    pub fn error(&self, error: &Error) {
        if error.kind == Kind::BrokenPipe || error.is_told {
            return;
        }
        tell(self.err_has_colours(), "error:", Colour::Bad, &error.message);
        if let Some(hint) = &error.hint {
            tell(self.err_has_colours(), "hint:", Colour::Bold, &self.pasteable(hint));
        }
    }
}

/// Prints a text after a label in a color.
fn tell(has_colours: bool, label: &str, colour: Colour, text: &str) {
    let lines = err_lines(&format!("{label} {}", clean(text)));
    stderr::message(&lines.replacen(label, &paint(has_colours, colour, label), 1));
}

/// Blocks until the other side of the standard output has gone: the reader of a pipe, or the terminal.
fn wait_until_hung_up() {
    use rustix::event::{PollFd, PollFlags, poll};

    let out = io::stdout();
    // errors and hang-ups are always reported
    let mut looked_at = [PollFd::new(&out, PollFlags::empty())];
    while matches!(poll(&mut looked_at, None), Ok(0) | Err(rustix::io::Errno::INTR)) {}
}

fn json_text(document: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(document).map_err(|error| Error::internal(format!("cannot write JSON: {error}")))
}

/// Adds the error to the text of a JSON object, as its last field.
fn with_error(document: &str, failure: &Failure) -> Result<String, Error> {
    let fields = document.strip_suffix('}').unwrap_or(document);
    Ok(format!("{fields},\"error\":{}}}", json_text(failure)?))
}

/// Converts an error of writing to the standard output.
pub(crate) fn write_error(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Error::new(Kind::BrokenPipe, ""),
        _ => Error::io("cannot write the output", &error),
    }
}

/// Prints a detail of how the command works, with --verbose.
pub(crate) fn detail(global: &Global, text: &str) {
    if global.verbose && !global.quiet {
        err_line(&clean(text));
    }
}

/// Prints a message without colors to the standard error.
pub(crate) fn err_line(text: &str) {
    stderr::message(&err_lines(text));
}

/// The message as it is printed to the standard error: on a terminal it is wrapped.
fn err_lines(text: &str) -> String {
    match io::stderr().is_terminal() {
        true => wrap_message(text, terminal::size(io::stderr()).columns).join("\n"),
        false => text.to_owned(),
    }
}

/// The text in a color, if `colours` is set.
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
        assert_eq!(pasteable("`ttctl ca token` prints it"), "`ttctl ca token` prints it");
        assert_eq!(
            Output::to(io::sink(), &Global::default()).pasteable("see `ttctl list`"),
            "see `ttctl list`"
        );
    }
}
