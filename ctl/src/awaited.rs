//! Waits until one or several downloads are complete, and reports each of them as it ends.

use crate::cli::Global;
use crate::connect::{CALL_TIMEOUT, POLL_TIMEOUT, WAIT_MS};
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::human;
use crate::link::Link;
use crate::output::{ID_DIGITS, Output};
use crate::progress::{Now, Progress};
use crate::status;
use futures::stream::{FuturesUnordered, StreamExt};
use shared::rpc::control::{Accepted, ControlError, ErrorKind, ResourceStatus, State, Watched};
use std::time::Duration;

/// The shortest pause between two updates of the progress of one download.
const UPDATES_EVERY: Duration = Duration::from_millis(50);
/// The same for several downloads, whose updates are larger.
const UPDATES_OF_SEVERAL_EVERY: Duration = Duration::from_millis(300);

/// How long ttd may hold back the first answer, in milliseconds: short, so that something is shown soon.
const FIRST_WAIT_MS: u32 = 250;

/// The pause before a ttd that is still loading is asked again. It has delayed its answer before it said so.
const LOADING_PAUSE: Duration = Duration::from_secs(1);

/// What ends the wait for a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The resource is complete, even if its name means a newer one by now.
    Complete,
    /// The name has a complete resource, and its trackers know no newer one.
    Newest,
}

/// One download that is waited for.
pub(crate) struct Awaited {
    /// What ttd has accepted; `None` until it has.
    pub(crate) accepted: Option<Accepted>,
    /// Its status in the last update.
    last: Option<ResourceStatus>,
    /// The bytes that were there when the wait began: a download may continue from where it stopped earlier.
    bytes_before: Option<u64>,
    until: Until,
    has_ended: bool,
    /// The [`Link::generation`] of the last ttd that has accepted it or reported its status.
    known_to: u64,
    /// Whether it was a pattern, whose downloads have indices of their own.
    is_replaced: bool,
}

impl Awaited {
    fn new() -> Awaited {
        Awaited {
            accepted: None,
            last: None,
            bytes_before: None,
            until: Until::Complete,
            has_ended: false,
            known_to: 0,
            is_replaced: false,
        }
    }

    /// The id or name under which ttd is asked about it; `None` for one that has not begun, or has ended.
    fn asked_by(&self) -> Option<String> {
        let accepted = self.accepted.as_ref().filter(|_| !self.has_ended)?;
        Some(match self.until {
            Until::Complete => accepted.resource.to_string(),
            Until::Newest => accepted.name.to_string(),
        })
    }

    fn is_meant(&self, found: &ResourceStatus) -> bool {
        self.accepted.as_ref().is_some_and(|accepted| {
            let is_it = self.until == Until::Newest || found.resource == accepted.resource;
            found.name == accepted.name && is_it
        })
    }
}

/// A download that ended well.
pub(crate) struct Complete {
    pub(crate) accepted: Accepted,
    /// `None`: it was complete when it was accepted.
    pub(crate) done: Option<ResourceStatus>,
    pub(crate) bytes_before: u64,
}

/// The outcome of [`Waiter::begin`].
pub(crate) enum Begun {
    Accepted(Accepted),
    /// It was a pattern that means this many downloads. They get the next indices, and the pattern itself has ended.
    Means(usize),
}

