//! Runs a hook: no shell, no input, its own process group, an end after its time, and its output in the log.

use super::environment::Arrived;
use super::group::Group;
use super::output::Output;
use super::permit;
use super::queue::Outcome;
use crate::jobs;
use rustix::process::{Signal, getuid};
use shared::plain::io_error;
use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Instant, timeout};

/// How long loading a program may take. A disk that does not answer then counts as an error.
const START_WITHIN: Duration = Duration::from_secs(30);

/// How long it may take to end after TERM where ttd itself ends, which must take no longer than 4.5 s.
const GRACE_AT_THE_END: Duration = Duration::from_secs(2);

/// Limits the bytes that are read at once, to those that a pipe holds.
const READ_BYTES_MAX: usize = 64 << 10;

/// Limits the bytes that are read after the end. It is more than a pipe holds, and a process that has left the group may go on writing
/// for ever.
const REST_BYTES_MAX: usize = 1 << 20;

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Order {
    /// The absolute path of the program, and its arguments.
    pub argv: Vec<OsString>,
    /// The directory in which it begins.
    pub directory: PathBuf,
    /// What it is told.
    pub arrived: Arrived,
    /// How long it may take.
    pub time_max: Duration,
    /// How long it may take to end after TERM, before KILL.
    pub grace: Duration,
}

impl Order {
    /// The usual time between TERM and KILL.
    pub const GRACE: Duration = Duration::from_secs(10);
}

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// How long it took.
    pub lasted: Duration,
    /// How many bytes it wrote.
    pub output_bytes: u64,
}

/// Runs a hook to its end. When `ttd_ends` is ready, the hook is ended, and the outcome is [`Outcome::Interrupted`].
///
/// If the future is dropped, the processes are killed.
pub async fn run(order: Order, ttd_ends: impl Future<Output = ()>) -> Ended {
    let (name, begun) = (order.arrived.version.name.clone(), Instant::now());
    let times = (order.time_max, order.grace);
    let mut output = Output::default();
    let outcome = match start(order).await {
        Ok((group, pipe)) => follow(group, &pipe, &mut output, times, ttd_ends).await,
        Err(why) => Outcome::NotStarted(why),
    };
    let ended = Ended { outcome, lasted: begun.elapsed(), output_bytes: output.bytes() };
    let (words, lasted) = (ended.outcome.words(), ended.lasted);
    let left_out = Some(output.left_out()).filter(|bytes| *bytes > 0);
    match ended.outcome {
        Outcome::Done => tracing::info!(%name, ?lasted, output_left_out_bytes = left_out, "the hook {words}"),
        _ => tracing::warn!(%name, ?lasted, output_left_out_bytes = left_out, "the hook {words}"),
    }
    ended
}

/// Checks the program and starts it. The error is a sentence.
async fn start(order: Order) -> Result<(Group, Receiver), String> {
    // The program may be on a disk that does not answer. One that starts too late is killed when its group is dropped.
    let started = timeout(START_WITHIN, jobs::run(move || start_now(&order))).await;
    let started =
        started.map_err(|_| format!("its disk did not answer within {} s", START_WITHIN.as_secs()))?;
    let (group, pipe) = started.map_err(|error| error.to_string())??;
    let pipe = Receiver::from_owned_fd(pipe).map_err(|error| io_error(&error))?;
    Ok((group, pipe))
}

fn start_now(order: &Order) -> Result<(Group, OwnedFd), String> {
    let Some((program, arguments)) = order.argv.split_first() else {
        return Err("no program is configured".to_owned());
    };
    let facts = permit::look(program.as_ref()).map_err(|why| why.to_string())?;
    permit::judge(&facts, getuid().as_raw()).map_err(|why| why.to_string())?;
    launch(order, program, arguments).map_err(|error| format!("{}: {}", program.display(), plain(&error)))
}

fn launch(order: &Order, program: &OsString, arguments: &[OsString]) -> io::Result<(Group, OwnedFd)> {
    // One pipe for both, so that their lines stay in order.
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(order.arrived.environment())
        .current_dir(&order.directory)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    Ok((Group::start(command)?, reader.into()))
}

/// What helps where the system's own words do not.
fn plain(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOEXEC) => {
            "not a program for this machine; a script needs a first line such as #!/bin/sh".to_owned()
        }
        Some(libc::ENOENT) => {
            "it, its interpreter, or the directory in which it begins does not exist".to_owned()
        }
        Some(libc::ETXTBSY) => "somebody is writing to it".to_owned(),
        _ => io_error(error),
    }
}

/// Waits for the end, whatever brings it about, and logs what is written meanwhile.
async fn follow(
    mut group: Group,
    pipe: &Receiver,
    output: &mut Output,
    (time_max, grace): (Duration, Duration),
    ttd_ends: impl Future<Output = ()>,
) -> Outcome {
    let (mut time_max, mut ttd_ends) = (pin!(tokio::time::sleep(time_max)), pin!(ttd_ends));
    let mut reading = true;
    let cut_short = loop {
        tokio::select! {
            () = group.ended() => break None,
            () = &mut time_max => break Some((Outcome::TimedOut, grace)),
            () = &mut ttd_ends => break Some((Outcome::Interrupted, grace.min(GRACE_AT_THE_END))),
            more = read(pipe, output), if reading => reading = more,
        }
    };
    if let Some((_, grace)) = &cut_short {
        group.signal(Signal::TERM);
        let mut grace = pin!(tokio::time::sleep(*grace));
        loop {
            tokio::select! {
                () = group.ended() => break,
                () = &mut grace => break,
                more = read(pipe, output), if reading => reading = more,
            }
        }
    }
    let status = group.finish().await;
    read_rest(pipe, output);
    match (cut_short, status) {
        (Some((outcome, _)), _) => outcome,
        (None, Some(status)) => of_status(status),
        (None, None) => Outcome::NotStarted("its exit status is unknown".to_owned()),
    }
}

fn of_status(status: ExitStatus) -> Outcome {
    match (status.code(), status.signal()) {
        (Some(0), _) => Outcome::Done,
        (Some(code), _) => Outcome::Failed(code),
        (None, signal) => Outcome::Signal(signal.unwrap_or_default()),
    }
}

/// What there was to read.
enum Taken {
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// Nothing any more.
    End,
}

/// Waits for output and logs it. Returns whether more may come.
async fn read(pipe: &Receiver, output: &mut Output) -> bool {
    pipe.readable().await.is_ok() && !matches!(take(pipe, output), Taken::End)
}

/// Reads what is there already: the processes that wrote it have ended, or have left the group, and then nobody waits for them.
fn read_rest(pipe: &Receiver, output: &mut Output) {
    let mut rest = 0;
    while rest < REST_BYTES_MAX
        && let Taken::Bytes(bytes) = take(pipe, output)
    {
        rest += bytes;
    }
    output.finish().into_iter().for_each(log);
}

/// Reads without waiting, and logs it.
fn take(pipe: &Receiver, output: &mut Output) -> Taken {
    let mut buffer = vec![0; READ_BYTES_MAX];
    match pipe.try_read(&mut buffer) {
        Ok(0) => Taken::End,
        Ok(bytes) => {
            output.take(&buffer[..bytes]).into_iter().for_each(log);
            Taken::Bytes(bytes)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Taken::Nothing,
        Err(_) => Taken::End,
    }
}

fn log(line: String) {
    tracing::info!(target: "hook", "{line}");
}
