//! `ttctl get -o -`: writes the complete file, or the tar of a complete directory, to the standard output, and nothing
//! else.

use crate::chunks::{self, AfterInterrupt, Chunks};
use crate::cli::{GetArgs, Global};
use crate::copy::{may_read, place_of};
use crate::error::{Error, Kind};
use crate::files;
use crate::link::Link;
use crate::output::Output;
use shared::rpc::control::Accepted;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use tokio::sync::oneshot;

/// Whether `-o` means the standard output; a file called "-" is `./-`.
pub(crate) fn is_meant(target: &Path) -> bool {
    target == Path::new("-")
}

/// Refuses options that would write something else there, and a terminal: the bytes of a file could change its state.
pub(crate) fn refuse_early(args: &GetArgs, global: &Global, is_terminal: bool) -> Result<(), Error> {
    let is_meant = args.output.as_deref().is_some_and(is_meant);
    match is_meant {
        true if global.json => Err(Error::usage("--json and \"-o -\" both use standard output")
            .hint("use only one of them, or name a file with -o")),
        true if is_terminal => Err(Error::usage("\"-o -\" does not write a file to a terminal")
            .hint("redirect the standard output to a file or a program; \"-o - | cat\" shows a text")),
        _ => Ok(()),
    }
}

/// Writes the whole file, or the tar of a directory. A file that the caller may not read comes through ttd. It is no
/// failure if the reader stops early.
pub(crate) async fn write(
    link: &Link<'_>,
    accepted: &Accepted,
    is_tree: bool,
    output: &mut Output,
) -> Result<(), Error> {
    output.flush()?;
    let path = place_of(&link.daemon().info, &accepted.name, is_tree);
    let (shown, what) = (path.display().to_string(), if is_tree { "directory" } else { "file" });
    let written = match is_tree || !may_read(&path) {
        true => chunks::read(link, accepted, AfterInterrupt::Leave, pass_on).await,
        false => copy_until_interrupted(path).await,
    };
    written.map_err(|error| match error.kind {
        Kind::Interrupted => {
            Error::new(Kind::Interrupted, format!("interrupted while the {what} was being written"))
                .hint(format!("the complete {what} is {shown}"))
        }
        _ => error,
    })
}

async fn copy_until_interrupted(path: PathBuf) -> Result<(), Error> {
    let (done, copied) = oneshot::channel();
    // In a thread that nobody waits for: if the reader takes nothing, the thread would block the end after ^C.
    std::thread::spawn(move || {
        let _ = done.send(copy(&path)); // after ^C nobody receives it
    });
    tokio::select! {
        copied = copied => copied.unwrap_or_else(|_| Err(Error::internal("copying failed"))),
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(|error| Error::io("cannot listen for ^C", &error))?;
            Err(Error::new(Kind::Interrupted, "interrupted"))
        }
    }
}

fn copy(path: &Path) -> Result<(), Error> {
    let (mut file, _) = files::open_regular(path)?;
    // Between descriptors the kernel itself copies.
    let copied = stdout().and_then(|mut out| io::copy(&mut file, &mut out));
    copied.map(drop).map_err(|error| failed(&error))
}

/// Writes the chunks as they come.
fn pass_on(mut chunks: Chunks) -> Result<(), Error> {
    let mut out = stdout().map_err(|error| failed(&error))?;
    while let Some(chunk) = chunks.next()? {
        out.write_all(&chunk).map_err(|error| failed(&error))?;
    }
    Ok(())
}

fn stdout() -> io::Result<File> {
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

fn failed(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Error::new(Kind::BrokenPipe, ""),
        _ => Error::io("cannot write to the standard output", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    #[test]
    fn a_file_is_written_to_a_pipe_and_not_to_a_terminal() {
        let refused = |line: &str, is_terminal| {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            let Command::Get(args) = cli.command else { panic!("another command") };
            refuse_early(&args, &cli.global, is_terminal).map_err(|error| error.exit_code())
        };
        assert_eq!(refused("ttctl get x -o -", false), Ok(()));
        assert_eq!(refused("ttctl get x -o -", true), Err(2));
        assert_eq!(refused("ttctl get x -o ./-", true), Ok(()));
        assert_eq!(refused("ttctl get x", true), Ok(()));
        assert_eq!(refused("ttctl get x -o - --json", false), Err(2));
    }
}
