//! When what lies in the watched directory is shared: after it stood still, once for each content, one after another.
//! The time is handed in, and nothing here touches the disk.
//!
//! Whoever uses it repeats this: [`heard`](Arrivals::heard) and [`scanned`](Arrivals::scanned) mark names to look at;
//! what lies under each of [`looks`](Arrivals::looks) is told to [`saw`](Arrivals::saw); the
//! [`candidate`](Arrivals::candidate), looked at once more, is told to [`decide`](Arrivals::decide) with what ttd has under
//! its name; and the outcome of the [`Job`] to [`ended`](Arrivals::ended).

use super::entry::{Entry, Job, Outcome, Stage, Urgency, Writer};
use super::seen::{Heard, Print, Seen, Sight};
use crate::inbox::Holding;
use crate::store::FileIdentity;
use shared::name::ResourceName;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Limits the names that are watched. What is beyond is not shared, and its number is told.
pub const NAMES_MAX: usize = 65_536;

/// How many names are in which state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// They must stand still for a while.
    pub settling: usize,
    /// They wait until those before them are hashed, or are being hashed.
    pub waiting: usize,
    /// ttd has them as they lie there.
    pub shared: usize,
    /// They could not be shared.
    pub refused: usize,
    /// They are beyond [`NAMES_MAX`].
    pub beyond: usize,
}

/// All names of the watched directory.
#[derive(Debug)]
pub struct Arrivals {
    settle: Duration,
    names: BTreeMap<ResourceName, Entry>,
    /// Names that something was heard of, or that are to be looked at for another reason.
    marked: BTreeSet<ResourceName>,
    /// When a name is to be looked at again.
    timers: BTreeSet<(Instant, ResourceName)>,
    /// The names that may be shared or checked, in this order: first those in doubt, because ttd may serve wrong bytes.
    ready: BTreeSet<(Urgency, u64, ResourceName)>,
    /// Numbers the names in the order in which they became ready.
    turn: u64,
    /// The name that is being shared or checked.
    busy: Option<ResourceName>,
    /// How many names are gone, and are remembered for a while.
    gone: usize,
    beyond: usize,
}

impl Arrivals {
    /// Without names. Files must stand still for `settle` after they were closed.
    pub fn new(settle: Duration) -> Arrivals {
        Arrivals {
            settle,
            names: BTreeMap::new(),
            marked: BTreeSet::new(),
            timers: BTreeSet::new(),
            ready: BTreeSet::new(),
            turn: 0,
            busy: None,
            gone: 0,
            beyond: 0,
        }
    }

    /// Changes for how long files must stand still. Those that are waiting are looked at again.
    pub fn set_settle(&mut self, settle: Duration) {
        self.settle = settle;
        let waits = |entry: &Entry| matches!(entry.stage, Stage::Settling { .. });
        let waiting = self.names.iter().filter(|(_, entry)| waits(entry)).map(|(name, _)| name.clone());
        self.marked.extend(waiting);
    }

    /// A directory was shared in an earlier run, when it had this print.
    pub fn recall(&mut self, name: ResourceName, print: Print) {
        if self.names.len() < NAMES_MAX {
            let mut entry = Entry::new();
            entry.last = Some(Seen { identity: FileIdentity::unknown(), print, is_tree: true });
            self.names.insert(name.clone(), entry);
            self.marked.insert(name);
        }
    }

    /// The directories that are shared, with their prints.
    pub fn trees(&self) -> impl Iterator<Item = (&ResourceName, Print)> {
        let tree = |entry: &Entry| entry.last.filter(|last| last.is_tree).map(|last| last.print);
        self.names.iter().filter_map(move |(name, entry)| Some((name, tree(entry)?)))
    }

    // -- what becomes known

    /// An event said something of a name.
    pub fn heard(&mut self, name: &ResourceName, heard: Heard) {
        if let Some(entry) = self.names.get_mut(name) {
            entry.hear(heard);
        } else if heard == Heard::Changed || !self.make_room() {
            return; // the next scan counts it
        } else {
            let mut entry = Entry::new();
            entry.hear(heard);
            self.names.insert(name.clone(), entry);
        }
        self.marked.insert(name.clone());
    }

