//! `ttctl wait`: returns when the local copy is complete, or when enough machines of the swarm have all of it.

use crate::asker::Asker;
use crate::cli::{Global, WaitArgs, resource_name};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::Document;
use crate::error::{Error, Kind};
use crate::get::{self, Deadline};
use crate::human;
use crate::line::Line;
use crate::output::Output;
use crate::status;
use serde::Serialize;
use shared::chunk::ChunkCount;
use shared::rpc::control::{Accepted, State, TrackerAnswer};
use shared::rpc::tracker::Fleet;
use std::time::Duration;

/// How often the tracker is asked.
const ASK_EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn wait(args: &WaitArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let deadline = Deadline::after(args.timeout.map(|timeout| timeout.duration()));
    let goal = match (args.peers, args.percent) {
        (Some(peers), _) => Goal::Machines(peers.get()),
        (None, Some(percent)) => Goal::Percent(percent),
        (None, None) if args.which.tracker.is_some() => {
            return Err(Error::usage("a tracker counts machines: say how many with --peers or --percent"));
        }
        (None, None) => return wait_for_copy(args, deadline, global, output).await,
    };
    wait_for_swarm(args, &goal, deadline, global, output).await
}

async fn wait_for_copy(
    args: &WaitArgs,
    mut deadline: Deadline,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let what = resource_name(&args.what);
    let known = daemon.caller.inspect(what.to_owned(), CALL_TIMEOUT).await??;
    let found = status::best(&known, what)?;
    if found.state != State::Seeding {
        let count = ChunkCount::new(found.chunks_total)
            .ok_or_else(|| Error::internal("ttd counts more chunks than there may be"))?;
        let (name, resource) = (found.name.clone(), found.resource);
        let awaited = Accepted { name, resource, count, complete: false, comparing: None };
        get::wait(&daemon, &awaited, &mut deadline, global, output).await?;
    }
    match output.is_json() {
        true => output.json(&Document::new(Complete {
            name: found.name.to_string(),
            resource: found.resource.to_string(),
            complete: true,
        })),
        false => output.done(&format!("{} is complete", human::clean(found.name.as_str()))),
    }
}

/// What ends the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// This number of machines has all of it.
    Machines(u32),
    /// This percentage of the machines has all of it; those that finished and left are not counted.
    Percent(u8),
}

impl Goal {
    fn is_met(self, fleet: &Fleet) -> bool {
        let (done, all) = (u64::from(fleet.seeders), all(fleet));
        match self {
            Goal::Machines(wanted) => fleet.seeders >= wanted,
            Goal::Percent(percent) => all > 0 && done * 100 >= all * u64::from(percent),
        }
    }
}

/// The machines that count: those that take part, and those that left before they were done.
fn all(fleet: &Fleet) -> u64 {
    u64::from(fleet.seeders) + u64::from(fleet.leechers) + u64::from(fleet.gone_unfinished)
}

async fn wait_for_swarm(
    args: &WaitArgs,
    goal: &Goal,
    mut deadline: Deadline,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    let what = resource_name(&args.what);
    let hint = || format!("`{}` shows who is behind", global.command("fleet", what));
    let mut line = Line::new(output);
    let mut last = None;
    let ended = tokio::select! {
        met = watch(args, *goal, global, &mut line, &mut last) => met,
        () = &mut deadline.reached => {
            let span = human::duration(args.timeout.map(|timeout| timeout.duration()).unwrap_or_default());
            let reached = last.as_ref().map_or("its tracker has not answered".to_owned(), text);
            Err(Error::new(Kind::TimedOut, format!("{what} after {span}: {reached}")).hint(hint()))
        }
        result = tokio::signal::ctrl_c() => {
            result.map_err(|error| Error::io("cannot listen for ^C", &error))?;
            Err(Error::new(Kind::Interrupted, "interrupted; the rollout goes on").hint(hint()))
        }
    };
    line.clear();
    let counted = ended?;
    if output.is_json() {
        return output.json(&Document::new(counted));
    }
    let reached = last.as_ref().map(text).unwrap_or_default();
    output.done(&format!("{}: {reached}", human::clean(what)))
}

/// Asks the tracker until the goal is met. A tracker that goes away once it has answered is waited for, and so is ttd.
async fn watch(
    args: &WaitArgs,
    goal: Goal,
    global: &Global,
    line: &mut Line,
    last: &mut Option<Fleet>,
) -> Result<Counted, Error> {
    let what = resource_name(&args.what);
    let mut asker = Asker::connect(&args.which, global).await?;
    let resource = asker.resource(what).await?;
    loop {
        match asker.count(resource).await {
            Ok(TrackerAnswer { tracker, answer: fleet }) => {
                line.show(&format!("{}: {}", human::clean(what), text(&fleet)));
                let met = goal.is_met(&fleet);
                let counted = Counted::new(tracker.as_str(), &resource.to_string(), &fleet);
                *last = Some(fleet);
                if met {
                    return Ok(counted);
                }
            }
            Err(error) => {
                line.show(&format!("{}: {}; trying again", human::clean(what), human::clean(&error.message)));
                let _ = asker.reconnect(global).await; // without a ttd the next question fails, too
            }
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// "done on 12 of 40 machines (30 %), 1 is gone unfinished"
fn text(fleet: &Fleet) -> String {
    let all = all(fleet);
    let percent = human::percent(fleet.seeders.into(), all.max(1));
    let mut text = format!("done on {} of {} ({percent})", fleet.seeders, human::count(all, "machine"));
    match fleet.gone_unfinished {
        0 => (),
        1 => text.push_str(", 1 is gone unfinished"),
        gone => text.push_str(&format!(", {gone} are gone unfinished")),
    }
    text
}

/// `wait` for the local copy
#[derive(Debug, Serialize)]
struct Complete {
    name: String,
    resource: String,
    complete: bool,
}

/// `wait --peers` and `wait --percent`
#[derive(Debug, Serialize)]
struct Counted {
    tracker: String,
    resource: String,
    done: u32,
    running: u32,
    gone_unfinished: u32,
    percent: u64,
}

impl Counted {
    fn new(tracker: &str, resource: &str, fleet: &Fleet) -> Counted {
        Counted {
            tracker: tracker.to_owned(),
            resource: resource.to_owned(),
            done: fleet.seeders,
            running: fleet.leechers,
            gone_unfinished: fleet.gone_unfinished,
            percent: u64::from(fleet.seeders) * 100 / all(fleet).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(seeders: u32, leechers: u32, gone_unfinished: u32) -> Fleet {
        Fleet { seeders, leechers, gone_unfinished, machines: Vec::new(), next: None }
    }

    #[test]
    fn a_goal_is_met_by_those_who_have_all() {
        assert!(Goal::Machines(3).is_met(&fleet(3, 9, 0)) && !Goal::Machines(3).is_met(&fleet(2, 9, 9)));
        assert!(Goal::Percent(50).is_met(&fleet(5, 5, 0)) && !Goal::Percent(51).is_met(&fleet(5, 5, 0)));
        assert!(!Goal::Percent(100).is_met(&fleet(5, 0, 1)), "who went before it was done is not done");
        assert!(!Goal::Percent(1).is_met(&fleet(0, 0, 0)), "nobody is no percentage");
    }

    #[test]
    fn the_line_says_how_many_of_how_many() {
        assert_eq!(text(&fleet(5, 6, 1)), "done on 5 of 12 machines (41 %), 1 is gone unfinished");
        assert_eq!(text(&fleet(0, 0, 0)), "done on 0 of 0 machines (0 %)");
    }
}
