//! A log line as text: the time, the level, the name that it is about, what happened, why, and then the other fields.
//!
//! ```text
//! 2026-11-26T07:56:46.123456Z  INFO app.tar.gz: not fetched: no tracker has it user=alice id=54707a2e8c1f
//! ```
//!
//! Three fields have a meaning of their own: `name` goes before the message and `error` behind it, each with a colon.
//! Fields in [`IN_WORDS`] are for the JSON format alone: in text the message says the same. JSON has all fields as they
//! are.

use super::one_line::one_line;
use std::fmt::{self, Debug, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Fields that only the JSON format shows: numbers that programs want without a unit, and that the message tells with
/// one.
const IN_WORDS: [&str; 7] =
    ["bytes", "bytes_fetched", "bytes_reused", "took_ms", "bytes_per_s", "peers", "uid"];

/// How many digits of an id a line shows: enough to tell apart all files of a fleet. JSON has the whole id.
const ID_DIGITS: usize = 12;

/// How many hexadecimal digits the id of a resource has.
const ID_DIGITS_ALL: usize = 64;

/// The text format.
pub(super) struct Text {
    /// With colors.
    pub(super) ansi: bool,
    /// The journal notes both by itself.
    pub(super) has_time_and_level: bool,
}

/// The name, the message and the fields of an event.
#[derive(Default)]
struct Said {
    name: String,
    message: String,
    error: String,
    /// ` key=value` for each other field.
    fields: String,
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let level = *event.metadata().level();
        if self.has_time_and_level {
            let mut time = String::new();
            SystemTime.format_time(&mut Writer::new(&mut time))?;
            write!(out, "{} {} ", self.dimmed(&time), self.colored(level))?;
        }
        if level >= Level::DEBUG {
            // developers read these lines
            write!(out, "{} ", self.dimmed(&format!("{}:", event.metadata().target())))?;
        }
        let Said { name, message, error, fields } = &said;
        let parts = [name, message, error].into_iter().filter(|part| !part.is_empty());
        let text = parts.map(String::as_str).collect::<Vec<_>>().join(": ");
        writeln!(out, "{}{}", self.escaped(&text), self.dimmed(fields))
    }
}

impl Text {
    /// Colors are the only escape sequences of a line: what an event brings along is escaped before they are added.
    fn escaped(&self, text: &str) -> String {
        String::from_utf8_lossy(&one_line(text.as_bytes(), false)).into_owned()
    }

    fn dimmed(&self, text: &str) -> String {
        match self.ansi && !text.is_empty() {
            true => format!("\x1b[2m{}\x1b[0m", self.escaped(text)),
            false => self.escaped(text),
        }
    }

    fn colored(&self, level: Level) -> String {
        let color = match level {
            Level::ERROR => 31,
            Level::WARN => 33,
            Level::INFO => 32,
            Level::DEBUG => 34,
            Level::TRACE => 35,
        };
        let level = level.as_str();
        match self.ansi {
            true => format!("\x1b[{color}m{level:>5}\x1b[0m"),
            false => format!("{level:>5}"),
        }
    }
}

impl Said {
    fn add(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            "name" => self.name.push_str(value),
            "error" => self.error.push_str(value),
            key if IN_WORDS.contains(&key) => {}
            key => {
                self.fields.push(' ');
                self.fields.push_str(key);
                self.fields.push('=');
                let is_id =
                    value.len() == ID_DIGITS_ALL && value.bytes().all(|byte| byte.is_ascii_hexdigit());
                let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=';
                match value {
                    value if is_id => self.fields.push_str(&value[..ID_DIGITS]),
                    value if value.chars().all(is_plain) && !value.is_empty() => self.fields.push_str(value),
                    value => _ = write!(self.fields, "{value:?}"), // a String takes everything
                }
            }
        }
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that these events write.
    fn written(text: Text, events: impl FnOnce()) -> String {
        let captured = Captured::default();
        let out = captured.clone();
        let layer = tracing_subscriber::fmt::layer().event_format(text).with_writer(move || out.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), events);
        String::from_utf8(captured.0.lock().unwrap().clone()).unwrap()
    }

    const IN_JOURNAL: Text = Text { ansi: false, has_time_and_level: false };

    #[test]
    fn a_line_begins_with_the_name_and_ends_with_the_fields() {
        let id = "54707a2e8c1f".to_owned() + &"0".repeat(52);
        let lines = written(IN_JOURNAL, || {
            tracing::info!(name = %"app.tar.gz", %id, user = %"alice", uid = 1000, bytes = 7, "shared, {} MiB", 7);
            tracing::warn!(name = %"a b.img", error = %"no space", "not fetched");
            tracing::error!(error = "it is gone", path = %"/srv/a b", chunk = 3, "");
            tracing::info!("the tracker has stopped");
        });
        let expected = [
            "app.tar.gz: shared, 7 MiB id=54707a2e8c1f user=alice",
            "a b.img: not fetched: no space",
            "it is gone path=\"/srv/a b\" chunk=3",
            "the tracker has stopped",
        ];
        assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn modules_are_named_where_the_code_is_being_read() {
        let lines = written(IN_JOURNAL, || tracing::debug!(peer = %"10.0.0.1:7987", "connected"));
        assert_eq!(lines, format!("{}: connected peer=10.0.0.1:7987\n", module_path!()));
    }

    #[test]
    fn the_time_and_the_level_go_first_where_nobody_else_notes_them() {
        let text = Text { ansi: false, has_time_and_level: true };
        let line = written(text, || tracing::info!("stopped"));
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.ends_with('Z') && time.contains('T'), "{line}");
        assert_eq!(rest, " INFO stopped\n");
    }

    #[test]
    fn an_event_brings_no_colors_along() {
        let text = Text { ansi: true, has_time_and_level: true };
        let line = written(text, || {
            tracing::info!(name = %"x\x1b[2J\n", user = %"y\x1b[2J", error = %"\u{9b}2J", "z\x1b[0m");
        });
        let begun = ["\x1b[2m", "\x1b[32m", "\x1b[0m"].map(|color| line.matches(color).count());
        assert_eq!((line.matches('\x1b').count(), begun), (6, [2, 1, 3]), "{line:?}");
        assert!(!line.contains('\u{9b}') && line.lines().count() == 1, "{line:?}");
    }
}