/// What the caller does for each download, which is identified by its index.
pub(crate) trait Waiter {
    /// Asks ttd to begin it. Called again if ttd was restarted and does not remember it.
    async fn begin(&self, place: usize, link: &Link<'_>) -> Result<Begun, Error>;
    /// When the wait for a download that has begun ends.
    fn until(&self, place: usize) -> Until;
    /// The error if it has not even begun within the timeout.
    fn not_begun(&self, place: usize, timeout: Duration) -> Error;
    /// For the message after ^C: what will happen to a download that has not begun.
    fn before_begin(&self, place: usize) -> String;
    /// Handles a download that has ended.
    async fn ended(
        &self,
        place: usize,
        ended: Result<Complete, Error>,
        output: &mut Output,
    ) -> Result<(), Error>;
}

/// Waits until all downloads have ended.
pub(crate) async fn wait_for_all(
    count: usize,
    waiting: &impl Waiter,
    link: &Link<'_>,
    deadline: &mut Deadline,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    let mut all: Vec<Awaited> = (0..count).map(|_| Awaited::new()).collect();
    let begin = |place| async move {
        let begun = begin_once_loaded(place, waiting, link).await;
        (place, begun, link.generation())
    };
    let mut beginning: FuturesUnordered<_> = (0..count).map(begin).collect();
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let mut progress: Option<Progress> = None;
    let mut look = Look { seen: 0, wait_ms: FIRST_WAIT_MS };
    while all.iter().any(|one| !one.has_ended) {
        let mut ended = Vec::new();
        tokio::select! {
            Some((place, begun, known_to)) = beginning.next() => match begun {
                Ok(Begun::Means(others)) => {
                    (all[place].has_ended, all[place].is_replaced) = (true, true);
                    beginning.extend((all.len()..all.len() + others).map(begin));
                    all.extend((0..others).map(|_| Awaited::new()));
                }
                Ok(Begun::Accepted(accepted)) if accepted.complete => {
                    ended.push((place, Ok(Complete { accepted, done: None, bytes_before: 0 })));
                }
                Ok(Begun::Accepted(accepted)) => {
                    all[place].until = waiting.until(place);
                    (all[place].accepted, all[place].known_to) = (Some(accepted), known_to);
                }
                Err(error) => ended.push((place, Err(error))),
            },
            found = look.look(&all, link), if all.iter().any(|one| one.asked_by().is_some()) => {
                let found = found?;
                for text in found.of.iter().filter_map(|(at, status)| goes_on(&all[*at], status.as_ref()?, global)) {
                    progress = None; // removes its line before something is printed
                    output.warning(&text);
                }
                let forgotten = take_in(found, &mut all, &mut ended);
                forgotten.into_iter().for_each(|place| beginning.push(begin(place)));
                let label = label(&all);
                let shown = progress.get_or_insert_with(|| Progress::new(output, &label));
                show(&all, shown);
            }
            result = &mut interrupted => {
                result.map_err(|error| Error::io("cannot listen for ^C", &error))?;
                return Err(stopped(&all, waiting, global));
            }
            () = &mut deadline.reached => {
                let timeout = deadline.timeout.unwrap_or_default();
                for (place, one) in all.iter().enumerate().filter(|(_, one)| !one.has_ended) {
                    ended.push((place, Err(too_late(place, one, timeout, waiting, link, global))));
                }
            }
        }
        if ended.is_empty() {
            continue;
        }
        progress = None; // removes its line before something is printed
        for (place, ended) in ended {
            all[place].has_ended = true;
            tell(place, ended, waiting, deadline, output).await?;
        }
    }
    Ok(())
}

/// Tells the user that a download has ended. The deadline also limits the time that a copy of it may take.
async fn tell(
    place: usize,
    ended: Result<Complete, Error>,
    waiting: &impl Waiter,
    deadline: &mut Deadline,
    output: &mut Output,
) -> Result<(), Error> {
    let name = ended.as_ref().map_or(String::new(), |complete| complete.accepted.name.to_string());
    let is_late = tokio::select! {
        biased;
        told = waiting.ended(place, ended, output) => { told?; false }
        () = &mut deadline.reached => true,
    };
    if !is_late {
        return Ok(());
    }
    let span = human::duration(deadline.timeout.unwrap_or_default());
    let late = Error::new(Kind::TimedOut, format!("{name} is complete, but was not copied within {span}"));
    waiting.ended(place, Err(late), output).await
}

/// Begins a download. A restarted ttd may answer that it is still loading its files; it is then asked again.
async fn begin_once_loaded(place: usize, waiting: &impl Waiter, link: &Link<'_>) -> Result<Begun, Error> {
    loop {
        match waiting.begin(place, link).await {
            Err(error) if error.kind == Kind::TimedOut && link.generation() > 0 => {
                tokio::time::sleep(LOADING_PAUSE).await;
            }
            begun => return begun,
        }
    }
}

/// The position in the sequence of ttd's updates.
struct Look {
    /// The number of the last update that was received; 0 before the first one, which is then sent at once.
    seen: u64,
    /// How long ttd may wait for a newer update before it answers.
    wait_ms: u32,
}

/// The status of the awaited downloads, as reported by one ttd.
struct Found {
    /// The [`Link::generation`] of that ttd.
    generation: u64,
    /// The index of a download and its status; `None` if ttd does not know it.
    of: Vec<(usize, Option<ResourceStatus>)>,
}

impl Look {
    /// Waits for the next change and returns the status of all downloads that have begun. If ttd is restarted
    /// meanwhile, the new one is asked for all of them. Dropping the future loses no update.
    async fn look(&mut self, all: &[Awaited], link: &Link<'_>) -> Result<Found, Error> {
        loop {
            let generation = link.generation();
            let found = self.look_once(all, link).await?;
            if link.generation() == generation {
                return Ok(Found { generation, of: found });
            }
            self.seen = 0; // each ttd counts its updates from the beginning
        }
    }

