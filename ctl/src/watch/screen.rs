//! The terminal during a watch: its alternate screen, without a cursor, and its keys. However the watch ends, the
//! terminal is restored, and the last contents are printed below what was there before.

use super::frame::Scroll;
use crate::error::{Error, Kind};
use crate::output::write_error;
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal::{
    Clear, ClearType, DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, queue};
use rustix::process::{Signal, kill_current_process_group};
use std::io::{self, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::mpsc;

/// How long the thread that reads keys waits for a key before it checks whether the watch has ended.
const KEYS_EVERY: Duration = Duration::from_millis(100);

/// Limits the keys that wait to be handled. Beyond it the thread that reads keys waits.
const KEYS_MAX: usize = 64;

/// Whether the alternate screen is shown. It is global because a panic anywhere must leave it.
static IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// What a watch reacts to.
#[derive(Debug)]
pub(super) enum Happening<U> {
    Update(Option<U>),
    Scrolled(Scroll),
    /// The terminal has another size or must be redrawn.
    Resized,
    Ended(Result<(), Error>),
}

/// The alternate screen, until it is dropped.
pub(super) struct Screen {
    /// The lines that are printed on the ordinary screen afterwards.
    kept: Vec<String>,
    /// Receives keys; none if there is no keyboard.
    keys: mpsc::Receiver<KeyEvent>,
    resized: unix::Signal,
    interrupted: unix::Signal,
    terminated: unix::Signal,
    hung_up: unix::Signal,
}

impl Screen {
    pub(super) fn open() -> Result<Screen, Error> {
        let signal =
            |kind| unix::signal(kind).map_err(|error| Error::io("cannot listen for signals", &error));
        let (resized, interrupted) = (signal(SignalKind::window_change())?, signal(SignalKind::interrupt())?);
        let (terminated, hung_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
        let (sender, keys) = mpsc::channel(KEYS_MAX);
        leave_before_a_panic_is_told();
        let has_keyboard = enter().map_err(write_error)?;
        if has_keyboard {
            std::thread::spawn(move || read_keys(&sender));
        }
        Ok(Screen { kept: Vec::new(), keys, resized, interrupted, terminated, hung_up })
    }

    /// Shows these lines. `kept` are the lines that are printed when the watch ends.
    pub(super) fn draw(&mut self, lines: &[String], kept: Vec<String>) -> Result<(), Error> {
        self.kept = kept;
        draw(lines).map_err(write_error)
    }

    /// The next event for us: a key or a signal.
    pub(super) async fn next<U>(&mut self) -> Happening<U> {
        loop {
            let key = tokio::select! {
                Some(key) = self.keys.recv() => key,
                _ = self.resized.recv() => return Happening::Resized,
                _ = self.interrupted.recv() => return Happening::Ended(interrupted()),
                _ = self.terminated.recv() => return self.end_by(Signal::TERM),
                _ = self.hung_up.recv() => return self.end_by(Signal::HUP),
            };
            let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
            return match key.code {
                KeyCode::Char('c') if is_control => Happening::Ended(interrupted()),
                KeyCode::Char('z') if is_control => self.stop(),
                KeyCode::Char('l') if is_control => Happening::Resized,
                KeyCode::Char('q' | 'Q') => Happening::Ended(Ok(())),
                KeyCode::Up | KeyCode::Char('k') => Happening::Scrolled(Scroll::Rows(-1)),
                KeyCode::Down | KeyCode::Char('j') => Happening::Scrolled(Scroll::Rows(1)),
                KeyCode::PageUp => Happening::Scrolled(Scroll::Pages(-1)),
                KeyCode::PageDown | KeyCode::Char(' ') => Happening::Scrolled(Scroll::Pages(1)),
                KeyCode::Home | KeyCode::Char('g') => Happening::Scrolled(Scroll::Top),
                KeyCode::End | KeyCode::Char('G') => Happening::Scrolled(Scroll::Bottom),
                _ => continue,
            };
        }
    }

    /// Handles ^Z: restores the terminal for the shell, and takes it over again when the process continues.
    fn stop<U>(&self) -> Happening<U> {
        leave();
        let _ = kill_current_process_group(Signal::TSTP); // if it fails, the watch continues
        match enter() {
            Ok(_) => Happening::Resized,
            Err(error) => Happening::Ended(Err(write_error(error))),
        }
    }

    /// Ends the process as if the signal had not been caught.
    fn end_by<U>(&mut self, signal: Signal) -> Happening<U> {
        self.close();
        let _ = signal_hook::low_level::emulate_default_handler(signal.as_raw());
        Happening::Ended(interrupted()) // not reached, because both signals end the process
    }

    fn close(&mut self) {
        if leave() && !std::thread::panicking() {
            let mut out = io::stdout().lock();
            let kept = std::mem::take(&mut self.kept);
            // The terminal may have gone.
            let _ = kept.iter().try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush());
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}

/// Ends as after ^C, but without a message: this is the usual end of a watch.
fn interrupted() -> Result<(), Error> {
    Err(Error::new(Kind::Interrupted, "interrupted").told())
}

/// Enters the alternate screen. Returns whether there is also a keyboard.
fn enter() -> io::Result<bool> {
    let has_keyboard = enable_raw_mode().is_ok();
    IS_SHOWN.store(true, Ordering::Release);
    let mut out = io::stdout().lock();
    queue!(out, EnterAlternateScreen, DisableLineWrap, cursor::Hide)?;
    out.flush()?;
    Ok(has_keyboard)
}

/// Leaves the alternate screen. Returns whether it was shown.
fn leave() -> bool {
    if !IS_SHOWN.swap(false, Ordering::AcqRel) {
        return false;
    }
    let mut out = io::stdout().lock();
    // The terminal may have gone.
    let _ = queue!(out, EnableLineWrap, cursor::Show, LeaveAlternateScreen).and_then(|()| out.flush());
    let _ = disable_raw_mode();
    true
}

/// Makes a panic leave the alternate screen first, since its message would vanish with that screen.
fn leave_before_a_panic_is_told() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            tell(panic);
        }));
    });
}

/// Overwrites the screen line by line, so that it does not flicker. Each line is cleared before it is written: after a
/// full line, some terminals would clear its last character.
fn draw(lines: &[String]) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (row, line) in lines.iter().enumerate() {
        let is_last = row + 1 == lines.len();
        let cleared = if is_last { ClearType::FromCursorDown } else { ClearType::UntilNewLine };
        queue!(out, cursor::MoveTo(0, row.try_into().unwrap_or(u16::MAX)), Clear(cleared))?;
        write!(out, "{line}")?;
    }
    out.flush()
}

/// Reads keys until the watch ends.
fn read_keys(keys: &mpsc::Sender<KeyEvent>) {
    while !keys.is_closed() {
        match event::poll(KEYS_EVERY) {
            Ok(false) => continue,
            Ok(true) => (),
            Err(_) => return,
        }
        let Ok(event) = event::read() else { return };
        if let Event::Key(key) = event
            && key.kind != KeyEventKind::Release
            && keys.blocking_send(key).is_err()
        {
            return;
        }
    }
}
