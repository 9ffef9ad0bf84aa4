//! Logs: to stderr, as text or as JSON. Whatever a stranger makes us log stays on one line.
//!
//! `text` says what a line looks like and which fields have a meaning of their own, `one_line` escapes control
//! characters.

mod one_line;
mod text;

use one_line::one_line;
use std::fmt;
use std::io::{self, IsTerminal, Stderr as StdStderr, Write};
use std::str::FromStr;
use text::Text;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

/// What is logged: a level, or levels per module.
///
/// ```
/// use shared::host::logging::LogFilter;
///
/// assert!("info,daemon::store=debug".parse::<LogFilter>().is_ok());
/// assert!("verbose".parse::<LogFilter>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// As text; with colors if stderr is a terminal.
    #[default]
    Auto,
    /// As text.
    Text,
    /// One JSON object per line.
    Json,
}

/// A text that is no log filter, or no log format. It says what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadLogSetting(&'static str);

/// The logging of this process. Its filter can be changed while the process runs.
#[derive(Debug, Default)]
pub struct Logging {
    filter: Option<reload::Handle<Targets, Registry>>,
}

impl Logging {
    /// From now on this is logged.
    pub fn set_filter(&self, filter: &LogFilter) {
        if let Some(handle) = &self.filter {
            let _ = handle.reload(filter.targets()); // fails when nobody logs any more
        }
    }
}

/// Begins to log to stderr. Only the first call of a process has an effect.
pub fn init(filter: &LogFilter, format: LogFormat) -> Logging {
    let is_journal = stderr_is_journal();
    let ansi =
        format == LogFormat::Auto && io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (filter, handle) = reload::Layer::new(filter.targets());
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(ansi)
        // the reader of stderr may have gone, which is no reason to panic, as eprintln would
        .log_internal_errors(false)
        .with_writer(Stderr { ansi, is_journal });
    let layer: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Json => Box::new(layer.json().flatten_event(true)),
        // the journal notes time and level by itself
        LogFormat::Auto | LogFormat::Text => {
            Box::new(layer.event_format(Text { ansi, has_time_and_level: !is_journal }))
        }
    };
    // An error means that somebody logs already: a test, which may go on.
    match tracing_subscriber::registry().with(filter).with(layer).try_init() {
        Ok(()) => Logging { filter: Some(handle) },
        Err(_) => Logging::default(),
    }
}

/// Writes an error to stderr, whatever is logged: why a program cannot start, for one.
pub fn complain(program: &str, why: &str) {
    let is_journal = stderr_is_journal();
    let level = is_journal.then_some(Level::ERROR);
    // a reader that is gone has seen enough
    let _ = OneLine { out: io::stderr(), ansi: false, level }.write(format!("{program}: {why}\n").as_bytes());
}

/// Whether stderr goes to systemd's journal: `$JOURNAL_STREAM` is the device and inode of what systemd gave us,
/// and stderr may be another file by now.
fn stderr_is_journal() -> bool {
    let Some(named) = std::env::var_os("JOURNAL_STREAM") else { return false };
    let stat = rustix::fs::fstat(io::stderr());
    stat.is_ok_and(|stat| named.to_str() == Some(format!("{}:{}", stat.st_dev, stat.st_ino).as_str()))
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl FromStr for LogFilter {
    type Err = BadLogSetting;

    fn from_str(text: &str) -> Result<LogFilter, BadLogSetting> {
        // Targets takes any word that is no level for the name of a module, and then logs nothing else.
        let is_level = |text: &str| LEVELS.contains(&text.to_ascii_lowercase().as_str());
        let is_directive = |part: &str| match part.rsplit_once('=') {
            Some((module, level)) => is_module(module) && is_level(level),
            None => is_level(part),
        };
        if !text.split(',').all(is_directive) || text.parse::<Targets>().is_err() {
            return Err(BadLogSetting(
                "error, warn, info, debug, trace or off, also per module as in \"info,daemon=debug\"",
            ));
        }
        Ok(LogFilter(text.to_owned()))
    }
}

/// Whether it may be the path of a module, or of a crate.
fn is_module(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':');
    !text.is_empty() && text.bytes().all(is_part)
}

impl LogFilter {
    /// tarpc logs each call at info, and as an error what any stranger can cause (a call without time); how a
    /// connection ended is told by our own transport. Whoever names it in the filter has the last word.
    fn targets(&self) -> Targets {
        format!("tarpc=off,{}", self.0).parse().expect("both parts are right by themselves")
    }
}

