//! Asks for the password of a key: at the terminal, without showing it, or in a pipe.

use crate::error::{Error, Kind};
use crate::human;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Read, Stdin, Write};
use std::path::Path;

/// Limits a password in bytes, as minisign does. A longer one is refused.
const PASSWORD_BYTES_MAX: usize = 1024;

const CTRL_C: u8 = 3;

/// The password of a key, from the terminal if the standard input is one, else its first line.
pub(crate) fn of_key(path: &Path) -> Result<String, Error> {
    let (stdin, shown) = (io::stdin(), human::clean(&path.display().to_string()));
    let line = match stdin.is_terminal() {
        true => ask(&stdin, &format!("password of {shown}: "))?,
        false => first_line(&mut stdin.lock())?,
    };
    password(line).ok_or_else(|| {
        Error::usage(format!("{shown} has a password, and none was given"))
            .hint("type it at a terminal, or give it as a line on the standard input")
    })
}

/// The first line, of which too much is enough to see that it is too long.
fn first_line(input: &mut impl BufRead) -> Result<Vec<u8>, Error> {
    let mut line = Vec::new();
    let read = input.take(PASSWORD_BYTES_MAX as u64 + 3).read_until(b'\n', &mut line);
    read.map_err(|error| Error::io("cannot read the password", &error))?;
    Ok(line)
}

/// A line without its end; `None` if there is none, or no password that minisign could have.
fn password(mut line: Vec<u8>) -> Option<String> {
    if line.is_empty() {
        return None;
    }
    for end in [b'\n', b'\r'] {
        line.pop_if(|last| *last == end);
    }
    String::from_utf8(line).ok().filter(|password| password.len() <= PASSWORD_BYTES_MAX)
}

/// Reads a line at the terminal that is not shown. The kernel still edits it. ^C is made an end of the line rather than a
/// signal, so that the terminal is as it was when the command ends.
fn ask(stdin: &Stdin, question: &str) -> Result<Vec<u8>, Error> {
    let failed = |error: io::Error| Error::io("cannot ask for the password", &error);
    let before = tcgetattr(stdin).map_err(|error| failed(error.into()))?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
    hidden.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
    tcsetattr(stdin, OptionalActions::Flush, &hidden).map_err(|error| failed(error.into()))?;
    let mut err = io::stderr().lock();
    let _ = write!(err, "{question}").and_then(|()| err.flush()); // whoever sees nothing can still type
    let mut locked = stdin.lock();
    let line = locked.fill_buf().map(<[u8]>::to_vec);
    locked.consume(line.as_ref().map_or(0, Vec::len));
    let _ = writeln!(err);
    tcsetattr(stdin, OptionalActions::Now, &before).map_err(|error| failed(error.into()))?;
    match line.map_err(failed)? {
        line if line.last() == Some(&CTRL_C) => Err(Error::new(Kind::Interrupted, "nothing was done")),
        line => Ok(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_password_whatever_its_end() {
        let given = |text: &[u8]| password(first_line(&mut &text[..]).unwrap());
        for text in ["a b", "a b\n", "a b\r\n", "a b\nmore"] {
            assert_eq!(given(text.as_bytes()).as_deref(), Some("a b"), "{text:?}");
        }
        assert_eq!(given(b" a\t\n").as_deref(), Some(" a\t"), "blanks belong to it");
        assert_eq!(given(b"\n").as_deref(), Some(""), "an empty one is one");
        let longest = "x".repeat(PASSWORD_BYTES_MAX);
        assert_eq!(given(format!("{longest}\r\n").as_bytes()), Some(longest.clone()));
        for none in [&b""[..], b"\xff\n", format!("{longest}x\n").as_bytes(), &vec![b'x'; 1 << 20]] {
            assert_eq!(given(none), None);
        }
    }
}
