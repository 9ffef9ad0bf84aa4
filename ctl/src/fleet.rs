//! `ttctl fleet`: shows how far each machine is with a resource, the slowest first, as the tracker knows it.

use crate::asker::Asker;
use crate::cli::{FleetArgs, Global, resource_name};
use crate::documents::Document;
use crate::error::Error;
use crate::expect::{self, Expected};
use crate::human;
use crate::output::{Colour, Output};
use crate::table::{Cell, Column, Steady, Table};
use crate::watch::{Frame, Updates, Watched, watch};
use crate::width::wrap;
use serde::Serialize;
use shared::rpc::control::TrackerAnswer;
use shared::rpc::tracker::{Fleet, FleetMachine, Lookup, Presence};
use std::net::SocketAddr;
use std::time::Duration;

/// How long a machine that takes part may be without a new chunk before it counts as stuck. It is longer than the
/// pauses that are usual when many machines fetch at once.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// The pause between two questions with `--watch`.
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub(crate) async fn fleet(args: &FleetArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let expected = match &args.expect {
        Some(path) => expect::read(path).await?,
        None => Vec::new(),
    };
    for Expected { name, trouble, .. } in &expected {
        if let Some(trouble) = trouble {
            output.warning(&format!("{name}: {trouble}"));
        }
    }
    let mut asker = Asker::connect(&args.which, global).await?;
    let what = asker.lookup(resource_name(&args.what)).await?;
    let mut shown = Shown::new(args, expected);
    if args.watch {
        return watch(&mut shown, output, |updates| follow(asker, what, global, updates)).await;
    }
    let TrackerAnswer { tracker, answer: fleet } = asker.fleet(&what).await?;
    shown.answered(tracker.as_str(), fleet);
    if output.is_json() {
        return output.line(&shown.json()?);
    }
    shown.text(output).iter().try_for_each(|line| output.line(line))
}

/// Asks repeatedly, also after errors, so that a watch survives a restart of the tracker or ttd. A ttd of another version
/// ends it.
async fn follow(
    mut asker: Asker,
    what: Lookup,
    global: &Global,
    updates: Updates<Result<TrackerAnswer<Fleet>, Error>>,
) -> Result<(), Error> {
    let global = &Global { verbose: false, ..global.clone() }; // a detail would be printed over the screen
    loop {
        let answer = asker.fleet(&what).await;
        let has_failed = answer.is_err();
        if updates.send(answer).await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
        if has_failed {
            asker.reconnect(global, None).await?; // if there is no ttd, the next question fails as well
        }
    }
}

/// The machines in the last answer, and the error since then, if any.
struct Shown<'a> {
    args: &'a FleetArgs,
    expected: Vec<Expected>,
    tracker: String,
    fleet: Fleet,
    rows: Vec<Row>,
    trouble: Option<String>,
    steady: Steady,
}

impl<'a> Shown<'a> {
    fn new(args: &'a FleetArgs, expected: Vec<Expected>) -> Shown<'a> {
        let (tracker, fleet, rows, trouble, steady) = Default::default();
        Shown { args, expected, tracker, fleet, rows, trouble, steady }
    }

    fn answered(&mut self, tracker: &str, fleet: Fleet) {
        tracker.clone_into(&mut self.tracker);
        self.rows = rows(&fleet, &self.expected, self.args);
        (self.fleet, self.trouble) = (fleet, None);
    }

    fn summary(&self) -> String {
        Summary::of(&self.rows).text(resource_name(&self.args.what), &self.fleet)
    }

    /// A table and the summary.
    fn text(&self, output: &Output) -> Vec<String> {
        let mut lines = match self.rows.is_empty() {
            true => Vec::new(),
            false => table(&self.rows).lines(output),
        };
        lines.extend(wrap(&self.summary(), output.columns().unwrap_or(usize::MAX)));
        lines
    }

    fn json(&self) -> Result<String, Error> {
        let document = Document::new(FleetDocument {
            tracker: self.tracker.clone(),
            resource: self.fleet.resource.map(|resource| resource.to_string()).unwrap_or_default(),
            machines: self.rows.iter().map(Machine::from).collect(),
            summary: Summary::of(&self.rows),
            shared_ago_ms: self.fleet.shared_ago_ms,
        });
        serde_json::to_string(&document).map_err(|error| Error::internal(error.to_string()))
    }
}

impl Watched for Shown<'_> {
    type Update = Result<TrackerAnswer<Fleet>, Error>;

