//! `ttctl status`: shows the state of resources.

use crate::cli::{Global, StatusArgs};
use crate::connect::{CALL_TIMEOUT, Daemon, POLL_TIMEOUT, WAIT_MS};
use crate::dead_trackers::{below, unusable_certificate};
use crate::details::Details;
use crate::documents::{Document, FailureOf, Resource, Resources, Tls};
use crate::each::Failures;
use crate::error::{Error, Kind};
use crate::human;
use crate::local_time;
use crate::output::{Colour, Output};
use crate::table::{Cell, Column, Steady, Table};
use crate::targets::{all_here, check_patterns, is_single, loaded, matching, target_of_one};
use crate::watch::{self, Frame, Updates, watch};
use crate::width::wrap;
use shared::chunk::{CHUNK_BYTES, ChunkCount};
use shared::plain::reused_from;
use shared::rpc::control::{ErrorKind, ResourceStatus, State, TlsState, TrackerStatus, Watched};
use std::time::Duration;

/// The shortest pause between two updates with --watch, so that a busy ttd is not asked all the time.
const UPDATES_EVERY: Duration = Duration::from_millis(200);

/// How often a watch shows what ttd has loaded so far. If ttd answers sooner, nothing is said about loading.
const LOADING_EVERY: Duration = Duration::from_secs(1);

/// The text for a name that `ttctl unpublish` took back.
const TAKEN_BACK: &str = "no (taken back with `ttctl unpublish`; `ttctl share` publishes it again)";

pub(crate) const NOTHING: &str = "no files here; `ttctl share` and `ttctl get` add some";

/// The text while ttd may not know all names yet.
const LOADING: &str = "ttd has just started and is loading its directory";

/// The text while a watch waits for ttd.
const AWAY: &str = "ttd has stopped; waiting for it to come back";

pub(crate) async fn status(args: &StatusArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    if !args.what.is_empty() && !is_single(&args.what) {
        return status_of_several(daemon, args, global, output).await;
    }
    let what = match &args.what[..] {
        [what] => Some(target_of_one(&daemon, what).await?),
        _ => None,
    };
    let what = what.as_deref();
    if args.watch {
        return watch_these(daemon, what.map_or(Watch::All, Watch::One), global, output).await;
    }
    let resources = daemon.caller.status(what.map(str::to_owned), CALL_TIMEOUT).await??;
    match what {
        Some(what) => show_one(&resources, what, output),
        None => show(&resources, &daemon.caller.overview(CALL_TIMEOUT).await??.tls, output),
    }
}

/// The status of several names or of patterns: one row for each.
async fn status_of_several(
    daemon: Daemon,
    args: &StatusArgs,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    if args.watch {
        check_patterns(&args.what)?;
        return watch_these(daemon, Watch::These(&args.what), global, output).await;
    }
    let here = all_here(&daemon).await?;
    let (found, failed) = matching(&here, &args.what);
    let mut failures = Failures::default();
    failed.into_iter().for_each(|(what, error)| failures.add(&what, error, output));
    match output.is_json() {
        true => output.json(&Document::new(Resources::of(found, failures.take())))?,
        false if found.is_empty() => {}
        false => print(&found, output)?,
    }
    failures.end()
}

fn show(resources: &[ResourceStatus], tls: &TlsState, output: &mut Output) -> Result<(), Error> {
    if output.is_json() {
        let all = Resources::of(resources, Vec::new());
        return output.json(&Document::new(Resources { tls: Some(Tls::from(tls)), ..all }));
    }
    print(&resources.iter().collect::<Vec<_>>(), output)?;
    unusable_certificate(tls, output).iter().try_for_each(|line| output.line(line))
}

fn show_one(resources: &[ResourceStatus], what: &str, output: &mut Output) -> Result<(), Error> {
    if output.is_json() {
        return output.json(&Document::new(Resource::from(best(resources, what)?)));
    }
    best(resources, what)?;
    for (place, resource) in resources.iter().enumerate() {
        if place > 0 {
            output.line("")?;
        }
        details(resource, output).print(output)?;
    }
    Ok(())
}

/// Prints a table, and below it what concerns several of its rows.
fn print(resources: &[&ResourceStatus], output: &mut Output) -> Result<(), Error> {
    table(resources.iter().copied(), output).print(output, NOTHING)?;
    below(resources, output).iter().try_for_each(|line| output.line(line))
}

/// If a resource has several names, the one that was asked for, else the first.
pub(crate) fn best<'a>(resources: &'a [ResourceStatus], what: &str) -> Result<&'a ResourceStatus, Error> {
    resources.iter().find(|resource| resource.name.as_str() == what).or(resources.first()).ok_or_else(|| {
        Error::refused(format!("no such file here: {what}")).hint("`ttctl list` shows what is here")
    })
}

