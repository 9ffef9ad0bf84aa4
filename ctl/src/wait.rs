//! `ttctl wait`: waits until the local copy is complete, or until enough machines of the swarm have all of it.

use crate::asker::Asker;
use crate::awaited::{self, Begun, Until, Waiter, wait_for_all};
use crate::cli::{Global, WaitArgs, resource_name};
use crate::connect::CALL_TIMEOUT;
use crate::deadline::Deadline;
use crate::documents::{Document, FailureOf};
use crate::error::{Error, Kind};
use crate::goal::{Goal, all, knows_all, missed, text, text_so_far};
use crate::human;
use crate::line::Line;
use crate::link::{BACK_WITHIN, Link};
use crate::output::Output;
use crate::status;
use crate::targets::{is_single, targets};
use serde::Serialize;
use shared::chunk::ChunkCount;
use shared::id::digits_hint;
use shared::rpc::control::{Accepted, State, TrackerAnswer};
use shared::rpc::tracker::{Fleet, Lookup};
use shared::shell;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The pause between two questions to the tracker.
const ASK_EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn wait(args: &WaitArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut deadline = Deadline::after(args.timeout.map(|timeout| timeout.duration()));
    let goal = match (args.peers, args.percent) {
        (Some(peers), _) => Goal::Machines(peers.get()),
        (None, Some(percent)) => Goal::Percent(percent),
        (None, None) if args.which.tracker.is_some() => {
            return Err(Error::usage("--tracker needs --peers or --percent"));
        }
        (None, None) => return wait_for_copies(args, deadline, global, output).await,
    };
    let [what] = &args.what[..] else {
        return Err(Error::usage("--peers and --percent are counted for one file"));
    };
    wait_for_swarm(args, resource_name(what), goal, &mut deadline, global, output).await
}

async fn wait_for_copies(
    args: &WaitArgs,
    mut deadline: Deadline,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    let timeout = deadline.timeout;
    let connect = async {
        let link = Link::connect(global, timeout, output).await?;
        let targets: Vec<_> = targets(&link.daemon(), &args.what).await?.each().collect();
        Ok((link, targets))
    };
    let late = |span: &str| format!("ttd has not answered within {span}");
    let (link, targets) = deadline.within(connect, late).await?;
    let copies = Copies {
        targets,
        is_single: is_single(&args.what),
        ended: RefCell::default(),
        by_name: RefCell::default(),
    };
    let waited = wait_for_all(copies.targets.len(), &copies, &link, &mut deadline, global, output).await;
    copies.end(waited, output)
}

/// The local copies that are waited for.
struct Copies {
    /// The words of the command line, and what each means.
    targets: Vec<(String, Result<String, Error>)>,
    is_single: bool,
    /// The results of those that have ended.
    ended: RefCell<BTreeMap<usize, Result<Complete, Error>>>,
    /// Those that are meant by name, whatever content the name has.
    by_name: RefCell<BTreeSet<usize>>,
}

impl Waiter for Copies {
    async fn begin(&self, place: usize, link: &Link<'_>) -> Result<Begun, Error> {
        let what = self.targets[place].1.clone()?;
        let known =
            link.call_in_turn(async |daemon| Ok(daemon.caller.inspect(what.clone(), CALL_TIMEOUT).await??));
        let known = known.await.map_err(|error| not_here(error, &what))?;
        let found = status::best(&known, &what).map_err(|error| not_here(error, &what))?;
        let count = ChunkCount::new(found.chunks_total)
            .ok_or_else(|| Error::internal("ttd reported more chunks than a file can have"))?;
        let (name, resource) = (found.name.clone(), found.resource);
        // An id means this content even if its name means other content by now; a name means its newest version.
        let is_by_name = found.name.as_str() == what;
        if is_by_name {
            self.by_name.borrow_mut().insert(place);
        }
        let is_here = found.state == State::Seeding || found.state == State::Outdated && !is_by_name;
        let complete = is_here && status::is_complete(found);
        Ok(Begun::Accepted(Accepted {
            name,
            resource,
            count,
            complete,
            is_tree: found.is_tree,
            comparing: None,
        }))
    }

