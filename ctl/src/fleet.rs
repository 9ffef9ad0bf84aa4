//! `ttctl fleet`: how far each machine is with a resource, the slowest first, as its tracker knows it.

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
use shared::id::ResourceId;
use shared::rpc::control::TrackerAnswer;
use shared::rpc::tracker::{FleetMachine, Presence};
use std::net::SocketAddr;
use std::time::Duration;

/// How long a machine that takes part may be without a new chunk before it is called stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// How often `--watch` looks.
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
    let resource = asker.resource(resource_name(&args.what)).await?;
    let mut shown = Shown::new(resource, expected);
    if args.watch {
        return watch(&mut shown, output, |updates| follow(asker, resource, global, updates)).await;
    }
    let TrackerAnswer { tracker, answer: machines } = asker.fleet(resource).await?;
    shown.answered(tracker.as_str(), &machines);
    if output.is_json() {
        return output.line(&shown.json()?);
    }
    shown.text(output).iter().try_for_each(|line| output.line(line))
}

/// Asks again and again: whoever watches a rollout wants to go on when the tracker or ttd was restarted.
async fn follow(
    mut asker: Asker,
    resource: ResourceId,
    global: &Global,
    updates: Updates<Result<TrackerAnswer<Vec<FleetMachine>>, Error>>,
) -> Result<(), Error> {
    loop {
        let answer = asker.fleet(resource).await;
        let has_failed = answer.is_err();
        if updates.send(answer).await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
        if has_failed {
            let _ = asker.reconnect(global).await; // without a ttd the next question fails, too
        }
    }
}

/// What is shown: the machines that were seen last, and why nothing newer is known.
struct Shown {
    resource: ResourceId,
    expected: Vec<Expected>,
    tracker: String,
    rows: Vec<Row>,
    trouble: Option<String>,
    steady: Steady,
}

impl Shown {
    fn new(resource: ResourceId, expected: Vec<Expected>) -> Shown {
        let (tracker, rows, trouble, steady) = Default::default();
        Shown { resource, expected, tracker, rows, trouble, steady }
    }

    fn answered(&mut self, tracker: &str, machines: &[FleetMachine]) {
        tracker.clone_into(&mut self.tracker);
        self.rows = rows(machines, &self.expected);
        self.trouble = None;
    }

    /// A table, and the summary.
    fn text(&self, output: &Output) -> Vec<String> {
        let mut lines = match self.rows.is_empty() {
            true => Vec::new(),
            false => table(&self.rows).lines(output),
        };
        lines.extend(wrap(&Summary::of(&self.rows).text(), output.columns().unwrap_or(usize::MAX)));
        lines
    }

    fn json(&self) -> Result<String, Error> {
        let document = Document::new(FleetDocument {
            tracker: self.tracker.clone(),
            resource: self.resource.to_string(),
            machines: self.rows.iter().map(Machine::from).collect(),
            summary: Summary::of(&self.rows),
        });
        serde_json::to_string(&document).map_err(|error| Error::internal(error.to_string()))
    }
}

impl Watched for Shown {
    type Update = Result<TrackerAnswer<Vec<FleetMachine>>, Error>;

    fn take(&mut self, update: Self::Update, output: &Output) {
        match update {
            Ok(TrackerAnswer { tracker, answer }) => self.answered(tracker.as_str(), &answer),
            Err(error) => {
                let trouble = format!("{}; trying again", error.message);
                // A screen has it below the table.
                if self.trouble.as_ref() != Some(&trouble) && !output.out_is_screen() {
                    output.warning(&trouble);
                }
                self.trouble = Some(trouble);
            }
        }
    }

    fn frame(&mut self, output: &Output) -> Frame {
        let columns = output.columns().unwrap_or(usize::MAX);
        let summary = wrap(&Summary::of(&self.rows).text(), columns);
        let trouble = self.trouble.iter().flat_map(|trouble| wrap(&human::clean(trouble), columns));
        let trouble = trouble.map(|line| output.paint(Colour::Careful, &line));
        Frame {
            table: table(&self.rows).again(&mut self.steady, output),
            foot: summary.into_iter().chain(trouble).collect(),
        }
    }

    /// One JSON document; or a line per machine, and the summary.
    fn lines(&self, output: &Output) -> Result<Vec<String>, Error> {
        if self.tracker.is_empty() {
            return Ok(Vec::new()); // no tracker has answered yet
        }
        if output.is_json() {
            return Ok(vec![self.json()?]);
        }
        Ok(self.rows.iter().map(Row::line).chain([Summary::of(&self.rows).text()]).collect())
    }
}

/// How a machine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    NeverSeen,
    Lost,
    Left,
    Stuck,
    Running,
    Done,
}

impl State {
    fn of(machine: &FleetMachine) -> State {
        let still = Duration::from_millis(machine.still_ms);
        match machine.presence {
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
            State::Stuck => "stuck",
            State::Running => "running",
            State::Done => "done",
        }
    }

    fn colour(self) -> Colour {
        match self {
            State::Done => Colour::Good,
            State::Running => Colour::Busy,
            State::Left | State::Stuck => Colour::Careful,
            State::Lost | State::NeverSeen => Colour::Bad,
        }
    }
}

/// A machine that was seen, or is expected.
#[derive(Debug)]
struct Row {
    host: Option<String>,
    state: State,
    seen: Option<FleetMachine>,
}

impl Row {
    fn percent(&self) -> u64 {
        let part = |seen: &FleetMachine| u64::from(seen.have) * 100 / u64::from(seen.count.get()).max(1);
        self.seen.as_ref().map_or(0, |seen| if seen.count.get() == 0 { 100 } else { part(seen) })
    }

