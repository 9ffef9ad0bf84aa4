//! `ttctl get`: asks for a resource, and waits until it is complete.

use crate::cli::{GetArgs, Global};
use crate::connect::{CALL_TIMEOUT, Daemon, POLL_TIMEOUT, WAIT_MS};
use crate::copy;
use crate::documents::{Document, Got};
use crate::error::{Error, Kind};
use crate::fetch_url;
use crate::files;
use crate::human;
use crate::output::Output;
use crate::progress::{Now, Progress};
use crate::status;
use crate::tasks::{self, Ended};
use crate::to_stdout;
use crate::want::Want;
use bytes::Bytes;
use shared::id::ResourceId;
use shared::manifest::Manifest;
use shared::rpc::control::{
    Accepted, ErrorKind, GetRequest, GetWhat, PART_BYTES_MAX, ResourceStatus, State, TaskId,
};
use std::convert::Infallible;
use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// How long the daemon may look for a name at its trackers, and fetch the manifest.
const GET_TIMEOUT: Duration = Duration::from_secs(120);

/// How often a name that nobody knows yet, or a tracker that cannot be reached, is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// A look-up that takes no longer than this is not worth a word.
const LOOK_UP_PATIENCE: Duration = Duration::from_secs(2);

/// How a file that was there before ttd knew it came to be complete.
const ADOPTED: &str = " (the file that lay there is it; nothing was fetched)";

/// Updates come no more often than this.
const UPDATES_EVERY: Duration = Duration::from_millis(50);

pub(crate) async fn get(args: &GetArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let start = Instant::now();
    to_stdout::refuse_early(args, global)?;
    let want = Want::parse(&args.what)?;
    let manifest = match &want {
        Want::Manifest(path) => Some(files::read_manifest(path)?),
        Want::Url(url) => Some(fetch_url::fetch(url, args.timeout.map(|timeout| timeout.duration())).await?),
        Want::Catalogue(_) => None,
    };
    if let Some(target) = args.output.as_ref().filter(|target| !to_stdout::is_meant(target)) {
        copy::refuse_early(target, args.replace)?;
    }
    let daemon = Daemon::connect(global).await?;
    let mut deadline = Deadline::after(args.timeout.map(|timeout| timeout.duration()));
    let mut last = None;
    let mut accepted = tokio::select! {
        accepted = ask(&daemon, want, manifest, args, &mut last) => accepted?,
        never = tell_what_is_looked_for(&args.what, output) => match never {},
        () = &mut deadline.reached => return Err(not_found(args, last)),
    };
    let mut how = " (it was there already)".to_owned();
    while let Some(task) = accepted.comparing {
        accepted = compared(&daemon, task, &accepted, &mut deadline, output).await?;
        how = ADOPTED.to_owned();
    }
    let path = daemon.info.folder.join(accepted.name.as_str());
    if args.detach {
        return report(&accepted, accepted.complete, path, "", output);
    }
    if !accepted.complete {
        let waited = wait(&daemon, &accepted, Until::Complete, &mut deadline, global, output).await?;
        how = speed(&waited, start.elapsed());
    }
    if args.output.is_some() && accepted.complete {
        how = " (copied; it was in the shared directory already)".to_owned();
    }
    let path = match &args.output {
        None => path,
        Some(target) if to_stdout::is_meant(target) => return to_stdout::write(path, output).await,
        Some(target) => {
            let (target, name) = (target.clone(), accepted.name.clone());
            copy::copy_out_until_interrupted(daemon.info, name, target, args.replace, output).await?
        }
    };
    report(&accepted, true, path, &how, output)
}

/// Waits until the file that lies under the name was compared with what is wanted: what is accepted then.
async fn compared(
    daemon: &Daemon,
    task: TaskId,
    accepted: &Accepted,
    deadline: &mut Deadline,
    output: &Output,
) -> Result<Accepted, Error> {
    let name = &accepted.name;
    let comparing = || format!("the file {name} that lies in the shared directory is still being compared");
    let hint = "if it is what you want, ttd takes it in all the same; `ttctl status` shows it then";
    let ended = tokio::select! {
        ended = tasks::wait(daemon, task, Progress::new(output, name.as_str())) => ended?,
        () = &mut deadline.reached => return Err(Error::new(Kind::TimedOut, comparing()).hint(hint)),
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(|error| Error::io("cannot listen for ^C", &error))?;
            return Err(Error::new(Kind::Interrupted, format!("interrupted; {}", comparing())).hint(hint));
        }
    };
    match ended {
        Ended::Found(accepted) => Ok(accepted),
        ended => Err(tasks::unexpected(&ended)),
    }
}

/// When to give up; never, if there is no time to keep.
pub(crate) struct Deadline {
    timeout: Option<Duration>,
    pub(crate) reached: Pin<Box<dyn Future<Output = ()>>>,
}