    fn until(&self, place: usize) -> Until {
        if self.by_name.borrow().contains(&place) { Until::Newest } else { Until::Complete }
    }

    fn not_begun(&self, place: usize, timeout: Duration) -> Error {
        let (what, span) = (&self.targets[place].0, human::duration(timeout));
        Error::new(Kind::TimedOut, format!("{what}: ttd has not answered within {span}"))
    }

    fn before_begin(&self, place: usize) -> String {
        format!("ttd has not reported the state of {} yet", self.targets[place].0)
    }

    async fn ended(
        &self,
        place: usize,
        ended: Result<awaited::Complete, Error>,
        output: &mut Output,
    ) -> Result<(), Error> {
        let ended = match ended {
            Ok(complete) => {
                let name = complete.accepted.name.as_str();
                output.only_text(|output| output.done(&format!("{} is complete", human::clean(name))))?;
                let resource =
                    complete.done.as_ref().map_or(complete.accepted.resource, |done| done.resource);
                let resource = resource.to_string();
                Ok(Complete { name: name.to_owned(), resource, complete: true })
            }
            Err(error) if self.is_single => return Err(error),
            Err(error) => {
                output.error(&error);
                Err(error.told())
            }
        };
        self.ended.borrow_mut().insert(place, ended);
        output.flush_lines()
    }
}

impl Copies {
    /// Ends the command with one document of all complete files.
    fn end(self, waited: Result<(), Error>, output: &mut Output) -> Result<(), Error> {
        let (mut complete, mut errors, mut first) = (Vec::new(), Vec::new(), Ok(()));
        for (place, ended) in self.ended.into_inner() {
            match ended {
                Ok(one) => complete.push(one),
                Err(error) => {
                    let what = self.targets[place].0.clone();
                    errors.push(FailureOf { what, failure: output.failure(&error) });
                    first = first.and(Err(error));
                }
            }
        }
        match (output.is_json(), self.is_single) {
            (false, _) => {}
            (true, true) => complete.into_iter().try_for_each(|one| output.json(&Document::new(one)))?,
            (true, false) => output.json(&Document::new(CompleteAll { complete, errors }))?,
        }
        waited.and(first)
    }
}

/// The hint of ttd, that `ttctl list` shows what is here, is of no use to somebody who waits for what is not here.
fn not_here(error: Error, what: &str) -> Error {
    match error.kind {
        Kind::Refused => error.hint(format!(
            "`ttctl get {}` fetches it; --peers and --percent wait for other machines{}",
            shell::word(what),
            digits_hint(what)
        )),
        _ => error,
    }
}

async fn wait_for_swarm(
    args: &WaitArgs,
    what: &str,
    goal: Goal,
    deadline: &mut Deadline,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    let hint = || format!("`{}` shows which machines are behind", global.command("fleet", what));
    let mut line = Line::new(output);
    let mut seen = Seen::default();
    let ended = tokio::select! {
        met = watch(args, what, goal, global, &mut line, &mut seen) => met,
        () = &mut deadline.reached => {
            let span = human::duration(args.timeout.map(|timeout| timeout.duration()).unwrap_or_default());
            Err(Error::new(Kind::TimedOut, seen.missed(what, goal, &span)).hint(hint()))
        }
        result = tokio::signal::ctrl_c() => {
            result.map_err(|error| Error::io("cannot listen for ^C", &error))?;
            Err(Error::new(Kind::Interrupted, "interrupted; the rollout continues").hint(hint()))
        }
    };
    line.clear();
    let counted = ended?;
    if output.is_json() {
        return output.json(&Document::new(counted));
    }
    let reached = seen.last.as_ref().map(|(fleet, _)| text(fleet)).unwrap_or_default();
    output.done(&format!("{}: {reached}", human::clean(what)))
}

/// What the wait for a swarm has learned so far.
#[derive(Default)]
struct Seen {
    /// The last count, and the largest number of machines that was counted and believed.
    last: Option<(Fleet, Option<u64>)>,
    /// The message of the last error.
    trouble: Option<String>,
}

