//! The standard error: messages, and below them what shows the progress on a terminal and is overwritten.
//!
//! It is one place for the whole process, because messages come from everywhere: a message that is written while a bar is
//! drawn must clear the bar first, or it would stand behind it.

use crossterm::cursor::MoveUp;
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType};
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// What is drawn now. The cursor is at the end of its last line.
static DRAWN: Mutex<String> = Mutex::new(String::new());

/// Draws the progress in place of what was drawn before; an empty text clears it. Each line must fit the terminal.
pub(crate) fn draw(text: &str) {
    let mut drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
    if drawn.is_empty() && text.is_empty() {
        return;
    }
    let mut all = cleared(&drawn);
    all.extend_from_slice(text.as_bytes());
    text.clone_into(&mut drawn);
    write(&all);
}

/// Writes a message with its line feed, above the progress.
pub(crate) fn message(text: &str) {
    let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut all = if drawn.is_empty() { Vec::new() } else { cleared(&drawn) };
    all.extend_from_slice(text.as_bytes());
    all.push(b'\n');
    all.extend_from_slice(drawn.as_bytes());
    write(&all);
}

/// The control characters that clear what is drawn, and anything that the terminal added, such as "^C".
fn cleared(drawn: &str) -> Vec<u8> {
    let mut all = b"\r".to_vec();
    let lines = drawn.lines().count();
    // a write to a Vec cannot fail
    if lines > 1 {
        let _ = queue!(all, MoveUp(u16::try_from(lines - 1).unwrap_or(u16::MAX)));
    }
    let _ = queue!(all, Clear(ClearType::FromCursorDown));
    all
}

/// Failures are ignored: a terminal may have gone, and nobody may read a pipe.
fn write(all: &[u8]) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(all).and_then(|()| err.flush());
}