impl Deadline {
    pub(crate) fn after(timeout: Option<Duration>) -> Deadline {
        let reached: Pin<Box<dyn Future<Output = ()>>> = match timeout {
            Some(timeout) => Box::pin(tokio::time::sleep(timeout)),
            None => Box::pin(std::future::pending()),
        };
        Deadline { timeout, reached }
    }
}

/// Asks for it. Who gives a time to wait waits for the tracker and the name as well: `last` is why they are not there
/// yet.
async fn ask(
    daemon: &Daemon,
    want: Want,
    manifest: Option<Manifest>,
    args: &GetArgs,
    last: &mut Option<Error>,
) -> Result<Accepted, Error> {
    let what = match want {
        Want::Catalogue(what) => what,
        Want::Manifest(_) | Want::Url(_) => GetWhat::Manifest,
    };
    if let Some(manifest) = manifest {
        send(daemon, &manifest).await?;
    }
    let by_name = matches!(what, GetWhat::Name { tracker: None, .. });
    loop {
        let request = GetRequest { what: what.clone(), replace: args.replace };
        let error = match daemon.caller.get(request, GET_TIMEOUT).await? {
            Ok(accepted) => return Ok(accepted),
            Err(error) => error,
        };
        let may_come = matches!(error.kind, ErrorKind::Unknown | ErrorKind::Unreachable);
        let error = Error::from(error);
        if may_come && args.timeout.is_some() {
            *last = Some(error);
            tokio::time::sleep(ASK_AGAIN).await;
            continue;
        }
        let beside = format!("{}{}", args.what, shared::name::MANIFEST_SUFFIX);
        let is_beside = by_name && may_come && std::path::Path::new(&beside).exists();
        return Err(match is_beside {
            true => error.hint(format!("or do you mean the manifest here? `ttctl get {beside}`")),
            false => error,
        });
    }
}

/// What was asked for was not found in time.
fn not_found(args: &GetArgs, last: Option<Error>) -> Error {
    let span = human::duration(args.timeout.map(|timeout| timeout.duration()).unwrap_or_default());
    let why = last.map_or("ttd has not answered".to_owned(), |error| error.message);
    Error::new(Kind::TimedOut, format!("{} was not found within {span}: {why}", args.what))
        .hint("nothing was begun; `ttctl tracker list` shows what is published")
}

/// Says, once, that it is the look-up that takes long: trackers that do not answer are given their time.
async fn tell_what_is_looked_for(what: &str, output: &Output) -> Infallible {
    tokio::time::sleep(LOOK_UP_PATIENCE).await;
    if output.shows_progress() {
        let _ = writeln!(io::stderr().lock(), "{}: asking the trackers for it", human::clean(what));
    }
    std::future::pending().await
}

/// Sends a manifest's text in parts as large as they may be.
async fn send(daemon: &Daemon, manifest: &Manifest) -> Result<(), Error> {
    let mut text = String::with_capacity(manifest.text_bytes().min(PART_BYTES_MAX));
    for part in manifest.text_parts() {
        if text.len() + part.len() > PART_BYTES_MAX {
            let full = Bytes::from(std::mem::take(&mut text));
            daemon.caller.manifest_part(full.into(), CALL_TIMEOUT).await??;
        }
        text.push_str(&part);
    }
    daemon.caller.manifest_part(Bytes::from(text).into(), CALL_TIMEOUT).await??;
    Ok(())
}

/// A download that ended well.
pub(crate) struct Waited {
    done: ResourceStatus,
    /// What was there when the waiting began: it may go on where it once stopped.
    bytes_before: u64,
}

impl Waited {
    /// What is complete.
    pub(crate) fn resource(&self) -> ResourceId {
        self.done.resource
    }
}

/// What ends the wait for a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The resource is complete, also if its name means a newer one by now.
    Complete,
    /// The name has a complete resource, and its trackers know no newer one.
    Newest,
}

