//! The follower of a download: a thread that searches the download's content in an older file and takes over what it
//! finds there. What to search, and what to compare, is decided by the plan. If the older version is a directory,
//! [`update_tree`](super::update_tree) does the work.

use super::followers::Followers;
use crate::entropy;
use crate::inbox::{Context, Input, TaskInput};
use crate::jobs;
use crate::library::{Download, Follow, Followed, Kind, News, ReusedFrom, TakeError};
use crate::panicked::caught;
use crate::store::{Found, OldFile, PublishedFile, be_idle};
use bytes::BytesMut;
use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use shared::name::ResourceName;
use shared::reuse::shift::{Guess, Search, ShiftPlan, Step};
use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// How often a follower that waits for a chunk looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a follower works with.
pub(super) struct Follower {
    pub(super) context: Arc<Context>,
    pub(super) download: Arc<Download>,
    /// The chunks that the download has.
    pub(super) have: HaveMap,
    /// The name of what the download will replace.
    pub(super) name: ResourceName,
    pub(super) old: Old,
    /// Whether the download stays a file even if its bytes are those of a directory.
    pub(super) stays_file: bool,
    /// Whether content may be taken from all files of this machine.
    pub(super) is_wide: bool,
    /// What has happened to the download.
    pub(super) news: Receiver<News>,
    pub(super) run: Follow,
    /// All followers.
    pub(super) followers: Followers,
    /// Its place among them.
    pub(super) place: OwnedSemaphorePermit,
    pub(super) rest: Rest,
}

/// Whether a follower has something to do.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// How much it has heard of the download.
    heard: Cell<u64>,
    /// How long it has waited since it last heard anything.
    idle: Cell<Duration>,
    /// Whether it makes way for others.
    makes_way: Cell<bool>,
}

/// What a follower searches in.
#[derive(Debug)]
pub(super) enum Old {
    /// In the file at this path.
    File(PathBuf),
    /// In this directory.
    Tree(Arc<PublishedFile>),
}

impl Old {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Old::File(_) => Kind::File,
            Old::Tree(_) => Kind::Tree,
        }
    }

    fn path(&self) -> &Path {
        match self {
            Old::File(path) => path,
            Old::Tree(tree) => &tree.path,
        }
    }
}

/// What became of a chunk that was taken from an older version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Take {
    /// It is in the download.
    Right,
    /// It is another one.
    Wrong,
    /// Nothing can be written any more.
    Over,
}

impl Follower {
    /// Begins to search, on a thread of its own.
    pub(super) fn begin(self) {
        if let Err(error) = jobs::thread("follower", move || self.work()) {
            tracing::warn!(%error, "cannot search an older file: no thread can be started");
        }
    }

    /// Searches until there is nothing more to find, or nobody wants it any more. Blocks: it needs a thread of its own.
    fn work(self) {
        be_idle();
        let found = caught(|| match &self.old {
            Old::File(path) => self.follow(path),
            Old::Tree(older) => self.update_tree(older),
        });
        let found = found.unwrap_or_else(|panic| {
            let name = self.download.manifest.name();
            tracing::error!(%name, id = %self.download.manifest.key(), error = %panic.at("search", self.old.path()),
                "cannot search the older file; the rest is fetched");
            0
        });
        let heard = self.rest.heard.get();
        self.tell(match self.rest.makes_way.get() {
            true => Followed::MadeWay { found, heard },
            false => Followed::Over { found },
        });
        drop(self.place);
    }

