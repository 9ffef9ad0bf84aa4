//! The follower of a download: a thread that searches the download's content in an older file and takes over what it
//! finds there. What to search, and what to compare, is decided by the plan. If the older version is a directory,
//! [`update_tree`](super::update_tree) does the work.

use crate::inbox::{Context, Input, TaskInput};
use crate::library::{Download, Follow, Followed, Kind, News, ReusedFrom, TakeError};
use crate::panicked::caught;
use crate::store::{Found, OldFile, PublishedFile, be_idle};
use bytes::BytesMut;
use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use shared::name::ResourceName;
use shared::reuse::shift::{Guess, Search, ShiftPlan, Step};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// Limits the followers that search at once; further downloads are fetched as usual until it is their turn. Each takes a
/// thread and a few MiB of memory, and reads the disk.
pub(super) const FOLLOWERS_MAX: usize = 4;

/// How often a follower that waits for a chunk looks whether it is still wanted.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    /// Its place among the followers that run at once.
    pub(super) place: OwnedSemaphorePermit,
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
    /// Searches until there is nothing more to find, or nobody wants it any more. Blocks: it needs a thread of its own.
    pub(super) fn work(self) {
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
        self.tell(Followed::Over { found });
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
        let mut plan = ShiftPlan::new(self.have.clone(), old.bytes(), rand::random());
        while self.run.is_wanted() {
            self.news.try_iter().for_each(|news| hear(&mut plan, news));
            if plan.take_news() {
                self.tell(Followed::Hold(plan.held()));
            }
            match plan.step() {
                Step::Search(search) => self.search(&old, &mut plan, &search),
                Step::Compare(guess) => match self.take(&old, guess) {
                    Take::Over => break,
                    taken => plan.compared(guess, taken == Take::Right),
                },
                Step::Wait => match self.news.recv_timeout(LOOK_EVERY) {
                    Ok(news) => hear(&mut plan, news),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                },
                Step::Over => break,
            }
        }
        plan.found()
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