    /// Events were lost or do not come any more: nothing is known about writers, and a scan is due.
    pub fn lost_events(&mut self) {
        self.names.values_mut().for_each(|entry| entry.writer = Writer::Unknown);
        let settling = |entry: &Entry| matches!(entry.stage, Stage::Settling { .. });
        let names = self.names.iter().filter(|(_, entry)| settling(entry)).map(|(name, _)| name.clone());
        self.marked.extend(names);
    }

    /// All names that lie there, as a scan saw them a moment ago; `more` is how many it did not list. Names of which it
    /// says something new are looked at.
    pub fn scanned(&mut self, listed: &BTreeMap<ResourceName, Sight>, more: usize) {
        let mut beyond = more;
        for (name, sight) in listed {
            match self.names.get(name).map(|entry| entry.is_known_as(*sight)) {
                Some(true) => {}
                Some(false) => _ = self.marked.insert(name.clone()),
                None if self.make_room() => {
                    self.names.insert(name.clone(), Entry::new());
                    self.marked.insert(name.clone());
                }
                None => beyond += 1,
            }
        }
        let is_gone =
            |(name, entry): &(&ResourceName, &Entry)| !listed.contains_key(*name) && !entry.is_gone();
        let gone = self.names.iter().filter(is_gone).map(|(name, _)| name.clone());
        self.marked.extend(gone);
        self.beyond = beyond;
    }

