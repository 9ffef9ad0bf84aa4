//! A name of a watched directory: how long it must stand still, and what is to be done with it.

use super::seen::{Heard, Seen, Sight};
use crate::inbox::{Holding, Served};
use std::time::{Duration, Instant};

/// How long a file must stand still of which no event told that it was closed: a scan found it, or its file system
/// reports no events. Directories always.
pub(super) const QUIET_AT_LEAST: Duration = Duration::from_secs(10);

/// How long a file must stand still that is still open for writing as far as the events tell. A writer may pause for as
/// long as its network does; a file cut by `truncate(2)` is never closed.
pub(super) const OPEN_QUIET: Duration = Duration::from_secs(3600);

/// How long it is remembered what lay under a name that is gone, so that another file of the same inode, size and time
/// is not taken for it. By then the driver has noticed that the file is gone.
const GONE_FOR: Duration = Duration::from_secs(600);

/// What cannot be shared is tried again after this time, and after twice the time whenever it fails again.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// The longest time until what cannot be shared is tried again. A change of the file is noticed anyway.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(3600);

/// What is to be done with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Share what lies under it.
    Share,
    /// Compare what lies under it with what ttd has: only its change time tells it from that.
    Check,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is shared; or the check found it to be right.
    Good,
    /// The check found other content.
    Differs,
    /// It could not be shared, and why.
    Failed(String),
}

/// What is done first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// What ttd may serve wrong bytes of.
    Doubted,
    /// Everything else.
    New,
}

/// A name of the watched directory.
#[derive(Debug)]
pub(super) struct Entry {
    /// What is being done with it.
    pub(super) stage: Stage,
    /// The file as it was when ttd was last known to have it, or something that only looks like that.
    pub(super) last: Option<Seen>,
    /// What the events say about whoever writes to it.
    pub(super) writer: Writer,
    /// Whether ttd's content of the name was found to be another one than the file's, although the file looks the same.
    is_wrong: bool,
    /// The file as it was last seen, also while it was being shared.
    glimpse: Option<Seen>,
    /// Whether the file was seen to change while its identity stayed the same, since ttd was last known to have it.
    was_touched: bool,
    /// How often sharing it failed in a row.
    failures: u32,
    /// When it is to be looked at again.
    pub(super) timer: Option<Instant>,
    /// When it is its turn to be shared or checked.
    pub(super) turn: Option<(Urgency, u64)>,
}

/// What is being done with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// It was not looked at yet.
    New,
    /// It must not change for a while.
    Settling { seen: Seen, since: Instant },
    /// It stood still.
    Ready { seen: Seen },
    /// It looks like what ttd has, but was changed since.
    Doubted { seen: Seen },
    /// It is being shared or checked.
    Busy { seen: Seen, job: Job },
    /// ttd has it; `last` says how it looked.
    Shared,
    /// It could not be shared.
    Refused { seen: Option<Seen>, why: String, again_at: Option<Instant> },
    /// It was there, and is not any more.
    Gone { since: Instant },
}

/// What the events say about the writer of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// Nothing.
    Unknown,
    /// It has the file open.
    Writes,
    /// It has closed the file since the last look.
    HasClosed,
    /// It had closed the file before the last look.
    Done,
}

impl Entry {
    /// Of a name that was not looked at yet.
    pub(super) fn new() -> Entry {
        Entry {
            stage: Stage::New,
            last: None,
            writer: Writer::Unknown,
            is_wrong: false,
            glimpse: None,
            was_touched: false,
            failures: 0,
            timer: None,
            turn: None,
        }
    }