    fn take(&mut self, update: Self::Update, output: &Output) {
        match update {
            Ok(TrackerAnswer { tracker, answer }) => self.answered(tracker.as_str(), answer),
            Err(error) => {
                let trouble = format!("{}; retrying", error.message);
                // On a screen it is below the table.
                if self.trouble.as_ref() != Some(&trouble) && !output.out_is_screen() {
                    output.warning(&trouble);
                }
                self.trouble = Some(trouble);
            }
        }
    }

    fn frame(&mut self, output: &Output) -> Frame {
        let columns = output.columns().unwrap_or(usize::MAX);
        let summary = wrap(&self.summary(), columns);
        let trouble = self.trouble.iter().flat_map(|trouble| wrap(&human::clean(trouble), columns));
        let trouble = trouble.map(|line| output.paint(Colour::Careful, &line));
        Frame {
            table: table(&self.rows).again(&mut self.steady, output),
            foot: summary.into_iter().chain(trouble).collect(),
        }
    }

    /// One JSON document, or one line per machine and the summary.
    fn lines(&self, output: &Output) -> Result<Vec<String>, Error> {
        if self.tracker.is_empty() {
            return Ok(Vec::new()); // no tracker has answered yet
        }
        if output.is_json() {
            return Ok(vec![self.json()?]);
        }
        Ok(self.rows.iter().map(Row::line).chain([self.summary()]).collect())
    }
}

/// The state of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    NeverSeen,
    Lost,
    Left,
    Outdated,
    Stuck,
    Running,
    Done,
}

impl State {
    fn of(machine: &FleetMachine, fleet: &Fleet) -> State {
        let still = Duration::from_millis(machine.still_ms);
        match machine.presence {
            _ if Some(machine.key.resource) != fleet.resource => State::Outdated,
            Presence::Lost => State::Lost,
            Presence::Left => State::Left,
            Presence::Here if machine.have >= machine.count.get() => State::Done,
            Presence::Here if still >= STUCK_AFTER => State::Stuck,
            Presence::Here => State::Running,
        }
    }

    fn word(self) -> &'static str {
        match self {
            State::NeverSeen => "never seen",
            State::Lost => "lost",
            State::Left => "left",
            State::Outdated => "outdated",
            State::Stuck => "stuck",
            State::Running => "running",
            State::Done => "done",
        }
    }

    fn colour(self) -> Colour {
        match self {
            State::Done => Colour::Good,
            State::Running => Colour::Busy,
            State::Left | State::Stuck | State::Outdated => Colour::Careful,
            State::Lost | State::NeverSeen => Colour::Bad,
        }
    }
}

/// A machine that was seen or is expected.
#[derive(Debug)]
struct Row {
    /// Its name in the file of expected machines, else the name that it reports.
    host: Option<String>,
    /// Whether it is in that file; `None` without a file.
    is_expected: Option<bool>,
    state: State,
    seen: Option<FleetMachine>,
}

impl Row {
    fn percent(&self) -> u64 {
        let part = |seen: &FleetMachine| u64::from(seen.have) * 100 / u64::from(seen.count.get()).max(1);
        let newest = self.seen.as_ref().filter(|_| self.state != State::Outdated);
        newest.map_or(0, |seen| if seen.count.get() == 0 { 100 } else { part(seen) })
    }

    /// The sort key, the slowest first: machines that were never seen, then those that left too early, then stuck ones,
    /// then those that are far behind.
    fn rank(&self) -> (u8, u64, u64, Option<SocketAddr>) {
        let rank = match self.state {
            State::NeverSeen => 0,
            State::Lost | State::Left if self.percent() < 100 => 1,
            State::Outdated => 2,
            State::Stuck => 3,
            State::Running => 4,
            State::Lost | State::Left => 5,
            State::Done => 6,
        };
        let rate = self.seen.as_ref().and_then(|seen| seen.bytes_per_s);
        (rank, self.percent(), rate.unwrap_or(0), self.seen.as_ref().map(|seen| seen.addr))
    }