    /// The names to look at now, at most `max`. What lies under each must be told to [`saw`](Arrivals::saw).
    pub fn looks(&mut self, now: Instant, max: usize) -> Vec<ResourceName> {
        let mut names = Vec::new();
        while names.len() < max
            && let Some(name) = self.marked.pop_first()
        {
            names.push(name);
        }
        while names.len() < max
            && self.timers.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, name)) = self.timers.pop_first()
        {
            if let Some(entry) = self.names.get_mut(&name) {
                entry.timer = None;
            }
            names.push(name);
        }
        names
    }

    /// When there is something to look at next; `None` if nothing is expected.
    pub fn next_look(&self, now: Instant) -> Option<Instant> {
        match self.marked.is_empty() {
            false => Some(now),
            true => self.timers.first().map(|(at, _)| *at),
        }
    }

    /// What lay under a name at this moment.
    pub fn saw(&mut self, now: Instant, name: &ResourceName, sight: Sight) {
        let settle = self.settle;
        let is_full = !self.names.contains_key(name) && !self.make_room();
        match (self.names.get_mut(name), sight) {
            (None, Sight::Gone) => return,
            (None, _) if is_full => return,
            (None, _) => _ = self.names.insert(name.clone(), Entry::new()),
            (Some(entry), sight) if matches!(entry.stage, Stage::Busy { .. }) => {
                if let Sight::There { seen, .. } = sight {
                    entry.glimpse(seen);
                }
                return; // it is looked at again when the job ends
            }
            (Some(_), _) => {}
        }
        let Some(entry) = self.names.get_mut(name) else { return };
        let next = match sight {
            Sight::Gone => entry.lose(now),
            Sight::Never(why) => Some(Stage::Refused { seen: None, why: why.to_owned(), again_at: None }),
            Sight::There { seen, has_links } => Some(entry.saw(now, seen, has_links, settle)),
        };
        match next {
            Some(stage) => self.put(name, stage),
            None => self.forget(name),
        }
    }

    // -- what is to be done

    /// The name that is shared or checked next, unless one is being shared or checked. It is looked at once more first.
    pub fn candidate(&self) -> Option<ResourceName> {
        let first = self.ready.first().filter(|_| self.busy.is_none());
        first.map(|(_, _, name)| name.clone())
    }

    /// Whether a directory lies under a name, as it was last seen.
    pub fn is_tree(&self, name: &ResourceName) -> bool {
        self.names.get(name).and_then(Entry::seen).is_some_and(|seen| seen.is_tree)
    }

    /// Decides about the candidate, which was just looked at: `holding` is what ttd has under its name. `None` if there is
    /// nothing to do, or not yet.
    pub fn decide(&mut self, now: Instant, name: &ResourceName, holding: Holding) -> Option<Job> {
        let entry = self.names.get_mut(name)?;
        let next = entry.decide(now, holding)?;
        let job = if let Stage::Busy { job, .. } = &next { Some(*job) } else { None };
        self.busy = job.map(|_| name.clone());
        self.put(name, next);
        job
    }

    /// The job of a name has ended.
    pub fn ended(&mut self, now: Instant, name: &ResourceName, outcome: Outcome) {
        self.busy = None;
        let Some(entry) = self.names.get_mut(name) else { return };
        let Some(next) = entry.ended(now, outcome) else { return };
        self.put(name, next);
        self.marked.insert(name.clone()); // it may have changed meanwhile
    }

    // -- what others want to know

    /// How many names are in which state.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { beyond: self.beyond, ..Counts::default() };
        for entry in self.names.values() {
            match entry.stage {
                Stage::New | Stage::Settling { .. } => counts.settling += 1,
                Stage::Ready { .. } | Stage::Doubted { .. } | Stage::Busy { .. } => counts.waiting += 1,
                Stage::Shared => counts.shared += 1,
                Stage::Refused { .. } => counts.refused += 1,
                Stage::Gone { .. } => {}
            }
        }
        counts
    }

    /// The names that could not be shared, and why.
    pub fn refused(&self) -> impl Iterator<Item = (&ResourceName, &str)> {
        self.names.iter().filter_map(|(name, entry)| match &entry.stage {
            Stage::Refused { why, .. } => Some((name, why.as_str())),
            _ => None,
        })
    }

    /// The name that is being shared or checked.
    pub fn busy(&self) -> Option<&ResourceName> {
        self.busy.as_ref()
    }

    // -- the indexes

    /// Makes room for one more name: those that are gone make way. Returns whether there is any.
    fn make_room(&mut self) -> bool {
        if self.names.len() >= NAMES_MAX && self.gone > 0 {
            let gone = self.names.iter().filter(|(_, entry)| entry.is_gone());
            let gone: Vec<ResourceName> = gone.map(|(name, _)| name.clone()).collect();
            gone.iter().for_each(|name| self.forget(name));
        }
        self.names.len() < NAMES_MAX
    }

    /// Changes the state of a name.
    fn put(&mut self, name: &ResourceName, stage: Stage) {
        let settle = self.settle;
        let Some(entry) = self.names.get_mut(name) else { return };
        let urgency = match &stage {
            Stage::Ready { .. } => Some(Urgency::New),
            Stage::Doubted { .. } => Some(Urgency::Doubted),
            _ => None,
        };
        self.gone -= usize::from(entry.is_gone());
        entry.stage = stage;
        self.gone += usize::from(entry.is_gone());
        let timer = entry.due(settle);
        if let Some(at) = std::mem::replace(&mut entry.timer, timer) {
            self.timers.remove(&(at, name.clone()));
        }
        self.timers.extend(timer.map(|at| (at, name.clone())));
        if entry.turn.map(|(urgency, _)| urgency) == urgency {
            return; // it keeps its turn
        }
        self.turn += 1;
        let turn = urgency.map(|urgency| (urgency, self.turn));
        if let Some((urgency, at)) = std::mem::replace(&mut entry.turn, turn) {
            self.ready.remove(&(urgency, at, name.clone()));
        }
        self.ready.extend(turn.map(|(urgency, at)| (urgency, at, name.clone())));
    }

    fn forget(&mut self, name: &ResourceName) {
        let Some(entry) = self.names.remove(name) else { return };
        self.gone -= usize::from(entry.is_gone());
        if let Some(at) = entry.timer {
            self.timers.remove(&(at, name.clone()));
        }
        if let Some((urgency, at)) = entry.turn {
            self.ready.remove(&(urgency, at, name.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