    async fn look_once(
        &mut self,
        all: &[Awaited],
        link: &Link<'_>,
    ) -> Result<Vec<(usize, Option<ResourceStatus>)>, Error> {
        let wanted: Vec<String> = all.iter().filter_map(Awaited::asked_by).collect();
        let watched = self.watch(&wanted, link).await?;
        let mut found = Vec::new();
        for (place, one) in all.iter().enumerate() {
            let Some(what) = one.asked_by() else { continue };
            if let Some(status) = watched.resources.iter().find(|status| one.is_meant(status)) {
                found.push((place, Some(status.clone())));
                continue;
            }
            // A ttd that has just started may not have loaded all names yet.
            match status_of(&what, link).await {
                Ok(known) => {
                    found.push((place, known.into_iter().find(|status| one.is_meant(status))));
                }
                // ttd is still loading, so the next update decides.
                Err(error) if error.kind == Kind::TimedOut => {}
                Err(error) => return Err(error),
            }
        }
        (self.seen, self.wait_ms) = (watched.seen.max(1), WAIT_MS);
        Ok(found)
    }

    /// Waits for the next change and returns the status of the wanted downloads; it may contain others.
    async fn watch(&self, wanted: &[String], link: &Link<'_>) -> Result<Watched, Error> {
        let what = if let [one] = wanted { Some(one.clone()) } else { None };
        if self.seen != 0 {
            let pause = if what.is_some() { UPDATES_EVERY } else { UPDATES_OF_SEVERAL_EVERY };
            tokio::time::sleep(pause).await;
        }
        link.call(async |daemon| {
            let call = daemon.caller.watch(what.clone(), self.seen, self.wait_ms, POLL_TIMEOUT);
            match call.await? {
                // ttd does not know it any more, or has not loaded it yet.
                Err(error) if is_unknown(&error) || error.kind == ErrorKind::TimedOut => {
                    Ok(Watched { seen: self.seen, resources: Vec::new() })
                }
                watched => Ok(watched?),
            }
        })
        .await
    }
}

/// The status of a name or an id; empty if ttd does not know it.
async fn status_of(what: &str, link: &Link<'_>) -> Result<Vec<ResourceStatus>, Error> {
    link.call(async |daemon| match daemon.caller.status(Some(what.to_owned()), CALL_TIMEOUT).await? {
        Err(error) if is_unknown(&error) => Ok(Vec::new()),
        known => Ok(known?),
    })
    .await
}

fn is_unknown(error: &ControlError) -> bool {
    matches!(error.kind, ErrorKind::Refused | ErrorKind::Unknown)
}

/// What to say when a complete file is not enough, because a tracker knows a newer version: which one, who published it
/// and when, how to fetch it, and how to wait for the file that is here. Anybody who may publish can cause such a wait.
/// `None` if that is said already.
fn goes_on(one: &Awaited, status: &ResourceStatus, global: &Global) -> Option<String> {
    let is_outdated = |status: &ResourceStatus| status.state == State::Outdated;
    if one.until != Until::Newest || !is_outdated(status) || one.last.as_ref().is_some_and(is_outdated) {
        return None;
    }
    let reason = status.reason.as_deref().unwrap_or("its tracker has one");
    let this = global.command("wait", &status.resource.to_string()[..ID_DIGITS]);
    let name = &status.name;
    Some(format!(
        "{name}: waiting for a newer version: {reason}; to wait only for the version that is here, use `{this}`"
    ))
}

/// Records an update. Adds the downloads that have ended to `ended`. Returns the indices of downloads that a former ttd
/// had accepted and this one has never known, and that must be begun again.
fn take_in(
    found: Found,
    all: &mut [Awaited],
    ended: &mut Vec<(usize, Result<Complete, Error>)>,
) -> Vec<usize> {
    let mut forgotten = Vec::new();
    for (place, status) in found.of {
        let one = &mut all[place];
        let Some(accepted) = &one.accepted else { continue };
        let Some(status) = status else {
            if one.known_to < found.generation {
                one.accepted = None;
                forgotten.push(place);
            } else {
                ended.push((place, Err(removed(accepted))));
            }
            continue;
        };
        one.known_to = found.generation;
        let bytes_before = *one.bytes_before.get_or_insert(match status.state {
            State::Waiting | State::Downloading | State::Paused => status.bytes_have,
            State::Checking | State::Seeding | State::Outdated | State::Error => 0, // it may all have just arrived
        });
        if let Some(how) = how_it_ended(&status, accepted, one.until, bytes_before) {
            ended.push((place, how));
        }
        one.last = Some(status);
    }
    forgotten
}

/// The result of a download that has ended; `None` while it goes on.
fn how_it_ended(
    status: &ResourceStatus,
    accepted: &Accepted,
    until: Until,
    bytes_before: u64,
) -> Option<Result<Complete, Error>> {
    match status.state {
        State::Outdated if until == Until::Newest => None,
        State::Seeding | State::Outdated if !status::is_complete(status) => {
            let reason = status.reason_here.as_deref().unwrap_or("files in it were edited");
            Some(Err(Error::bad_data(format!("{}: {reason}", accepted.name))))
        }
        State::Seeding | State::Outdated => {
            Some(Ok(Complete { accepted: accepted.clone(), done: Some(status.clone()), bytes_before }))
        }
        State::Error => {
            let reason = status.reason.as_deref().unwrap_or("ttd gives no reason");
            Some(Err(Error::new(status::trouble(status), format!("{}: {reason}", accepted.name))))
        }
        State::Checking | State::Waiting | State::Downloading | State::Paused => None,
    }
}

fn removed(accepted: &Accepted) -> Error {
    Error::refused(format!("{} was removed", accepted.name))
        .hint("somebody ran `ttctl remove`; `ttctl get` fetches it again")
}

/// Those that are downloads, not patterns.
fn files(all: &[Awaited]) -> Vec<&Awaited> {
    all.iter().filter(|one| !one.is_replaced).collect()
}

/// The label of the progress bar: a name, or "2 of 5 files".
fn label(all: &[Awaited]) -> String {
    match &files(all)[..] {
        [one] => one.accepted.as_ref().map_or(String::new(), |accepted| accepted.name.to_string()),
        all => {
            let ended = all.iter().filter(|one| one.has_ended).count();
            format!("{ended} of {} files", all.len())
        }
    }
}

/// Shows the progress of all together. If several are waited for, the reason shown is that of the first one that is
/// stuck.
fn show(all: &[Awaited], progress: &mut Progress) {
    let known = || all.iter().filter_map(|one| one.last.as_ref());
    let is_open = |status: &&ResourceStatus| status.state != State::Seeding;
    let Some(first) = known().find(is_open) else { return };
    let stuck = known().filter(is_open).find(|status| reason_of(status).is_some());
    let reason = stuck.and_then(|status| {
        let reason = reason_of(status)?;
        Some(if files(all).len() == 1 { reason } else { format!("{}: {reason}", status.name) })
    });
    progress.update(&Now {
        bytes_done: known().map(|status| status.bytes_have).sum(),
        bytes_total: known().map(status::bytes_total).sum(),
        bytes_per_s: Some(known().map(|status| status.download_bytes_per_s).sum()),
        eta_s: known().filter_map(|status| status.eta_s).max(),
        peers: known().map(|status| status.peers).max(),
        doing: status::state(first.state),
        reason: reason.as_deref(),
    });
}

fn reason_of(status: &ResourceStatus) -> Option<String> {
    match (&status.reason, status.state) {
        (None, State::Paused) => Some(format!("paused; resume it with `ttctl resume {}`", status.name)),
        (reason, _) => reason.clone(),
    }
}

fn what_now(accepted: &Accepted, global: &Global) -> String {
    let name = accepted.name.as_str();
    let (status, remove) = (global.command("status", name), global.command("remove", name));
    format!("the download continues; see it with `{status}`, cancel it with `{remove}`")
}

fn fetch_newer(accepted: &Accepted, global: &Global) -> String {
    let get = global.command("get --replace", accepted.name.as_str());
    format!("no download of the newer version was started; start it with `{get}`")
}

/// The error after ^C.
fn stopped(all: &[Awaited], waiting: &impl Waiter, global: &Global) -> Error {
    let all_files = files(all).len();
    let interrupted = |what: String| Error::new(Kind::Interrupted, format!("interrupted; {what}"));
    let rest: Vec<(usize, &Awaited)> = all.iter().enumerate().filter(|(_, one)| !one.has_ended).collect();
    match &rest[..] {
        [(_, Awaited { accepted: Some(accepted), .. })] => {
            interrupted(format!("{} is not complete yet", accepted.name)).hint(what_now(accepted, global))
        }
        [(place, _)] if all_files == 1 => interrupted(waiting.before_begin(*place))
            .hint("`ttctl status` shows whether ttd continues with it"),
        rest => interrupted(format!("{} of {} files are not complete yet", rest.len(), all_files))
            .hint("the downloads continue; `ttctl status` shows them"),
    }
}

/// The error of a download that has not ended within the timeout.
fn too_late(
    place: usize,
    one: &Awaited,
    timeout: Duration,
    waiting: &impl Waiter,
    link: &Link<'_>,
    global: &Global,
) -> Error {
    match &one.accepted {
        _ if link.is_away() => {
            let span = human::duration(timeout);
            Error::new(Kind::NoDaemon, format!("ttd stopped and was not back after {span}"))
        }
        None => waiting.not_begun(place, timeout),
        Some(accepted) => {
            let is_outdated = one.last.as_ref().is_some_and(|status| status.state == State::Outdated);
            let hint = match is_outdated {
                true => fetch_newer(accepted, global),
                false => what_now(accepted, global),
            };
            timed_out(accepted, timeout, one.last.as_ref()).hint(hint)
        }
    }
}

fn timed_out(accepted: &Accepted, timeout: Duration, last: Option<&ResourceStatus>) -> Error {
    let name = &accepted.name;
    let reason = last.and_then(|status| status.reason.as_deref());
    let no_space = last.is_some_and(|status| {
        status::trouble(status) == Kind::NoSpace
            || status.reason.as_deref().is_some_and(|reason| reason.starts_with("no space"))
    });
    let kind = if no_space { Kind::NoSpace } else { Kind::TimedOut };
    let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
    Error::new(kind, format!("{name} is not complete after {}{reason}", human::duration(timeout)))
}