    fn rate(&self) -> Option<String> {
        self.seen.as_ref()?.bytes_per_s.filter(|_| self.state != State::Outdated).map(human::rate)
    }

    /// The former version that an outdated machine has.
    fn former(&self) -> Option<String> {
        let seen = self.seen.as_ref().filter(|_| self.state == State::Outdated)?;
        Some(human::short(seen.key.resource))
    }

    /// The remark on a machine that is not in the file of expected machines.
    fn note(&self) -> Option<&'static str> {
        (self.is_expected == Some(false)).then_some("not listed")
    }

    /// "12 s ago", so that old data can be recognized.
    fn seen_ago(&self) -> Option<String> {
        let seen = Duration::from_secs(self.seen.as_ref()?.seen_ms / 1000);
        Some(format!("{} ago", human::duration(seen)))
    }

    /// The machine as one line of plain text.
    fn line(&self) -> String {
        let addr = self.seen.as_ref().map(|seen| seen.addr.to_string());
        let names = [self.host.as_deref().map(human::clean), addr].into_iter().flatten();
        let mut line = format!("{}: {}", names.collect::<Vec<_>>().join(" "), self.state.word());
        if self.state != State::Outdated {
            line.push_str(&format!(" {} %", self.percent()));
        }
        let zone = self.seen.as_ref().map(|seen| human::clean(&seen.zone)).filter(|zone| !zone.is_empty());
        let zone = zone.map(|zone| format!("zone {zone}"));
        let former = self.former().map(|former| format!("has {former}"));
        let note = self.note().map(str::to_owned);
        for part in [self.rate(), zone, former, note].into_iter().flatten() {
            line.push_str(&format!(", {part}"));
        }
        line
    }
}

/// The machines that were seen, with their names in the file, and the expected ones that were not.
fn rows(fleet: &Fleet, expected: &[Expected], args: &FleetArgs) -> Vec<Row> {
    let seen = fleet.machines.iter().map(|machine| {
        let known = expected.iter().find(|host| host.is_at(machine.addr)).map(|host| host.name.clone());
        let is_expected = args.expect.as_ref().map(|_| known.is_some());
        let state = State::of(machine, fleet);
        let own = human::machine(machine.node.as_ref(), &machine.host);
        Row { host: known.or(own), is_expected, state, seen: Some(machine.clone()) }
    });
    let is_missing = |host: &&Expected| !fleet.machines.iter().any(|machine| host.is_at(machine.addr));
    let missing = expected.iter().filter(is_missing).map(|host| Row {
        host: Some(host.name.clone()),
        is_expected: Some(true),
        state: State::NeverSeen,
        seen: None,
    });
    let mut rows: Vec<Row> = missing.chain(seen).collect();
    rows.retain(|row| !args.only_expected || row.is_expected == Some(true));
    rows.sort_by_key(Row::rank);
    rows
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        Column::left("HOST").shortened(),
        Column::left("ADDRESS").shortened(),
        Column::left("STATE").usual(10),
        Column::right("DONE").usual(5),
        Column::right("RATE").usual(10).dropped(3),
        Column::left("ZONE").shortened().dropped(1),
        Column::right("SEEN").usual(14).dropped(2),
        Column::left("HAS"),
        Column::left("NOTE"),
    ]);
    for row in rows {
        let seen = row.seen.as_ref();
        table.row(vec![
            row.host.as_deref().unwrap_or("").into(),
            seen.map(|seen| seen.addr.to_string()).unwrap_or_default().into(),
            Cell::coloured(row.state.word(), row.state.colour()),
            seen.filter(|_| row.state != State::Outdated)
                .map(|_| format!("{} %", row.percent()))
                .unwrap_or_default()
                .into(),
            row.rate().unwrap_or_default().into(),
            seen.map_or("", |seen| &seen.zone).into(),
            row.seen_ago().unwrap_or_default().into(),
            row.former().unwrap_or_default().into(),
            row.note().unwrap_or_default().into(),
        ]);
    }
    table
}

