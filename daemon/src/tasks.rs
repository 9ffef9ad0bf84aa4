//! Work in the background: what ttctl waits for, and what comes back to the driver when it ends.

use crate::driver::{Asked, FolderAnswer, Reply, Seen, Stray, Turn, Wanted};
use crate::library::{Check, Download, HashedWhole, Published, ReadError, Source};
use crate::store::{Copied, FileIdentity, NotHere, PartFile, Place, PublishError, Record, Slot, StoreError};
use crate::tracker::catalogue::Hit;
use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use shared::host::hashing::Hashed;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::{Accepted, ControlError, ResourceStatus, ShareRequest, TaskId, TaskState};
use shared::rpc::tracker::Namesake;
use shared::swarm::PeerAddr;
use shared::url::TrackerUrl;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How many tasks run at once.
const RUNNING_MAX: usize = 1024;

/// How many ended tasks are remembered: beyond that the one that ended first is forgotten.
const ENDED_MAX: usize = 4096;

/// How long an ended task is remembered.
const ENDED_FOR: Duration = Duration::from_secs(300);

/// What comes back from the background.
#[derive(Debug)]
pub enum TaskInput {
    /// A file of the folder was hashed, to be shared.
    Hashed { task: TaskId, request: ShareRequest, hashed: io::Result<(Hashed, FileIdentity)> },
    /// The trackers said which other machine shares something under the name of a hashed file, or nothing.
    Cleared {
        task: TaskId,
        request: ShareRequest,
        hashed: (Hashed, FileIdentity),
        other: Option<(TrackerUrl, Namesake)>,
    },
    /// An import lies under its name.
    Imported { task: TaskId, request: ShareRequest, imported: Imported },
    /// What lies under the name that somebody asks for was looked at, and the folder was there after that, or not.
    Asked { asked: Asked, place: Place, here: Result<(), NotHere> },
    /// The files of what somebody asks about were looked at.
    Inspected {
        what: String,
        here: Result<(), NotHere>,
        changed: Vec<(SwarmKey, Arc<Published>)>,
        reply: Reply<Vec<ResourceStatus>>,
    },
    /// A file that nobody knows was compared with what is wanted under its name.
    Compared { task: Option<TaskId>, wanted: Wanted, checked: io::Result<CheckedFile> },
    /// The names of the visible manifests of the folder.
    Shown(Result<Vec<ResourceName>, StoreError>),
    /// A file that nobody remembers was compared with the manifest beside it.
    Stray(Stray),
    /// The chunks that fit were copied from the file under a name into the download that will take its place.
    Copied { key: SwarmKey, check: Check, copied: Result<Copied, StoreError> },
    /// The place of a new download is made.
    Opened {
        wanted: Box<Wanted>,
        record: Box<Record>,
        place: Place,
        reply: Reply<Accepted>,
        opened: Result<PartFile, StoreError>,
    },
    /// The place of a download that was accepted before is made, or still cannot be.
    Made { key: SwarmKey, check: Check, opened: Result<PartFile, StoreError> },
    /// The places of a former run's resources were listed.
    Listed(Result<Vec<Slot>, StoreError>),
    /// The files of some resources were looked at.
    Seen(Vec<Seen>),
    /// The trackers of a resource named another list of its chunks, or none.
    Another { key: SwarmKey, found: Option<Box<Hit>> },
    /// A question to the shared folder was answered.
    Answered { number: u64, answer: FolderAnswer },
    /// The files that are served were looked at: which are not what they were, or why the folder is not there.
    Looked { number: u64, here: Result<(), NotHere>, changed: Vec<(SwarmKey, Arc<Published>)> },
    /// A chunk that was doubted was read: whether it is right.
    Suspected { key: SwarmKey, index: ChunkIndex, peer: PeerAddr, good: Result<bool, ReadError> },
    /// What lies on disk was compared with the manifest, and the folder was there after that, or not.
    Checked {
        key: SwarmKey,
        check: Check,
        turn: Turn,
        checked: io::Result<CheckedFile>,
        here: Result<(), NotHere>,
    },
    /// The data of these chunks was synced.
    Synced { download: Arc<Download>, have: HaveMap, synced: Result<(), StoreError> },
    /// The have map was persisted, after a sync or as a probe of a disk that has refused.
    Noted { download: Arc<Download>, have: HaveMap, is_probe: bool, noted: Result<(), StoreError> },
    /// The hash of a whole download is there.
    Whole { download: Arc<Download>, whole: HashedWhole },
    /// A download, or a copy of a finished file, lies under its name, or could not be put there.
    Published { source: Source, name: ResourceName, published: Result<FileIdentity, PublishError> },
}

/// How an import ended: its hashes, and the file under its name.
pub type Imported = Result<(Hashed, FileIdentity), ControlError>;

/// What a check found.
#[derive(Debug)]
pub struct CheckedFile {
    /// The chunks that are right.
    pub good: HaveMap,
    /// Whether the whole file is right.
    pub whole: bool,
    /// The file's size in bytes.
    pub bytes: u64,
    /// The chunks that the disk did not read, which count as not right.
    pub unreadable: Vec<ChunkIndex>,
    /// The file's identity when it was read.
    pub identity: FileIdentity,
}

/// The tasks that ttctl can ask about.
#[derive(Debug, Default)]
pub struct Tasks {
    last: u64,
    tasks: BTreeMap<TaskId, Entry>,
}