impl Default for LogFilter {
    fn default() -> LogFilter {
        LogFilter("info".to_owned())
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for LogFormat {
    type Err = BadLogSetting;

    fn from_str(text: &str) -> Result<LogFormat, BadLogSetting> {
        match text {
            "auto" => Ok(LogFormat::Auto),
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(BadLogSetting("\"auto\", \"text\" or \"json\"")),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogFormat::Auto => "auto",
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        })
    }
}

impl fmt::Display for BadLogSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

impl std::error::Error for BadLogSetting {}

/// Where events go.
struct Stderr {
    ansi: bool,
    is_journal: bool,
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = OneLine<StdStderr>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLine { out: io::stderr(), ansi: self.ansi, level: None }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        OneLine { level: self.is_journal.then_some(*metadata.level()), ..self.make_writer() }
    }
}

/// How the journal is told a line's priority; `sd-daemon(3)` lists them.
fn priority(level: Level) -> &'static [u8] {
    match level {
        Level::ERROR => b"<3>",
        Level::WARN => b"<4>",
        Level::INFO => b"<6>",
        Level::DEBUG | Level::TRACE => b"<7>",
    }
}

/// Writes each event as one line: control characters inside it become visible, so that a name or an error's
/// text from elsewhere can neither begin a line of its own nor drive the terminal.
struct OneLine<W> {
    out: W,
    /// Escape sequences are let through: [`Text`] has escaped those in an event's fields.
    ansi: bool,
    /// The event's level, if it is to stand before the line.
    level: Option<Level>,
}

impl<W: Write> Write for OneLine<W> {
    /// The formatter hands in one whole event, with its line end.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = one_line(event, self.ansi);
        match self.level {
            // in one piece: other threads write, too
            Some(level) => self.out.write_all(&[priority(level), &*line].concat())?,
            None => self.out.write_all(&line)?,
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A door for tests/fuzz: an event as it is written where there is no terminal.
#[cfg(feature = "fuzz")]
pub fn fuzz(event: &[u8]) -> Vec<u8> {
    one_line(event, false).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_mistyped_level_is_refused() {
        for text in ["info", "DEBUG", "off", "warn,daemon::store=trace", "a=info,b=warn"] {
            assert_eq!(text.parse::<LogFilter>().unwrap().to_string(), text);
        }
        for text in
            ["", "inof", "info,", "daemon", "daemon=", "=info", "daemon=loud", "info;debug", "a=info, b=warn"]
        {
            assert!(text.parse::<LogFilter>().is_err(), "{text:?}");
        }
    }

    /// EnvFilter, which takes fields and regular expressions as well, panicked at some of them and took seconds for
    /// others. Found by the fuzz target `units`.
    #[test]
    fn what_is_no_module_is_refused() {
        let fields = ["a[{b=c}]=info", "[{a=\r},{a=\r}]=trace", "a[{b=(x*)*}]=info", "a b=info", "=info"];
        for text in ["\u{c}\u{c}\u{688}61=off", "é=info", "info,ü=debug"].iter().chain(&fields) {
            assert!(text.parse::<LogFilter>().is_err(), "{text:?}");
        }
    }

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_hostile_name_cannot_write_a_line_of_its_own() {
        let captured = Captured::default();
        let out = captured.clone();
        let subscriber = tracing_subscriber::fmt()
            .event_format(Text { ansi: false, has_time_and_level: true })
            .with_writer(move || OneLine { out: out.clone(), ansi: false, level: None })
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(name = %"x\n2026-01-01 ERROR all is lost\x1b[2J", "shared\r\nagain\u{9b}2J");
            tracing::info!("été");
        });
        let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert!(!text.contains(['\r', '\x1b', '\u{9b}']) && text.contains("été"), "{text:?}");
    }

    #[test]
    fn the_journal_is_told_the_priority() {
        let captured = Captured::default();
        for (level, text) in [(Level::ERROR, "a\nb\n"), (Level::WARN, "c\n"), (Level::DEBUG, "d\n")] {
            let mut line = OneLine { out: captured.clone(), ansi: false, level: Some(level) };
            line.write_all(text.as_bytes()).unwrap();
        }
        assert_eq!(captured.0.lock().unwrap().as_slice(), b"<3>a\\nb\n<4>c\n<7>d\n");
    }
}