impl Seen {
    /// Keeps the message of an error and shows it. The wait goes on.
    fn retry_after(&mut self, error: Error, what: &str, line: &mut Line) {
        let message = human::clean(&error.message);
        line.show(&format!("{}: {message}; retrying", human::clean(what)));
        self.trouble = Some(message);
    }

    /// The message after the timeout.
    fn missed(&self, what: &str, goal: Goal, span: &str) -> String {
        match (&self.last, &self.trouble) {
            (Some((fleet, most)), _) => missed(what, goal, fleet, *most, span),
            (None, Some(trouble)) => format!("{what}: no machine was counted within {span}: {trouble}"),
            (None, None) => format!("{what}: ttd or its tracker has not responded within {span}"),
        }
    }
}

/// Asks the tracker until the goal is met. If ttd or the tracker goes away after the first answer, it is waited for;
/// for ttd see [`Asker::reconnect`]. With a timeout, a tracker that is away at the beginning is waited for, too.
async fn watch(
    args: &WaitArgs,
    what: &str,
    goal: Goal,
    global: &Global,
    line: &mut Line,
    seen: &mut Seen,
) -> Result<Counted, Error> {
    let mut asker = Asker::connect(&args.which, global).await?;
    let wanted = look_up(args, what, global, &mut asker, line, seen).await?;
    let back_within = if args.timeout.is_some() { None } else { Some(BACK_WITHIN) };
    let mut most = None;
    loop {
        match asker.count(&wanted).await {
            Ok(TrackerAnswer { tracker, answer: fleet }) => {
                if knows_all(&fleet, most) {
                    most = most.max(Some(all(&fleet)));
                }
                line.show(&format!("{}: {}", human::clean(what), text_so_far(&fleet, most)));
                let met = goal.is_met(&fleet, most);
                let counted = Counted::new(tracker.as_str(), &fleet);
                seen.last = Some((fleet, most));
                if met {
                    return Ok(counted);
                }
            }
            Err(error) => {
                seen.retry_after(error, what, line);
                asker.reconnect(global, back_within).await?;
            }
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Finds out what is meant. An unknown name is an error at once, but not after the tracker was away or when it has just
/// started: a tracker that was restarted knows the name only when the machines that share the file have published it
/// again.
async fn look_up(
    args: &WaitArgs,
    what: &str,
    global: &Global,
    asker: &mut Asker,
    line: &mut Line,
    seen: &mut Seen,
) -> Result<Lookup, Error> {
    let mut was_away = false;
    loop {
        let found = async {
            asker.resource(what).await?;
            asker.lookup(what).await
        };
        let error = match found.await {
            Ok(wanted) => return Ok(wanted),
            Err(error) => error,
        };
        match error.kind {
            Kind::Unreachable if args.timeout.is_none() => {
                let hint = error.hint.as_deref().map_or(String::new(), |hint| format!("{hint}; "));
                return Err(error.hint(format!("{hint}--timeout waits for it")));
            }
            Kind::Unreachable => was_away = true,
            Kind::Refused | Kind::TimedOut if was_away => {}
            Kind::Refused if asker.may_not_know_yet(what).await => {}
            Kind::NoDaemon if was_away => asker.reconnect(global, None).await?,
            _ => return Err(error),
        }
        seen.retry_after(error, what, line);
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// `wait` for one local copy
#[derive(Debug, Serialize)]
struct Complete {
    name: String,
    resource: String,
    complete: bool,
}

/// `wait` for several local copies
#[derive(Debug, Serialize)]
struct CompleteAll {
    complete: Vec<Complete>,
    errors: Vec<FailureOf>,
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
    /// Machines with a former version of the name: they are counted, and are not done.
    outdated: u32,
}

impl Counted {
    fn new(tracker: &str, fleet: &Fleet) -> Counted {
        Counted {
            tracker: tracker.to_owned(),
            resource: fleet.resource.map(|resource| resource.to_string()).unwrap_or_default(),
            done: fleet.seeders,
            running: fleet.leechers,
            gone_unfinished: fleet.gone_unfinished,
            percent: u64::from(fleet.seeders) * 100 / all(fleet).max(1),
            outdated: fleet.outdated,
        }
    }
}
