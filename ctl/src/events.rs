//! `ttctl events`: what happens on this machine, a line for each event.

use crate::cli::{EventsArgs, Global, resource_name};
use crate::connect::{CALL_TIMEOUT, Daemon, POLL_TIMEOUT, WAIT_MS};
use crate::documents::Document;
use crate::error::{Error, Kind};
use crate::human;
use crate::local_time;
use crate::output::{Colour, Output};
use crate::select::{Known, Meaning, NoMeaning, select};
use crate::targets::{all_here, check_patterns, known, no_meaning};
use crate::width::{shorten_middle, width, wrap};
use serde::Serialize;
use shared::host::clock::now_ms;
use shared::id::PeerId;
use shared::rpc::control::{EventPage, FileEvent, Happened, Happening, TrackerEvent};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

/// The width of the longest word for an event, in columns.
const WORD_COLUMNS: usize = "tracker_back".len();

/// Where names have less room than this, what happened begins at the left edge, indented by [`INDENT`].
const NARROW: usize = 30;
/// The indentation of what happened, in columns.
const INDENT: usize = 2;

pub(crate) async fn events(args: &EventsArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    check_patterns(&args.what)?;
    let gone = output.reader_gone();
    let warn = output.warner();
    let since_ms = args.since.map(|since| now_ms().saturating_sub(since.duration().as_millis() as u64));
    let filter = Filter::new(&args.what, since_ms);
    tokio::select! {
        ended = follow(args, &filter, global, output) => ended?,
        () = gone => return Err(Error::new(Kind::BrokenPipe, "")),
        ended = warn_and_wait(&filter, global, &warn), if !args.no_follow => ended?,
    }
    // All events were printed. Only the warnings are missing if ttd is still loading.
    match warn_of_unknown(&filter, global, "", &warn).await {
        Err(error) if error.kind == Kind::TimedOut => Ok(()),
        warned => warned,
    }
}

/// Warns of words that mean nothing yet, and never ends: their events may still come.
async fn warn_and_wait(filter: &Filter<'_>, global: &Global, warn: &impl Fn(&str)) -> Result<(), Error> {
    // Whoever follows the events says what is wrong with ttd.
    let _ = warn_of_unknown(filter, global, "; waiting for its events", warn).await;
    std::future::pending().await
}

/// Warns of each word that means neither a file that is here nor one of the events so far. It needs a connection of its
/// own: a ttd that is loading answers late.
async fn warn_of_unknown(
    filter: &Filter<'_>,
    global: &Global,
    then: &str,
    warn: &impl Fn(&str),
) -> Result<(), Error> {
    if filter.unseen.borrow().is_empty() {
        return Ok(());
    }
    let known = known(&all_here(&Daemon::connect(global).await?).await?);
    for what in filter.unseen.borrow().iter() {
        if let Err(why @ (NoMeaning::Unknown | NoMeaning::NoMatch)) = select(resource_name(what), &known) {
            warn(&format!("{}{then}", no_meaning(what, &why, "").message));
        }
    }
    Ok(())
}

async fn follow(
    args: &EventsArgs,
    filter: &Filter<'_>,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    let mut daemon = Daemon::connect(global).await?;
    filter.look(&daemon).await?;
    let since_ms = filter.since_ms;
    let mut place = match args.no_follow || args.since.is_some() {
        true => Place { run: daemon.info.peer_id, after: 0 },
        false => Place::newest(&daemon).await?,
    };
    let mut is_first = args.no_follow || args.since.is_some();
    loop {
        let wait_ms = if args.no_follow { 0 } else { WAIT_MS };
        match daemon.caller.events(Some(place.after), wait_ms, POLL_TIMEOUT).await {
            Ok(page) => {
                let mut page = page?;
                if std::mem::take(&mut is_first) && !lacks_some(&page, since_ms) {
                    page.missed = 0;
                }
                show(&page, filter, output)?;
                place.after = page.newest;
            }
            Err(error) => {
                let error = Error::from(error);
                if args.no_follow || error.kind != Kind::NoDaemon {
                    return Err(error);
                }
                output.warning("ttd closed the connection: waiting until it is back");
                daemon = Daemon::connect_again(global).await?;
                place.after_restart(&daemon, output)?;
            }
        }
        if args.no_follow {
            return Ok(());
        }
    }
}