/// What is watched.
#[derive(Debug, Clone, Copy)]
enum Watch<'a> {
    All,
    /// A name or an id, as ttd accepts it.
    One(&'a str),
    /// The files that these words mean at each update: a pattern includes names that come later.
    These(&'a [String]),
}

impl<'a> Watch<'a> {
    fn one(self) -> Option<&'a str> {
        if let Watch::One(what) = self { Some(what) } else { None }
    }
}

async fn watch_these(
    daemon: Daemon,
    what: Watch<'_>,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    let mut statuses = Statuses { what: what.one(), ..Statuses::default() };
    watch(&mut statuses, output, |updates| follow(daemon, what, global, updates)).await
}

/// An update that a watch receives.
enum Update {
    Resources(Found),
    /// ttd has stopped, and is waited for.
    Away,
}

/// What the words mean now.
#[derive(Debug, Default)]
struct Found {
    resources: Vec<ResourceStatus>,
    /// The words that mean nothing, and why. None while ttd is loading.
    unknown: Vec<(String, Error)>,
    is_loading: bool,
}

/// Sends the resources now and after each change, also after a restart of ttd.
async fn follow(
    mut daemon: Daemon,
    what: Watch<'_>,
    global: &Global,
    updates: Updates<Update>,
) -> Result<(), Error> {
    loop {
        match follow_one(&daemon, what, &updates).await {
            Err(error) if error.kind == Kind::NoDaemon => {}
            ended => return ended,
        }
        if updates.send(Update::Away).await.is_err() {
            return Ok(());
        }
        daemon = Daemon::connect_again(global).await?;
    }
}

/// The same with one ttd, which ends with an error when it stops.
async fn follow_one(daemon: &Daemon, what: Watch<'_>, updates: &Updates<Update>) -> Result<(), Error> {
    if let Watch::These(_) = what {
        follow_loading(daemon, what, updates).await?;
    }
    let mut seen = None;
    loop {
        let (number, found) = look(daemon, what, seen).await?;
        // an answer without news only ends the long poll
        if seen.replace(number) != Some(number) && updates.send(Update::Resources(found)).await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(UPDATES_EVERY).await;
    }
}

/// Waits until ttd knows all names, so that no word is called unknown before. Meanwhile sends what is known.
async fn follow_loading(daemon: &Daemon, what: Watch<'_>, updates: &Updates<Update>) -> Result<(), Error> {
    let mut loaded = std::pin::pin!(async {
        loop {
            match loaded(daemon).await {
                Err(error) if error.kind == Kind::TimedOut => tokio::time::sleep(UPDATES_EVERY).await,
                ended => return ended,
            }
        }
    });
    loop {
        if let Ok(ended) = tokio::time::timeout(LOADING_EVERY, &mut loaded).await {
            return ended;
        }
        let (_, found) = look(daemon, what, None).await?;
        let found = Found { unknown: Vec::new(), is_loading: true, ..found };
        if updates.send(Update::Resources(found)).await.is_err() {
            return Ok(());
        }
    }
}

/// Waits until something is other than it was `seen`, or for a while. Returns the number of what was seen now.
async fn look(daemon: &Daemon, what: Watch<'_>, seen: Option<u64>) -> Result<(u64, Found), Error> {
    let one = what.one().map(str::to_owned);
    let Watched { seen, resources } =
        daemon.caller.watch(one, seen.unwrap_or(0), WAIT_MS, POLL_TIMEOUT).await??;
    let Watch::These(whats) = what else { return Ok((seen, Found { resources, ..Found::default() })) };
    let (meant, unknown) = matching(&resources, whats);
    let resources = meant.into_iter().cloned().collect();
    Ok((seen, Found { resources, unknown, ..Found::default() }))
}

/// What `--watch` shows.
#[derive(Default)]
struct Statuses<'a> {
    what: Option<&'a str>,
    found: Found,
    is_away: bool,
    steady: Steady,
}

impl Statuses<'_> {
    /// What stands below the table on a screen.
    fn foot(&self, output: &Output) -> Vec<String> {
        let Found { resources, unknown, is_loading } = &self.found;
        let columns = output.columns().unwrap_or(usize::MAX);
        let careful = |text: &str| -> Vec<String> {
            let lines = wrap(&human::clean(text), columns).into_iter();
            lines.map(|line| output.paint(Colour::Careful, &line)).collect()
        };
        if self.is_away {
            return careful(AWAY);
        }
        if *is_loading {
            return careful(LOADING);
        }
        let mut foot: Vec<String> = unknown.iter().flat_map(|(_, error)| careful(&error.message)).collect();
        match resources.is_empty() {
            true if foot.is_empty() => foot = wrap(NOTHING, columns),
            true => {}
            false => foot.extend(below(&resources.iter().collect::<Vec<_>>(), output)),
        }
        foot
    }
}

