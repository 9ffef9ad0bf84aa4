//! `ttctl get -o -`: writes the complete file to the standard output, and nothing else.

use crate::cli::{GetArgs, Global};
use crate::error::{Error, Kind};
use crate::files;
use crate::output::Output;
use std::fs::File;
use std::io;
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

/// Writes the whole file. It is no failure if the reader stops early.
pub(crate) async fn write(path: PathBuf, output: &mut Output) -> Result<(), Error> {
    output.flush()?;
    let shown = path.display().to_string();
    let (done, copied) = oneshot::channel();
    // In a thread that nobody waits for: if the reader takes nothing, the thread would block the end after ^C.
    std::thread::spawn(move || {
        let _ = done.send(copy(&path)); // after ^C nobody receives it
    });
    tokio::select! {
        copied = copied => copied.unwrap_or_else(|_| Err(Error::internal("copying failed"))),
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(|error| Error::io("cannot listen for ^C", &error))?;
            Err(Error::new(Kind::Interrupted, "interrupted while the file was being written")
                .hint(format!("the complete file is {shown}")))
        }
    }
}

fn copy(path: &Path) -> Result<(), Error> {
    let (mut file, _) = files::open_regular(path)?;
    // Between descriptors the kernel itself copies.
    let copied = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    let copied = copied.and_then(|mut out| io::copy(&mut file, &mut out));
    copied.map(drop).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Error::new(Kind::BrokenPipe, ""),
        _ => Error::io(format!("cannot copy {} to the standard output", path.display()), &error),
    })
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