/// The last event that was shown, and the run of ttd that it belongs to: each run counts from 1.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    run: PeerId,
    after: u64,
}

impl Place {
    async fn newest(daemon: &Daemon) -> Result<Place, Error> {
        let page = daemon.caller.events(None, 0, CALL_TIMEOUT).await??;
        Ok(Place { run: daemon.info.peer_id, after: page.newest })
    }

    /// Continues with a ttd that answers again, and that may be another run.
    fn after_restart(&mut self, daemon: &Daemon, output: &mut Output) -> Result<(), Error> {
        let was_restarted = daemon.info.peer_id != self.run;
        if was_restarted {
            *self = Place { run: daemon.info.peer_id, after: 0 };
        }
        output.warning(if was_restarted { "ttd was restarted" } else { "ttd answers again" });
        if output.is_json() && was_restarted {
            let restarted = Event { time_ms: now_ms(), event: "ttd_restarted", ..Event::default() };
            output.json_line(&Document::new(restarted))?;
            output.flush()?;
        }
        Ok(())
    }
}

fn show(page: &EventPage, filter: &Filter, output: &mut Output) -> Result<(), Error> {
    if page.missed > 0 {
        missed(page, output)?;
    }
    for happened in page.events.iter().filter(|happened| filter.takes(happened)) {
        match output.is_json() {
            true => output.json_line(&Document::new(Event::from(happened)))?,
            false => lines(happened, output).iter().try_for_each(|line| output.line(line))?,
        }
    }
    output.flush()
}

/// Whether the first page lacks events that the reader asked for: those since a time that is before the oldest event
/// that ttd keeps. Without such a time, older events were not asked for.
fn lacks_some(page: &EventPage, since_ms: Option<u64>) -> bool {
    let is_older = |since: u64| page.events.first().is_none_or(|oldest| since < oldest.at_ms);
    since_ms.is_some_and(is_older)
}

/// Reports events that were missed, because this reader was too slow or because they are older than those that ttd
/// keeps.
fn missed(page: &EventPage, output: &mut Output) -> Result<(), Error> {
    output.warning(&format!("{} missed: ttd keeps the last 1,024", human::count(page.missed, "event")));
    if !output.is_json() {
        return Ok(());
    }
    let missed = Event { time_ms: now_ms(), event: "missed", missed: Some(page.missed), ..Event::default() };
    output.json_line(&Document::new(missed))
}

/// Which events are shown.
#[derive(Debug)]
struct Filter<'a> {
    /// Names, patterns or ids; empty for all.
    what: &'a [String],
    /// The words that meant no event so far.
    unseen: RefCell<BTreeSet<&'a str>>,
    /// What is here. It tells which file or directory a word means.
    here: RefCell<Vec<Known>>,
    /// The time since which events are shown, if one was asked for.
    since_ms: Option<u64>,
}