impl watch::Watched for Statuses<'_> {
    type Update = Update;

    fn take(&mut self, update: Update, output: &Output) {
        let was_away = self.is_away;
        self.is_away = matches!(update, Update::Away);
        // A screen has it below the table.
        let is_told = !output.out_is_screen();
        if let Update::Resources(found) = update {
            let is_new = |error: &Error| self.found.unknown.iter().all(|(_, known)| known != error);
            let new = found.unknown.iter().filter(|(_, error)| is_told && is_new(error));
            new.for_each(|(_, error)| output.warning(&error.message));
            self.found = found;
        }
        if was_away != self.is_away && is_told {
            output.note(if self.is_away { AWAY } else { "ttd is back" });
        }
    }

    fn frame(&mut self, output: &Output) -> Frame {
        let table = table(&self.found.resources, output).again(&mut self.steady, output);
        Frame { table, foot: self.foot(output) }
    }

    /// One JSON document, or a line per resource.
    fn lines(&self, output: &Output) -> Result<Vec<String>, Error> {
        let Found { resources, unknown, .. } = &self.found;
        if self.is_away && resources.is_empty() {
            return Ok(Vec::new()); // ttd has told nothing yet
        }
        let only = self.what.map(|what| best(resources, what)).transpose()?;
        if !output.is_json() {
            return Ok(resources.iter().map(line).collect());
        }
        let text = match only {
            Some(resource) => serde_json::to_string(&Document::new(Resource::from(resource))),
            None => {
                let failure = |(what, error): &(String, Error)| FailureOf {
                    what: what.clone(),
                    failure: output.failure(error),
                };
                let errors = unknown.iter().map(failure).collect();
                serde_json::to_string(&Document::new(Resources::of(resources, errors)))
            }
        };
        text.map(|text| vec![text]).map_err(|error| Error::internal(error.to_string()))
    }
}

fn table<'a>(resources: impl IntoIterator<Item = &'a ResourceStatus>, output: &Output) -> Table {
    let fits = output.columns().is_some();
    let mut table = Table::new(&[
        Column::left("NAME").shortened(),
        Column::left("STATE").usual(11),
        Column::right("DONE").usual(5),
        Column::right("SIZE").usual(8).dropped(3),
        Column::right("PEERS").usual(5).dropped(2),
        Column::right("DOWN").usual(10),
        Column::right("UP").usual(10),
        Column::right("TO PEERS").usual(8).dropped(1),
        Column::right("LEFT").usual(11),
        Column::left("REASON").below(),
    ]);
    for resource in resources {
        let rate = |rate| if rate == 0 { String::new() } else { human::rate(rate) };
        let reason = if fits { &resource.reason_here } else { &resource.reason };
        let reason = reason.as_deref();
        table.row(vec![
            resource.name.as_str().into(),
            coloured_state(resource.state),
            done(resource).into(),
            size(resource).into(),
            resource.peers.to_string().into(),
            rate(resource.download_bytes_per_s).into(),
            rate(resource.upload_bytes_per_s).into(),
            to_peers(resource).into(),
            eta(resource).unwrap_or_default().into(),
            reason.unwrap_or("").into(),
        ]);
    }
    table
}

fn details(resource: &ResourceStatus, output: &Output) -> Details {
    let done = format!(
        "{} ({} of {} chunks, {} of {})",
        done(resource),
        resource.chunks_have,
        resource.chunks_total,
        human::bytes(resource.bytes_have),
        size(resource)
    );
    let total = |bytes| format!("{} since ttd started", human::bytes(bytes));
    let mut details = Details::default();
    details.add("name", resource.name.as_str());
    details.add_id("id", &resource.resource);
    details.add("kind", if resource.is_tree { "directory" } else { "" });
    details.add("path", resource.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default());
    details.add("size", size(resource));
    details.add("added", resource.added_at_ms.map(|ms| local_time::minute(ms, output)).unwrap_or_default());
    details.add("signed by", resource.signed.as_ref().map_or("", |signed| &signed.key_id));
    details.add_coloured("state", state(resource.state), colour(resource.state));
    details.add("reason", resource.reason.as_deref().unwrap_or_default());
    details.add("published", if resource.taken_back { TAKEN_BACK } else { "" });
    details.add("done", done);
    details.add("peers", resource.peers.to_string());
    details.add("download", human::rate(resource.download_bytes_per_s));
    details.add("upload", human::rate(resource.upload_bytes_per_s));
    details.add("received", total(resource.downloaded_bytes));
    details.add("reused", reused(resource));
    details.add("sent", total(resource.uploaded_bytes));
    details.add("to peers", to_peers(resource));
    details.add("left", eta(resource).unwrap_or_default());
    details.add("wanted by", wanted_by(resource));
    resource.trackers.iter().filter_map(trouble_of).for_each(|trouble| details.add("tracker", trouble));
    details
}

