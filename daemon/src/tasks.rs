//! The tasks of the control protocol: work in the background whose progress and end ttctl asks for.

use shared::rpc::control::{TaskId, TaskState};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Limits the tasks that run at once; a caller who wants one more is refused. Each holds little memory, and most of
/// them wait to be hashed.
const RUNNING_MAX: usize = 1024;

/// What a share is doing when its file is hashed and shared here, and the trackers have not answered yet.
pub const ANNOUNCING: &str = "announcing";

/// How many ended tasks are remembered. Beyond this, those that ended first are forgotten.
const ENDED_MAX: usize = 4096;

/// How long an ended task is remembered, so that a caller can still ask how it ended, even one that had to connect
/// again.
const ENDED_FOR: Duration = Duration::from_secs(300);

/// The tasks that ttctl can ask about.
#[derive(Debug, Default)]
pub struct Tasks {
    last: u64,
    tasks: BTreeMap<TaskId, TaskEntry>,
}

#[derive(Debug)]
struct TaskEntry {
    state: TaskHandle,
    ended: Option<Instant>,
    /// The bytes that the task writes in all; 0 if it writes none.
    room: u64,
}

impl TaskEntry {
    /// Whether nobody works on the task any more, for example because its caller left before it began.
    fn is_left(&self) -> bool {
        Arc::strong_count(&self.state.0) == 1
    }
}

/// The worker's side of a task: publishes progress and the end to those who wait for it.
#[derive(Debug, Clone)]
pub struct TaskHandle(Arc<watch::Sender<TaskState>>);

impl TaskHandle {
    /// Publishes progress.
    pub fn progress(&self, doing: &str, bytes_done: u64, bytes_total: u64) {
        self.0.send_replace(TaskState::Running { bytes_done, bytes_total, doing: doing.to_owned() });
    }

    /// Publishes the end.
    pub fn end(&self, state: TaskState) {
        self.0.send_replace(state);
    }

    /// Publishes the end, unless one was published already.
    pub fn end_if_running(&self, state: impl FnOnce() -> TaskState) {
        self.0.send_if_modified(|present| {
            let is_running = matches!(present, TaskState::Running { .. });
            if is_running {
                *present = state();
            }
            is_running
        });
    }

    /// Subscribes to the task's state.
    pub fn watch(&self) -> watch::Receiver<TaskState> {
        self.0.subscribe()
    }
}

impl Tasks {
    /// Begins a task; `None` when [`RUNNING_MAX`] are running.
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
        self.tasks.insert(TaskId(self.last), TaskEntry { state: state.clone(), ended: None, room: 0 });
        Some((TaskId(self.last), state))
    }

    /// Reserves room on the disk for the bytes that a task writes in all, until it has written them or ended.
    pub fn promise(&mut self, task: TaskId, bytes: u64) {
        if let Some(entry) = self.tasks.get_mut(&task) {
            entry.room = bytes;
        }
    }

    /// The reserved bytes that tasks have not written yet.
    pub fn promised(&self) -> u64 {
        let left = |entry: &TaskEntry| match *entry.state.0.borrow() {
            TaskState::Running { bytes_done, bytes_total, .. } if bytes_total == entry.room => {
                entry.room.saturating_sub(bytes_done)
            }
            TaskState::Running { .. } => entry.room,
            _ => 0,
        };
        self.tasks.values().filter(|entry| entry.room > 0 && !entry.is_left()).map(left).sum()
    }

    /// The handle of a task that runs or is remembered.
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
    use shared::rpc::control::ControlError;

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