/// Waits until the resource is complete, or the newest version of its name.
pub(crate) async fn wait(
    daemon: &Daemon,
    accepted: &Accepted,
    until: Until,
    deadline: &mut Deadline,
    global: &Global,
    output: &Output,
) -> Result<Waited, Error> {
    let mut progress = Progress::new(output, accepted.name.as_str());
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let what = match until {
        Until::Complete => accepted.resource.to_string(),
        Until::Newest => accepted.name.to_string(),
    };
    let mut last: Option<ResourceStatus> = None;
    let mut bytes_before = None;
    let mut seen = 0;
    // The first update comes soon, so that there is something to see.
    let mut wait_ms = 250;
    loop {
        let watched = tokio::select! {
            watched = daemon.caller.watch(Some(what.clone()), seen, wait_ms, POLL_TIMEOUT) => watched?,
            result = &mut interrupted => {
                result.map_err(|error| Error::io("cannot listen for ^C", &error))?;
                let name = &accepted.name;
                let message = format!("interrupted; {name} is not complete yet");
                return Err(Error::new(Kind::Interrupted, message).hint(what_now(accepted, global)));
            }
            () = &mut deadline.reached => return Err(timed_out(accepted, deadline.timeout, last.as_ref()).hint(what_now(accepted, global))),
        };
        let (resources, now) = match watched {
            Ok(watched) => (watched.resources, watched.seen),
            // It is not even known any more.
            Err(error) if error.kind == ErrorKind::Refused => (Vec::new(), seen),
            Err(error) => return Err(error.into()),
        };
        let Some(status) = resources.into_iter().find(|resource| resource.name == accepted.name) else {
            return Err(Error::refused(format!("{} was removed", accepted.name))
                .hint("somebody else did that with `ttctl remove`; get it again"));
        };
        let bytes_before = *bytes_before.get_or_insert(match status.state {
            State::Waiting | State::Downloading | State::Paused => status.bytes_have,
            State::Checking | State::Seeding | State::Outdated | State::Error => 0, // it may all have come just now
        });
        match status.state {
            State::Seeding => return Ok(Waited { done: status, bytes_before }),
            State::Outdated if until == Until::Complete => {
                return Ok(Waited { done: status, bytes_before });
            }
            State::Error => {
                let reason = status.reason.as_deref().unwrap_or("ttd gives no reason");
                return Err(Error::new(status::trouble(&status), format!("{}: {reason}", accepted.name)));
            }
            State::Checking | State::Waiting | State::Downloading | State::Paused | State::Outdated => {
                show(&status, &mut progress)
            }
        }
        seen = now;
        last = Some(status);
        wait_ms = WAIT_MS;
        tokio::time::sleep(UPDATES_EVERY).await;
    }
}

fn show(status: &ResourceStatus, progress: &mut Progress) {
    let paused = format!("paused; go on with `ttctl resume {}`", status.name);
    let reason = match status.state {
        State::Paused => Some(status.reason.as_deref().unwrap_or(&paused)),
        _ => status.reason.as_deref(),
    };
    progress.update(&Now {
        bytes_done: status.bytes_have,
        bytes_total: status::bytes_total(status),
        bytes_per_s: Some(status.download_bytes_per_s),
        eta_s: status.eta_s,
        peers: Some(status.peers),
        doing: status::state(status.state),
        reason,
    });
}

fn what_now(accepted: &Accepted, global: &Global) -> String {
    let name = accepted.name.as_str();
    let (status, remove) = (global.command("status", name), global.command("remove", name));
    format!("the download goes on: see it with `{status}`, stop it with `{remove}`")
}

fn timed_out(accepted: &Accepted, timeout: Option<Duration>, last: Option<&ResourceStatus>) -> Error {
    let name = &accepted.name;
    let reason = last.and_then(|status| status.reason.as_deref());
    let no_space = last.is_some_and(|status| {
        status::trouble(status) == Kind::NoSpace
            || status.reason.as_deref().is_some_and(|reason| reason.starts_with("no space"))
    });
    let kind = if no_space { Kind::NoSpace } else { Kind::TimedOut };
    let span = human::duration(timeout.unwrap_or_default());
    let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
    Error::new(kind, format!("{name} is not complete after {span}{reason}"))
}

/// " (4.0 GiB in 7 s, 580 MiB/s)", or " (4.0 GiB, 1.0 GiB of it in 2 s, 512 MiB/s)"
fn speed(Waited { done, bytes_before }: &Waited, elapsed: Duration) -> String {
    let bytes = done.bytes_total.unwrap_or(done.bytes_have);
    if bytes == 0 {
        return " (it is empty)".to_owned();
    }
    if done.downloaded_bytes == 0 {
        return ADOPTED.to_owned();
    }
    let fetched = bytes.saturating_sub(*bytes_before);
    let rate = human::rate((fetched as f64 / elapsed.as_secs_f64().max(0.001)) as u64);
    let took = human::duration(elapsed);
    // the first chunks may come before the first look
    match *bytes_before > bytes / 10 {
        true => format!(" ({}, {} of it in {took}, {rate})", human::bytes(bytes), human::bytes(fetched)),
        false => format!(" ({} in {took}, {rate})", human::bytes(bytes)),
    }
}

fn report(
    accepted: &Accepted,
    complete: bool,
    path: PathBuf,
    how: &str,
    output: &mut Output,
) -> Result<(), Error> {
    let path = path.display().to_string();
    if output.is_json() {
        return output.json(&Document::new(Got {
            name: accepted.name.to_string(),
            resource: accepted.resource.to_string(),
            chunks_total: accepted.count.get(),
            complete,
            path,
        }));
    }
    let path = human::clean(&path);
    match complete {
        true => output.done(&format!("{path} is complete{how}")),
        false => output.done(&format!("accepted: {path} will appear when it is complete")),
    }
}