/// "alice, uid 1234, found in the shared directory"
fn wanted_by(resource: &ResourceStatus) -> String {
    let all: Vec<String> = resource.wanted_by.iter().map(ToString::to_string).collect();
    all.join(", ")
}

/// "tt://host:7986: connection refused, for 40 s"
fn trouble_of(tracker: &TrackerStatus) -> Option<String> {
    let trouble = tracker.trouble.as_deref()?;
    let lasting = human::duration(Duration::from_secs(tracker.trouble_s.unwrap_or_default()));
    Some(format!("{}: {trouble}, for {lasting}", tracker.url))
}

/// A resource as one line of plain text.
fn line(resource: &ResourceStatus) -> String {
    let mut line = format!(
        "{}: {} {}, {} of {}, {}, down {}, up {}",
        human::clean(resource.name.as_str()),
        state(resource.state),
        done(resource),
        human::bytes(resource.bytes_have),
        size(resource),
        human::count(resource.peers.into(), "peer"),
        human::rate(resource.download_bytes_per_s),
        human::rate(resource.upload_bytes_per_s),
    );
    if resource.upload_peers > 0 {
        line.push_str(&format!(" to {}", human::count(resource.upload_peers.into(), "peer")));
    }
    if let Some(eta) = eta(resource) {
        line.push_str(&format!(", {eta} left"));
    }
    if let Some(reason) = &resource.reason {
        line.push_str(&format!("; {}", human::clean(reason)));
    }
    line
}

/// "3.8 GiB (3,900 chunks), 212 of them from app-2.3.img": the others are zeros or repeats. Empty if all was fetched.
fn reused(resource: &ResourceStatus) -> String {
    if resource.chunks_reused == 0 {
        return String::new();
    }
    let all = human::bytes(resource.bytes_reused);
    let (all, files) =
        (format!("{all} ({})", human::count(resource.chunks_reused.into(), "chunk")), &resource.reused_from);
    let Some(first) = files.first() else { return format!("{all} of zeros or repeats") };
    let (name, first) = (human::clean(resource.name.as_str()), human::clean(first.as_str()));
    let from = reused_from(&name, Some(&first), files.len() - 1);
    match resource.chunks_from_files {
        chunks if chunks >= resource.chunks_reused => format!("{all} from {from}"),
        chunks => format!("{all}, {chunks} of them from {from}"),
    }
}

/// The number of peers that fetch it from here, if there are any.
fn to_peers(resource: &ResourceStatus) -> String {
    if resource.upload_peers == 0 { String::new() } else { resource.upload_peers.to_string() }
}

fn done(resource: &ResourceStatus) -> String {
    human::percent(resource.chunks_have.into(), resource.chunks_total.into())
}

/// The size. Until the last chunk is here, it is what a publisher reported, or else an upper limit.
pub(crate) fn size(resource: &ResourceStatus) -> String {
    let count = ChunkCount::new(resource.chunks_total);
    human::size(resource.bytes_total.or(resource.bytes_told), count.map_or(0, ChunkCount::bytes_max))
}

/// The size in bytes, for progress bars.
pub(crate) fn bytes_total(resource: &ResourceStatus) -> u64 {
    let most = u64::from(resource.chunks_total) * u64::from(CHUNK_BYTES);
    resource.bytes_total.or(resource.bytes_told).unwrap_or(most)
}

fn eta(resource: &ResourceStatus) -> Option<String> {
    resource.eta_s.map(|s| human::duration(Duration::from_secs(s)))
}

/// The word for a state.
pub(crate) fn state(state: State) -> &'static str {
    match state {
        State::Checking => "checking",
        State::Waiting => "waiting",
        State::Downloading => "downloading",
        State::Seeding => "seeding",
        State::Outdated => "outdated",
        State::Paused => "paused",
        State::Error => "error",
    }
}

/// The word for a state as a table cell.
pub(crate) fn coloured_state(of: State) -> Cell {
    Cell::coloured(state(of), colour(of))
}

fn colour(state: State) -> Colour {
    match state {
        State::Seeding => Colour::Good,
        State::Downloading | State::Checking => Colour::Busy,
        State::Waiting | State::Paused | State::Outdated => Colour::Careful,
        State::Error => Colour::Bad,
    }
}

/// Whether all of what is served is there: files of a directory may have been edited since it was complete.
pub(crate) fn is_complete(of: &ResourceStatus) -> bool {
    !of.is_tree || of.chunks_have == of.chunks_total
}

/// The kind of error with which a command ends because of a resource's problem.
pub(crate) fn trouble(resource: &ResourceStatus) -> Kind {
    resource.kind.map_or(Kind::Internal, |kind: ErrorKind| kind.into())
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