    /// The slowest first: who was never seen, who went too early, who stands still, who is far behind.
    fn rank(&self) -> (u8, u64, u64, Option<SocketAddr>) {
        let rank = match self.state {
            State::NeverSeen => 0,
            State::Lost | State::Left if self.percent() < 100 => 1,
            State::Stuck => 2,
            State::Running => 3,
            State::Lost | State::Left => 4,
            State::Done => 5,
        };
        let rate = self.seen.as_ref().and_then(|seen| seen.bytes_per_s);
        (rank, self.percent(), rate.unwrap_or(0), self.seen.as_ref().map(|seen| seen.addr))
    }

    fn rate(&self) -> Option<String> {
        self.seen.as_ref()?.bytes_per_s.map(human::rate)
    }

    /// "12 s ago"; what is stale shows.
    fn seen_ago(&self) -> Option<String> {
        let seen = Duration::from_secs(self.seen.as_ref()?.seen_ms / 1000);
        Some(format!("{} ago", human::duration(seen)))
    }

    /// On one line of plain text.
    fn line(&self) -> String {
        let addr = self.seen.as_ref().map(|seen| seen.addr.to_string());
        let names = [self.host.as_deref().map(human::clean), addr].into_iter().flatten();
        let mut line =
            format!("{}: {} {} %", names.collect::<Vec<_>>().join(" "), self.state.word(), self.percent());
        let zone = self.seen.as_ref().map(|seen| human::clean(&seen.zone)).filter(|zone| !zone.is_empty());
        for part in [self.rate(), zone.map(|zone| format!("zone {zone}"))].into_iter().flatten() {
            line.push_str(&format!(", {part}"));
        }
        line
    }
}

/// Those that were seen, with the names that they are expected under, and those that were not.
fn rows(machines: &[FleetMachine], expected: &[Expected]) -> Vec<Row> {
    let host = |addr| expected.iter().find(|host| host.is_at(addr)).map(|host| host.name.clone());
    let seen = machines.iter().map(|machine| Row {
        host: host(machine.addr),
        state: State::of(machine),
        seen: Some(machine.clone()),
    });
    let is_missing = |host: &&Expected| !machines.iter().any(|machine| host.is_at(machine.addr));
    let missing = expected.iter().filter(is_missing);
    let missing =
        missing.map(|host| Row { host: Some(host.name.clone()), state: State::NeverSeen, seen: None });
    let mut rows: Vec<Row> = missing.chain(seen).collect();
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
    ]);
    for row in rows {
        let seen = row.seen.as_ref();
        table.row(vec![
            row.host.as_deref().unwrap_or("").into(),
            seen.map(|seen| seen.addr.to_string()).unwrap_or_default().into(),
            Cell::coloured(row.state.word(), row.state.colour()),
            seen.map(|_| format!("{} %", row.percent())).unwrap_or_default().into(),
            row.rate().unwrap_or_default().into(),
            seen.map_or("", |seen| &seen.zone).into(),
            row.seen_ago().unwrap_or_default().into(),
        ]);
    }
    table
}

/// How many machines are in which state.
#[derive(Debug, Default, Serialize)]
struct Summary {
    machines: usize,
    done: usize,
    running: usize,
    stuck: usize,
    /// Left or lost, whatever they had.
    gone: usize,
    never_seen: usize,
}

impl Summary {
    fn of(rows: &[Row]) -> Summary {
        let mut summary = Summary { machines: rows.len(), ..Summary::default() };
        for row in rows {
            *match row.state {
                State::Done => &mut summary.done,
                State::Running => &mut summary.running,
                State::Stuck => &mut summary.stuck,
                State::Left | State::Lost => &mut summary.gone,
                State::NeverSeen => &mut summary.never_seen,
            } += 1;
        }
        summary
    }

    fn text(&self) -> String {
        let Summary { machines, done, running, stuck, gone, never_seen } = self;
        let machines = human::count(*machines as u64, "machine");
        let mut text = format!("{machines}: {done} done, {running} running, {stuck} stuck");
        for (number, word) in [(gone, "gone"), (never_seen, "never seen")] {
            if *number > 0 {
                text.push_str(&format!(", {number} {word}"));
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
}

#[derive(Debug, Serialize)]
struct Machine {
    /// As it stands in the file of those who are expected.
    host: Option<String>,
    /// `null` if it was never seen; so is all that follows the state.
    addr: Option<SocketAddr>,
    state: State,
    percent: Option<u64>,
    chunks_have: Option<u32>,
    chunks_total: Option<u32>,
    bytes_per_s: Option<u64>,
    zone: Option<String>,
    /// Since its last announce, and since it had its last new chunk.
    seen_ms: Option<u64>,
    still_ms: Option<u64>,
}

impl From<&Row> for Machine {
    fn from(row: &Row) -> Machine {
        let seen = row.seen.as_ref();
        Machine {
            host: row.host.clone(),
            addr: seen.map(|seen| seen.addr),
            state: row.state,
            percent: seen.map(|_| row.percent()),
            chunks_have: seen.map(|seen| seen.have),
            chunks_total: seen.map(|seen| seen.count.get()),
            bytes_per_s: seen.and_then(|seen| seen.bytes_per_s),
            zone: seen.map(|seen| seen.zone.clone()).filter(|zone| !zone.is_empty()),
            seen_ms: seen.map(|seen| seen.seen_ms),
            still_ms: seen.map(|seen| seen.still_ms),
        }
    }
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