    /// An event said something of it.
    pub(super) fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Written => self.writer = Writer::Writes,
            Heard::Closed => self.writer = Writer::HasClosed,
            Heard::Changed => {}
        }
    }

    /// The file as it was last seen.
    pub(super) fn seen(&self) -> Option<Seen> {
        match self.stage {
            Stage::Settling { seen, .. }
            | Stage::Ready { seen }
            | Stage::Doubted { seen }
            | Stage::Busy { seen, .. } => Some(seen),
            Stage::Shared => self.last,
            Stage::Refused { seen, .. } => seen,
            Stage::New | Stage::Gone { .. } => None,
        }
    }

    /// Whether a scan says nothing new of it.
    pub(super) fn is_known_as(&self, sight: Sight) -> bool {
        match (sight, &self.stage) {
            (Sight::Gone, stage) => matches!(stage, Stage::Gone { .. }),
            // It was not looked at when it was due, because the directory was not there.
            (_, Stage::Settling { .. }) if self.timer.is_none() => false,
            (Sight::There { seen, .. }, _) => self.seen() == Some(seen),
            (Sight::Never(why), Stage::Refused { seen: None, why: known, .. }) => why == known,
            (Sight::Never(_), _) => false,
        }
    }

    /// ttd has it as it is.
    fn note_shared(&mut self, seen: Seen) -> Stage {
        (self.last, self.is_wrong, self.was_touched, self.failures) = (Some(seen), false, false, 0);
        Stage::Shared
    }

    /// Whether the file was in view as what ttd has, and changed since: what it is now only looks like that.
    fn looked_other(&self, seen: &Seen) -> bool {
        let is_other = |last: Seen| last != *seen && last.identity.is_same(&seen.identity);
        !seen.is_tree && self.last.is_some_and(is_other)
    }

    /// Nothing lies under its name; `None` if that is all that is to be known of it.
    pub(super) fn lose(&mut self, now: Instant) -> Option<Stage> {
        self.writer = Writer::Unknown;
        match self.stage {
            Stage::Gone { since } if now.duration_since(since) >= GONE_FOR => None,
            Stage::Gone { since } => Some(Stage::Gone { since }),
            _ => self.last.or(self.glimpse).map(|_| Stage::Gone { since: now }),
        }
    }

    /// A file lies under its name; that is all that is noted while it is being shared.
    pub(super) fn glimpse(&mut self, seen: Seen) {
        let is_touched = |before: Seen| before != seen && before.identity.is_same(&seen.identity);
        self.was_touched |= self.glimpse.is_some_and(is_touched);
        self.glimpse = Some(seen);
    }

    /// A file lies under its name.
    pub(super) fn saw(&mut self, now: Instant, seen: Seen, has_links: bool, settle: Duration) -> Stage {
        let has_closed = self.writer == Writer::HasClosed;
        self.writer = match self.writer {
            Writer::HasClosed => Writer::Done,
            Writer::Writes if has_links => Writer::Unknown,
            writer => writer,
        };
        self.glimpse(seen);
        match &self.stage {
            Stage::Settling { seen: before, since } if *before == seen && !has_closed => {
                let (seen, since) = (seen, *since);
                match now.duration_since(since) >= self.quiet(settle, seen.is_tree) {
                    true => Stage::Ready { seen },
                    false => Stage::Settling { seen, since },
                }
            }
            Stage::Ready { seen: before } if *before == seen => Stage::Ready { seen },
            Stage::Doubted { seen: before } if *before == seen => Stage::Doubted { seen },
            Stage::Refused { seen: Some(before), again_at: Some(at), .. } if *before == seen => {
                if *at <= now { Stage::Ready { seen } } else { self.stage.clone() }
            }
            Stage::Shared if self.last == Some(seen) => Stage::Shared,
            Stage::Shared | Stage::Doubted { .. } | Stage::Gone { .. } if self.looked_other(&seen) => {
                Stage::Doubted { seen }
            }
            _ => Stage::Settling { seen, since: now },
        }
    }

    /// Decides what is to be done with a file that is ready or in doubt: `holding` is what ttd has under its name. `None`
    /// if it is neither.
    pub(super) fn decide(&mut self, now: Instant, holding: Holding) -> Option<Stage> {
        let (seen, is_settled) = match self.stage {
            Stage::Ready { seen } => (seen, true),
            Stage::Doubted { seen } => (seen, false),
            _ => return None,
        };
        let is_wrong = self.is_wrong && self.last.is_some_and(|last| last.identity.is_same(&seen.identity));
        Some(match holding {
            Holding::Busy => Stage::Settling { seen, since: now },
            Holding::Tree { .. } if !seen.is_tree => other_kind(now, seen, "a directory"),
            Holding::File { .. } if seen.is_tree => other_kind(now, seen, "a file"),
            // Nothing tells what was in it when a person shared it or when it was fetched: then it is as it should be.
            Holding::Tree { served } if self.last.is_none_or(|last| last.print == seen.print) => match served
            {
                Served::Checking => Stage::Settling { seen, since: now },
                Served::Yes => self.note_shared(seen),
                Served::No => Stage::Busy { seen, job: Job::Share },
            },
            Holding::File { identity, served } if identity.is_same(&seen.identity) && !is_wrong => {
                match served {
                    Served::Checking => Stage::Settling { seen, since: now },
                    Served::Yes if !self.was_touched && !self.looked_other(&seen) => self.note_shared(seen),
                    Served::Yes | Served::No => Stage::Busy { seen, job: Job::Check },
                }
            }
            _ if is_settled => Stage::Busy { seen, job: Job::Share },
            _ => Stage::Settling { seen, since: now },
        })
    }

    /// Its job has ended. `None` if it has none.
    pub(super) fn ended(&mut self, now: Instant, outcome: Outcome) -> Option<Stage> {
        let Stage::Busy { seen, .. } = self.stage else { return None };
        Some(match outcome {
            Outcome::Good => {
                let was_touched = self.was_touched && self.glimpse != Some(seen); // since the job began
                let stage = self.note_shared(seen);
                self.was_touched = was_touched;
                stage
            }
            Outcome::Differs => {
                (self.last, self.is_wrong) = (Some(seen), true);
                Stage::Settling { seen, since: now }
            }
            Outcome::Failed(why) => {
                let after = AGAIN_AFTER.saturating_mul(1 << self.failures.min(8)).min(AGAIN_AFTER_MAX);
                self.failures += 1;
                Stage::Refused { seen: Some(seen), why, again_at: Some(now + after) }
            }
        })
    }

    /// How long it must stand still.
    fn quiet(&self, settle: Duration, is_tree: bool) -> Duration {
        match self.writer {
            _ if is_tree => settle.max(QUIET_AT_LEAST),
            Writer::Unknown => settle.max(QUIET_AT_LEAST),
            Writer::Writes => settle.max(OPEN_QUIET),
            Writer::HasClosed | Writer::Done => settle,
        }
    }

    /// Whether nothing lies under its name.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone { .. })
    }

    /// When it is to be looked at again.
    pub(super) fn due(&self, settle: Duration) -> Option<Instant> {
        match &self.stage {
            Stage::Settling { since, seen } => Some(*since + self.quiet(settle, seen.is_tree)),
            Stage::Refused { again_at, .. } => *again_at,
            Stage::Gone { since } => Some(*since + GONE_FOR),
            _ => None,
        }
    }
}

/// What is here has the name of something else that is shared.
fn other_kind(now: Instant, seen: Seen, what: &str) -> Stage {
    let why = format!("{what} is shared under this name");
    Stage::Refused { seen: Some(seen), why, again_at: Some(now + AGAIN_AFTER) }
}