#[derive(Debug)]
struct Entry {
    state: TaskHandle,
    ended: Option<Instant>,
    /// The bytes that it writes in all.
    room: u64,
}

impl Entry {
    /// Nobody works on it any more, or its caller went away before it was begun.
    fn is_left(&self) -> bool {
        Arc::strong_count(&self.state.0) == 1
    }
}

/// Tells those who wait for a task how far it is.
#[derive(Debug, Clone)]
pub struct TaskHandle(Arc<watch::Sender<TaskState>>);

impl TaskHandle {
    /// Takes note of progress.
    pub fn progress(&self, doing: &str, bytes_done: u64, bytes_total: u64) {
        self.0.send_replace(TaskState::Running { bytes_done, bytes_total, doing: doing.to_owned() });
    }

    /// The task ended.
    pub fn end(&self, state: TaskState) {
        self.0.send_replace(state);
    }

    /// The task ended, unless its end was told already.
    pub fn end_if_running(&self, state: impl FnOnce() -> TaskState) {
        self.0.send_if_modified(|present| {
            let is_running = matches!(present, TaskState::Running { .. });
            if is_running {
                *present = state();
            }
            is_running
        });
    }

    /// Follows the task.
    pub fn watch(&self) -> watch::Receiver<TaskState> {
        self.0.subscribe()
    }
}

impl Tasks {
    /// A new task; `None` when there are too many.
    pub fn begin(&mut self, now: Instant) -> Option<(TaskId, TaskHandle)> {
        self.forget_ended(now);
        let ended = self.tasks.iter().filter_map(|(id, entry)| Some((entry.ended?, *id)));
        let mut ended: Vec<(Instant, TaskId)> = ended.collect();
        if self.tasks.len() - ended.len() >= RUNNING_MAX {
            return None;
        }
        if ended.len() > ENDED_MAX {
            ended.sort_unstable();
            for (_, first) in &ended[..ended.len() - ENDED_MAX] {
                self.tasks.remove(first);
            }
        }
        self.last += 1;
        let start = TaskState::Running { bytes_done: 0, bytes_total: 0, doing: "starting".to_owned() };
        let state = TaskHandle(Arc::new(watch::Sender::new(start)));
        self.tasks.insert(TaskId(self.last), Entry { state: state.clone(), ended: None, room: 0 });
        Some((TaskId(self.last), state))
    }

    /// A task writes this many bytes in all: they are promised to it until it has, or has ended.
    pub fn promise(&mut self, task: TaskId, bytes: u64) {
        if let Some(entry) = self.tasks.get_mut(&task) {
            entry.room = bytes;
        }
    }

    /// The bytes that tasks have still to write.
    pub fn promised(&self) -> u64 {
        let left = |entry: &Entry| match *entry.state.0.borrow() {
            TaskState::Running { bytes_done, bytes_total, .. } if bytes_total == entry.room => {
                entry.room.saturating_sub(bytes_done)
            }
            TaskState::Running { .. } => entry.room,
            _ => 0,
        };
        self.tasks.values().filter(|entry| entry.room > 0 && !entry.is_left()).map(left).sum()
    }

    /// A task that is remembered.
    pub fn get(&self, task: TaskId) -> Option<&TaskHandle> {
        self.tasks.get(&task).map(|entry| &entry.state)
    }

    fn forget_ended(&mut self, now: Instant) {
        for entry in self.tasks.values_mut() {
            let is_left = entry.is_left();
            let is_running = matches!(*entry.state.0.borrow(), TaskState::Running { .. });
            entry.ended = (is_left || !is_running).then(|| entry.ended.unwrap_or(now));
        }
        self.tasks.retain(|_, entry| entry.ended.is_none_or(|ended| now.duration_since(ended) < ENDED_FOR));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_nobody_works_on_is_forgotten() {
        let (mut tasks, start) = (Tasks::default(), Instant::now());
        let (kept, handle) = tasks.begin(start).unwrap();
        for _ in 0..10 {
            tasks.begin(start).unwrap();
        }
        tasks.begin(start).unwrap();
        assert_eq!(tasks.tasks.len(), 12);
        tasks.begin(start + ENDED_FOR).unwrap();
        assert_eq!(tasks.tasks.len(), 3, "all but the last one, of which nobody knew that it was left");
        assert!(tasks.get(kept).is_some(), "it goes on");
        drop(handle);
    }

    #[test]
    fn however_many_have_ended_others_begin_and_those_that_run_are_bounded() {
        let (mut tasks, start) = (Tasks::default(), Instant::now());
        let (first, handle) = tasks.begin(start).unwrap();
        handle.end(TaskState::Failed(ControlError {
            kind: shared::rpc::control::ErrorKind::Refused,
            message: String::new(),
            hint: None,
        }));
        for number in 0..ENDED_MAX as u32 + 100 {
            assert!(
                tasks.begin(start + Duration::from_millis(number.into())).is_some(),
                "{number} have ended"
            );
        }
        assert!(tasks.get(first).is_none(), "the first one is forgotten");
        assert!(tasks.tasks.len() <= ENDED_MAX + 2);
        let running: Vec<_> = (0..RUNNING_MAX).map_while(|_| tasks.begin(start)).collect();
        assert_eq!(running.len(), RUNNING_MAX);
        assert!(tasks.begin(start).is_none(), "there are too many");
        drop(running);
        assert!(tasks.begin(start).is_some());
    }
}