    /// Returns the number of chunks that were found.
    fn follow(&self, path: &Path) -> u32 {
        let old = match OldFile::open(path) {
            Ok(old) => old,
            Err(error) => {
                tracing::debug!(id = %self.download.manifest.key(), %error, "there is no older file to search");
                return 0;
            }
        };
        let mut plan = ShiftPlan::new(self.have.clone(), old.bytes(), entropy::random());
        while self.run.is_wanted() {
            while let Some(news) = self.next_news() {
                hear(&mut plan, news);
            }
            if plan.take_news() {
                self.tell(Followed::Hold(plan.held()));
            }
            match plan.step() {
                Step::Search(search) => self.search(&old, &mut plan, &search),
                Step::Compare(guess) => match self.take(&old, guess) {
                    Take::Over => break,
                    taken => plan.compared(guess, taken == Take::Right),
                },
                Step::Wait => match self.wait_for_news() {
                    ControlFlow::Continue(news) => news.into_iter().for_each(|news| hear(&mut plan, news)),
                    ControlFlow::Break(()) => break,
                },
                Step::Over => break,
            }
        }
        plan.found()
    }

    /// What has happened to the download and was not heard yet.
    pub(super) fn next_news(&self) -> Option<News> {
        self.news.try_recv().ok().inspect(|_| self.note_news())
    }

    /// Waits a moment for news. Breaks when nobody wants the search any more, or when it makes way because it has had
    /// nothing to do for long and others wait for a place.
    pub(super) fn wait_for_news(&self) -> ControlFlow<(), Option<News>> {
        let (moment, rest) = (LOOK_EVERY.min(self.followers.rest_after), &self.rest);
        match self.news.recv_timeout(moment) {
            Ok(news) => {
                self.note_news();
                ControlFlow::Continue(Some(news))
            }
            Err(RecvTimeoutError::Disconnected) => ControlFlow::Break(()),
            Err(RecvTimeoutError::Timeout) => {
                rest.idle.set(rest.idle.get() + moment);
                let is_idle = rest.idle.get() >= self.followers.rest_after;
                rest.makes_way.set(is_idle && self.followers.are_awaited());
                if rest.makes_way.get() { ControlFlow::Break(()) } else { ControlFlow::Continue(None) }
            }
        }
    }

    /// Does not make way soon, although it waits: not for a peer, but for this machine.
    pub(super) fn stay(&self) {
        self.rest.idle.set(Duration::ZERO);
    }

    fn note_news(&self) {
        self.rest.heard.set(self.rest.heard.get() + 1);
        self.stay();
    }

    pub(super) fn search(&self, old: &OldFile, plan: &mut ShiftPlan, search: &Search) {
        let found = match self.download.file.read(search.index) {
            Ok(chunk) => {
                let found = old.search(&chunk, search, &|| self.run.is_wanted());
                tracing::debug!(id = %self.download.manifest.key(), chunk = %search.index, near = ?search.near,
                    shifts = ?found.shifts, bytes = found.bytes, "searched in the older file");
                found
            }
            Err(_) => Found { shifts: Vec::new(), bytes: 0 },
        };
        plan.searched(search.index, &found.shifts, found.bytes);
    }

    /// Takes a chunk from the old file, if it is there.
    pub(super) fn take(&self, old: &OldFile, guess: Guess) -> Take {
        // A file that is shorter than it was, or cannot be read, costs a fetch.
        let Ok(bytes) = old.read(guess.offset, guess.bytes) else { return Take::Wrong };
        self.store(guess.index, bytes)
    }

    /// Writes a chunk of older content, if it is the right one.
    pub(super) fn store(&self, index: ChunkIndex, bytes: BytesMut) -> Take {
        let taken = self.download.store(index, bytes.freeze());
        let took = match &taken {
            Ok(()) => Take::Right,
            Err(TakeError::Corrupt | TakeError::Unread(_)) => return Take::Wrong,
            Err(_) => Take::Over,
        };
        let (download, from) = (self.download.clone(), ReusedFrom::File(self.name.clone()));
        self.context.tell_blocking(Input::Task(TaskInput::Reused { download, index, from, taken }));
        took
    }

    pub(super) fn tell(&self, followed: Followed) {
        let followed =
            TaskInput::Followed { download: self.download.clone(), by: self.run.clone(), followed };
        self.context.tell_blocking(Input::Task(followed));
    }
}

fn hear(plan: &mut ShiftPlan, news: News) {
    if let News::Arrived(index) = news {
        plan.arrived(index);
    }
}
