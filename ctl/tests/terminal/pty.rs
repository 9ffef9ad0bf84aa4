//! Runs ttctl on a pseudo-terminal.

use pty_process::blocking::{Command, Pty};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long a test waits for something to be shown. Beyond it the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A number of rows that is enough for all output without scrolling.
pub const TALL: u16 = 400;

const TTCTL: &str = env!("CARGO_BIN_EXE_ttctl");

/// A running command line and what its terminal shows.
pub struct Terminal {
    pty: Arc<Pty>,
    shown: Arc<Mutex<Shown>>,
    child: Child,
    /// Disconnected when nobody writes to the terminal any more.
    closed: Receiver<()>,
}

/// What the terminal shows, and the lines that were too long for it.
pub struct Shown {
    parser: vt100::Parser,
    /// Each text that wrapped to the next line.
    pub wrapped: Vec<String>,
}

/// The settings of a run.
pub struct Setting<'a> {
    pub columns: u16,
    pub rows: u16,
    /// The working directory, which is also `$HOME`.
    pub home: &'a Path,
    pub env: &'a [(&'a str, &'a str)],
}

impl Terminal {
    /// Runs ttctl.
    pub fn run(setting: &Setting<'_>, args: &[&str]) -> Terminal {
        Terminal::run_program(TTCTL, setting, args)
    }

    /// Runs any program, which finds ttctl in its $PATH.
    pub fn run_program(program: &str, setting: &Setting<'_>, args: &[&str]) -> Terminal {
        let beside = Path::new(TTCTL).parent().expect("it is in a directory").display();
        let (pty, pts) = pty_process::blocking::open().unwrap();
        pty.resize(pty_process::Size::new(setting.rows, setting.columns)).unwrap();
        let child = Command::new(program)
            .args(args)
            .current_dir(setting.home)
            .env_clear()
            .envs([("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("TZ", "UTC")])
            .env("PATH", format!("{beside}:/usr/bin:/bin"))
            .env("HOME", setting.home)
            .envs(setting.env.iter().copied())
            .spawn(pts)
            .unwrap();
        let pty = Arc::new(pty);
        let parser = vt100::Parser::new(size(setting.rows), size(setting.columns), 0);
        let shown = Arc::new(Mutex::new(Shown { parser, wrapped: Vec::new() }));
        let (open, closed) = mpsc::channel();
        std::thread::spawn({
            let (pty, shown) = (pty.clone(), shown.clone());
            move || {
                let _open: mpsc::Sender<()> = open;
                let mut bytes = [0; 4096];
                // an error is the end: the other side is closed
                while let Ok(read @ 1..) = (&*pty).read(&mut bytes) {
                    shown.lock().unwrap().take(&bytes[..read]);
                }
            }
        });
        Terminal { pty, shown, child, closed }
    }

    pub fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap()
    }

    pub fn type_in(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn resize(&self, rows: u16, columns: u16) {
        self.shown().parser.screen_mut().set_size(size(rows), size(columns));
        self.pty.resize(pty_process::Size::new(rows, columns)).unwrap();
    }

    /// Waits until the terminal shows what the test expects.
    #[track_caller]
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&Shown) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so(&self.shown()) {
            let has_ended = self.closed.try_recv() == Err(mpsc::TryRecvError::Disconnected);
            let is_hopeless = Instant::now() > until || has_ended && !is_so(&self.shown());
            assert!(!is_hopeless, "never seen: {what}\n{}", self.shown().text());
            std::thread::sleep(Duration::from_millis(10)); // the loop checks again
        }
    }

    /// Waits until it has ended. Returns the exit code, or the negative number of the signal that ended it, and what is
    /// shown then.
    #[track_caller]
    pub fn end(mut self) -> (i32, Arc<Mutex<Shown>>) {
        match self.closed.recv_timeout(PATIENCE) {
            Err(mpsc::RecvTimeoutError::Disconnected) => (),
            _ => {
                let _ = self.child.kill();
                panic!("it does not end:\n{}", self.shown().text());
            }
        }
        let status = self.child.wait().unwrap();
        let code = status.code().or(status.signal().map(|signal| -signal)).unwrap();
        (code, self.shown.clone())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Shown {
    /// Handles one byte at a time, because a line that is too long may be cleared at once.
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.parser.process(&[*byte]);
            let screen = self.parser.screen();
            let (row, column) = screen.cursor_position();
            // the cursor is on a new line without a line break
            let Some(above) = row.checked_sub(1).filter(|_| column > 0) else { continue };
            // a bar may be padded with spaces up to the edge
            let edge = screen.cell(above, screen.size().1.get() - 1);
            let is_full =
                edge.is_some_and(|cell| cell.is_wide_continuation() || !cell.contents().trim().is_empty());
            if screen.row_wrapped(above) && is_full && column <= 2 && byte & 0xc0 != 0x80 {
                let text = self.rows().swap_remove(usize::from(above));
                if self.wrapped.last() != Some(&text) {
                    self.wrapped.push(text);
                }
            }
        }
    }

    fn rows(&self) -> Vec<String> {
        let screen = self.parser.screen();
        let columns = screen.size().1;
        screen.rows(0, columns.get()).map(|row| row.trim_end().to_owned()).collect()
    }

    /// The visible text without the empty rows at the end.
    pub fn text(&self) -> String {
        self.rows().join("\n").trim_end().to_owned()
    }

    pub fn is_alternate(&self) -> bool {
        self.parser.screen().alternate_screen()
    }

    pub fn has_cursor(&self) -> bool {
        !self.parser.screen().hide_cursor()
    }

    /// Whether anything is colored, bold or dim.
    pub fn has_colours(&self) -> bool {
        let screen = self.parser.screen();
        let (rows, columns) = screen.size();
        let is_plain = |row, column| {
            let cell = screen.cell(row, column);
            cell.is_none_or(|cell| cell.fgcolor() == vt100::Color::Default && !cell.bold() && !cell.dim())
        };
        (0..rows.get()).any(|row| (0..columns.get()).any(|column| !is_plain(row, column)))
    }
}

fn size(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a terminal has rows and columns")
}