/// The number of machines in each state.
#[derive(Debug, Default, Serialize)]
struct Summary {
    machines: usize,
    done: usize,
    running: usize,
    stuck: usize,
    /// Those that left or were lost, whether complete or not.
    gone: usize,
    never_seen: usize,
    /// Those that have or fetch a former version of the name.
    outdated: usize,
}

impl Summary {
    fn of(rows: &[Row]) -> Summary {
        let mut summary = Summary { machines: rows.len(), ..Summary::default() };
        for row in rows {
            *match row.state {
                State::Done => &mut summary.done,
                State::Running => &mut summary.running,
                State::Outdated => &mut summary.outdated,
                State::Stuck => &mut summary.stuck,
                State::Left | State::Lost => &mut summary.gone,
                State::NeverSeen => &mut summary.never_seen,
            } += 1;
        }
        summary
    }

    /// "3 machines: 2 done, 0 running, 0 stuck, 1 outdated; app.tar.gz is 4c47b3e8…, shared 12 min 00 s ago"
    fn text(&self, what: &str, fleet: &Fleet) -> String {
        let Summary { machines, done, running, stuck, gone, never_seen, outdated } = self;
        let machines = human::count(*machines as u64, "machine");
        let mut text = format!("{machines}: {done} done, {running} running, {stuck} stuck");
        for (number, word) in [(outdated, "outdated"), (gone, "gone"), (never_seen, "never seen")] {
            if *number > 0 {
                text.push_str(&format!(", {number} {word}"));
            }
        }
        if let Some(resource) = fleet.resource.filter(|_| *outdated > 0) {
            text.push_str(&format!("; {} is {}", human::clean(what), human::short(resource)));
            if let Some(ago_ms) = fleet.shared_ago_ms {
                let ago = human::duration(Duration::from_secs(ago_ms / 1000));
                text.push_str(&format!(", shared {ago} ago"));
            }
        }
        text
    }
}

/// `fleet`
#[derive(Debug, Serialize)]
struct FleetDocument {
    tracker: String,
    resource: String,
    machines: Vec<Machine>,
    summary: Summary,
    /// How long ago the resource was shared under the name; for an id, under any name. `null` if unknown.
    shared_ago_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Machine {
    /// Its name in the file of expected machines, else the node in its certificate, else the name that it reports; `null`
    /// if none is known.
    host: Option<String>,
    /// `null` if it was never seen, like all fields after the state.
    addr: Option<SocketAddr>,
    state: State,
    /// `null` also for an outdated machine, which may have nothing of the newer version.
    percent: Option<u64>,
    chunks_have: Option<u32>,
    chunks_total: Option<u32>,
    bytes_per_s: Option<u64>,
    zone: Option<String>,
    /// Milliseconds since its last announce.
    seen_ms: Option<u64>,
    /// Milliseconds since it last had a new chunk.
    still_ms: Option<u64>,
    /// Whether it is in the file of expected machines; `null` without a file.
    expected: Option<bool>,
    /// The resource that it has or fetches; for an outdated machine a former version, to which its chunks belong.
    resource: Option<String>,
    /// The node in its certificate; `null` if it showed the tracker none.
    node: Option<String>,
}

impl From<&Row> for Machine {
    fn from(row: &Row) -> Machine {
        let seen = row.seen.as_ref();
        Machine {
            host: row.host.clone(),
            addr: seen.map(|seen| seen.addr),
            state: row.state,
            percent: seen.filter(|_| row.state != State::Outdated).map(|_| row.percent()),
            chunks_have: seen.map(|seen| seen.have),
            chunks_total: seen.map(|seen| seen.count.get()),
            bytes_per_s: seen.and_then(|seen| seen.bytes_per_s),
            zone: seen.map(|seen| seen.zone.clone()).filter(|zone| !zone.is_empty()),
            seen_ms: seen.map(|seen| seen.seen_ms),
            still_ms: seen.map(|seen| seen.still_ms),
            expected: row.is_expected,
            resource: seen.map(|seen| seen.key.resource.to_string()),
            node: seen.and_then(|seen| seen.node.as_ref()).map(ToString::to_string),
        }
    }
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