impl<'a> Filter<'a> {
    fn new(what: &'a [String], since_ms: Option<u64>) -> Filter<'a> {
        let unseen = RefCell::new(what.iter().map(String::as_str).collect());
        Filter { what, unseen, here: RefCell::default(), since_ms }
    }

    /// Takes note of what is here, if there are words.
    async fn look(&self, daemon: &Daemon) -> Result<(), Error> {
        if !self.what.is_empty() {
            *self.here.borrow_mut() = known(&daemon.caller.status(None, CALL_TIMEOUT).await??);
        }
        Ok(())
    }

    fn takes(&self, happened: &Happened) -> bool {
        let Happening::File { name, resource, .. } = &happened.event else {
            return self.what.is_empty() && self.is_in_time(happened);
        };
        let mut here = self.here.borrow_mut();
        // If it came later or was removed, nobody knows whether it is a directory.
        let may_be_tree = here.iter().find(|known| known.name == *name).is_none_or(|known| known.may_be_tree);
        here.push(Known { name: name.clone(), id: *resource, may_be_tree });
        let means = |what: &&String| match select(resource_name(what), &here) {
            Ok(Meaning::Name(meant)) => meant == *name,
            Ok(Meaning::Id(meant)) => meant == *resource,
            Ok(Meaning::Names(meant)) => meant.contains(name),
            Err(NoMeaning::Ambiguous(meant)) => meant.iter().any(|known| known.id == *resource),
            Err(_) => false,
        };
        let meant = self.what.iter().filter(means).inspect(|what| {
            self.unseen.borrow_mut().remove(what.as_str());
        });
        let is_meant = meant.count() > 0 || self.what.is_empty();
        here.pop();
        is_meant && self.is_in_time(happened)
    }

    fn is_in_time(&self, happened: &Happened) -> bool {
        self.since_ms.is_none_or(|since| happened.at_ms >= since)
    }
}

/// "2026-03-01 08:05:59  complete      lab.img  61 MiB in 4.2 s (15 MiB/s) from 3 peers". On a narrow terminal the
/// details are on a line below the name, and an id is left out.
fn lines(happened: &Happened, output: &Output) -> Vec<String> {
    let (word, colour) = word(&happened.event);
    let mut id = None;
    let (subject, rest) = match &happened.event {
        Happening::File { name, resource, what } => {
            id = Some(output.id(resource));
            (human::clean(name.as_str()), told(what))
        }
        Happening::Tracker { tracker, what: TrackerEvent::Lost { reason } } => {
            (tracker.to_string(), human::clean(reason))
        }
        Happening::Tracker { tracker, what: TrackerEvent::Back } => (tracker.to_string(), String::new()),
    };
    let time = local_time::second(happened.at_ms, output);
    let begin = format!("{time}  {word:<WORD_COLUMNS$}  ");
    let room = output.columns().map(|columns| columns.saturating_sub(width(&begin)));
    let begin = begin.replacen(word, &output.paint(colour, word), 1);
    let whole = match id {
        Some(id) if rest.is_empty() => format!("{subject}  {id}"),
        _ => format!("{subject}  {rest}").trim_end().to_owned(),
    };
    let Some(room) = room.filter(|&room| width(&whole) > room) else { return vec![begin + &whole] };
    let columns = output.columns().unwrap_or_default();
    let indent = if room < NARROW { INDENT } else { columns - room };
    let mut lines = vec![format!("{begin}{}", shorten_middle(&subject, room))];
    if !rest.is_empty() {
        lines.extend(
            wrap(&rest, columns.saturating_sub(indent)).iter().map(|line| format!("{:indent$}{line}", "")),
        );
    }
    lines
}

fn told(what: &FileEvent) -> String {
    match what {
        FileEvent::Complete { bytes, received, took_ms, sources, reused, .. } => {
            let took = Duration::from_millis(*took_ms);
            match received {
                0 if *reused > 0 => {
                    format!("{}, made of what was here already", human::bytes(*bytes))
                }
                0 => format!("{}, nothing was left to fetch", human::bytes(*bytes)),
                _ if received < bytes => {
                    let (all, part) = (human::bytes(*bytes), human::bytes(*received));
                    format!("{all}, {part} of it fetched {}", how(*received, took, *sources))
                }
                _ => format!("{} {}", human::bytes(*bytes), how(*received, took, *sources)),
            }
        }
        FileEvent::Stalled { reason, still_s } => {
            let still = human::duration(Duration::from_secs(*still_s));
            format!("no progress for {still}: {}", human::clean(reason))
        }
        FileEvent::Waiting { reason }
        | FileEvent::Damaged { reason }
        | FileEvent::Failed { reason }
        | FileEvent::Outdated { reason } => human::clean(reason),
        FileEvent::Shared
        | FileEvent::Accepted
        | FileEvent::Resumed
        | FileEvent::Paused
        | FileEvent::Removed => String::new(),
    }
}

/// "in 4.2 s (15 MiB/s) from 3 peers", "in 42 ms from 1 peer"
fn how(received: u64, took: Duration, sources: u32) -> String {
    let rate = human::rate_of(received, took).map_or(String::new(), |rate| format!(" ({rate})"));
    format!("in {}{rate} from {}", human::duration(took), human::count(u64::from(sources), "peer"))
}

/// Bytes per second; less than a millisecond counts as one millisecond.
fn rate(bytes: u64, took: Duration) -> u64 {
    (bytes as f64 / took.as_secs_f64().max(0.001)) as u64
}

/// The word for an event, for people and for scripts.
fn word(event: &Happening) -> (&'static str, Colour) {
    match event {
        Happening::Tracker { what: TrackerEvent::Lost { .. }, .. } => ("tracker_lost", Colour::Bad),
        Happening::Tracker { what: TrackerEvent::Back, .. } => ("tracker_back", Colour::Good),
        Happening::File { what, .. } => match what {
            FileEvent::Shared => ("shared", Colour::Good),
            FileEvent::Accepted => ("accepted", Colour::Busy),
            FileEvent::Complete { .. } => ("complete", Colour::Good),
            FileEvent::Waiting { .. } => ("waiting", Colour::Careful),
            FileEvent::Stalled { .. } => ("stalled", Colour::Careful),
            FileEvent::Resumed => ("resumed", Colour::Busy),
            FileEvent::Paused => ("paused", Colour::Careful),
            FileEvent::Removed => ("removed", Colour::Careful),
            FileEvent::Damaged { .. } => ("damaged", Colour::Bad),
            FileEvent::Failed { .. } => ("failed", Colour::Bad),
            FileEvent::Outdated { .. } => ("outdated", Colour::Careful),
        },
    }
}

/// An event as JSON, without the fields that it does not have.
#[derive(Debug, Default, Serialize)]
struct Event {
    /// Milliseconds since 1970.
    time_ms: u64,
    event: &'static str,
    /// The event's number; ttd begins with 1 when it starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    complete: Option<Complete>,
    /// How long a download has made no progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    still_s: Option<u64>,
    /// How many events this reader missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<u64>,
}

/// The further fields of a completed download.
#[derive(Debug, Serialize)]
struct Complete {
    bytes: u64,
    /// The bytes that came from peers in this run of ttd.
    received_bytes: u64,
    took_ms: u64,
    bytes_per_s: u64,
    sources: u32,
    /// The same as `received_bytes`, under the name that `status` has for it.
    bytes_fetched: u64,
    /// The bytes that this machine had in other files or at other positions, or that are in chunks of zeros.
    bytes_reused: u64,
    chunks_reused: u32,
}

impl From<&Happened> for Event {
    fn from(happened: &Happened) -> Event {
        let event = Event {
            time_ms: happened.at_ms,
            event: word(&happened.event).0,
            number: Some(happened.number),
            ..Event::default()
        };
        let (name, resource, what) = match &happened.event {
            Happening::File { name, resource, what } => (name, resource, what),
            Happening::Tracker { tracker, what } => {
                let reason = match what {
                    TrackerEvent::Lost { reason } => Some(reason.clone()),
                    TrackerEvent::Back => None,
                };
                return Event { tracker: Some(tracker.to_string()), reason, ..event };
            }
        };
        let event = Event { name: Some(name.to_string()), id: Some(resource.to_string()), ..event };
        match what {
            FileEvent::Complete { bytes, received, took_ms, sources, reused, chunks_reused } => Event {
                complete: Some(Complete {
                    bytes: *bytes,
                    received_bytes: *received,
                    took_ms: *took_ms,
                    bytes_per_s: rate(*received, Duration::from_millis(*took_ms)),
                    sources: *sources,
                    bytes_fetched: *received,
                    bytes_reused: *reused,
                    chunks_reused: *chunks_reused,
                }),
                ..event
            },
            FileEvent::Stalled { reason, still_s } => {
                Event { reason: Some(reason.clone()), still_s: Some(*still_s), ..event }
            }
            FileEvent::Waiting { reason }
            | FileEvent::Damaged { reason }
            | FileEvent::Failed { reason }
            | FileEvent::Outdated { reason } => Event { reason: Some(reason.clone()), ..event },
            FileEvent::Shared
            | FileEvent::Accepted
            | FileEvent::Resumed
            | FileEvent::Paused
            | FileEvent::Removed => event,
        }
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
