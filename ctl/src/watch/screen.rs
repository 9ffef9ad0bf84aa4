//! The terminal while something is watched: its alternate screen, without a cursor, and its keys. Whatever ends the watch,
//! the terminal is then as it was before, with the last that was shown below what had been there.

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

/// How long the thread that reads keys waits for one before it looks whether anybody wants them.
const KEYS_EVERY: Duration = Duration::from_millis(100);

/// How many keys may wait to be handled; who types faster waits.
const KEYS_MAX: usize = 64;

/// Whether the alternate screen is shown: a panic must find out wherever it happens.
static IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// What a watch reacts to.
#[derive(Debug)]
pub(super) enum Happening<U> {
    Update(Option<U>),
    Scrolled(Scroll),
    /// The terminal has another size, or has to be drawn anew.
    Resized,
    Ended(Result<(), Error>),
}

/// The alternate screen, until it is dropped.
pub(super) struct Screen {
    /// What stays on the ordinary screen afterwards.
    kept: Vec<String>,
    /// Nothing comes where there is no keyboard.
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

    /// Shows these lines; `kept` are those that stay when the watch has ended.
    pub(super) fn draw(&mut self, lines: &[String], kept: Vec<String>) -> Result<(), Error> {
        self.kept = kept;
        draw(lines).map_err(write_error)
    }

    /// The next thing that is for us: a key, or a signal.
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

    /// ^Z: the shell gets its terminal as it was, and we get ours again when we are continued.
    fn stop<U>(&self) -> Happening<U> {
        leave();
        let _ = kill_current_process_group(Signal::TSTP); // without it we just go on
        match enter() {
            Ok(_) => Happening::Resized,
            Err(error) => Happening::Ended(Err(write_error(error))),
        }
    }

    /// Ends the process as if the signal had not been caught.
    fn end_by<U>(&mut self, signal: Signal) -> Happening<U> {
        self.close();
        let _ = signal_hook::low_level::emulate_default_handler(signal.as_raw());
        Happening::Ended(interrupted()) // not reached: both signals end a process
    }

    fn close(&mut self) {
        if leave() && !std::thread::panicking() {
            let mut out = io::stdout().lock();
            let kept = std::mem::take(&mut self.kept);
            // A terminal that has gone takes nothing.
            let _ = kept.iter().try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush());
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}

/// As after ^C elsewhere, and without a word: whoever watches ends it like that.
fn interrupted() -> Result<(), Error> {
    Err(Error::new(Kind::Interrupted, ""))
}

/// Whether there is a keyboard as well.
fn enter() -> io::Result<bool> {
    let has_keyboard = enable_raw_mode().is_ok();
    IS_SHOWN.store(true, Ordering::Release);
    let mut out = io::stdout().lock();
    queue!(out, EnterAlternateScreen, DisableLineWrap, cursor::Hide)?;
    out.flush()?;
    Ok(has_keyboard)
}

/// Whether it was shown until now.
fn leave() -> bool {
    if !IS_SHOWN.swap(false, Ordering::AcqRel) {
        return false;
    }
    let mut out = io::stdout().lock();
    // A terminal that has gone needs no care.
    let _ = queue!(out, EnableLineWrap, cursor::Show, LeaveAlternateScreen).and_then(|()| out.flush());
    let _ = disable_raw_mode();
    true
}

/// What a panic says would go with the alternate screen.
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

/// Line by line over what was there, so that nothing flickers. Each line is cleared before it is written: at the right edge
/// some terminals would clear the last character afterwards.
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

/// Reads keys until nobody wants them any more.
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
