//! Logs: to stderr, as text or as JSON. Whatever a stranger makes us log stays on one line.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::str::FromStr;
use tracing_subscriber::EnvFilter;

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

/// How it is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// As text; with colours if stderr is a terminal.
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

/// Begins to log to stderr. Only the first call of a process has an effect.
pub fn init(filter: &LogFilter, format: LogFormat) {
    // tarpc logs each call at info, and as an error what any stranger can cause (a call without time); how a
    // connection ended is told by our own transport. Whoever names it in the filter has the last word.
    let filter = EnvFilter::new(format!("tarpc=off,{}", filter.0));
    let ansi =
        format == LogFormat::Auto && io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(ansi)
        // whoever read our stderr may be gone: that is no reason to panic, which eprintln would do
        .log_internal_errors(false)
        .with_writer(move || OneLine { out: io::stderr(), ansi });
    // An error means that somebody logs already: a test, which may go on.
    let _ = match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Auto | LogFormat::Text => builder.try_init(),
    };
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl FromStr for LogFilter {
    type Err = BadLogSetting;

    fn from_str(text: &str) -> Result<LogFilter, BadLogSetting> {
        // EnvFilter takes any word that is no level for the name of a module, and then logs nothing else.
        let is_level = |text: &str| LEVELS.contains(&text.to_ascii_lowercase().as_str());
        let is_directive = |part: &str| match part.rsplit_once('=') {
            Some((module, level)) => !module.is_empty() && is_level(level),
            None => is_level(part),
        };
        // No module has such a name, and EnvFilter panics at some of them.
        let is_ascii = text.is_ascii();
        if !is_ascii || !text.split(',').all(is_directive) || EnvFilter::try_new(text).is_err() {
            return Err(BadLogSetting(
                "error, warn, info, debug, trace or off, also per module as in \"info,daemon=debug\"",
            ));
        }
        Ok(LogFilter(text.to_owned()))
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

/// Writes each event as one line: control characters inside it become visible, so that a name or an error's
/// text from elsewhere can neither begin a line of its own nor drive the terminal.
struct OneLine<W> {
    out: W,
    /// Escape sequences are let through: those in an event's fields were escaped by the formatter.
    ansi: bool,
}

impl<W: Write> Write for OneLine<W> {
    /// The formatter hands in one whole event, with its line end.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.out.write_all(&one_line(event, self.ansi))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// An event as one line; what may not stand in a line is escaped.
fn one_line(event: &[u8], ansi: bool) -> Cow<'_, [u8]> {
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

    /// EnvFilter panics at it. Found by the fuzz target `units`.
    #[test]
    fn a_module_that_is_not_ascii_is_refused() {
        for text in ["\u{c}\u{c}\u{688}61=off", "é=info", "info,ü=debug"] {
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
            .with_ansi(false)
            .with_writer(move || OneLine { out: out.clone(), ansi: false })
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(name = %"x\n2026-01-01 ERROR all is lost\x1b[2J", "shared\r\nagain\u{9b}2J");
            tracing::info!("été");
        });
        let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert!(!text.contains(['\r', '\x1b', '\u{9b}']) && text.contains("été"), "{text:?}");
    }
}
