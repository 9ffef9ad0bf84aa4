//! Writes chunks that occur several times in a resource: when one of them is there, the others are written from it.
//! Nothing keeps the others from being fetched meanwhile.

use super::Driver;
use crate::inbox::{Context, Input, TaskInput};
use crate::jobs;
use crate::library::{Download, Phase, Repeating, ReuseWork, ReusedFrom};
use crate::panicked::caught;
use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::reuse::repeats::Repeats;
use std::sync::Arc;

impl Driver {
    /// A chunk is there. If others have the same content and are missing, they are written, by one thread for each
    /// download.
    pub(super) fn look_for_repetitions(&mut self, key: SwarmKey, index: ChunkIndex) {
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|it| &mut it.phase) else {
            return;
        };
        let Some(repeats) = &fetching.repeats else { return };
        let Some(first) = repeats.like(index).first().copied() else { return };
        let is_in_work = |it: &Repeating| it.groups.contains(&first);
        if fetching.repeating.as_ref().is_some_and(is_in_work) {
            return;
        }
        if repeats.like(index).iter().all(|other| fetching.have.contains(*other)) {
            return;
        }
        let begins = fetching.repeating.is_none();
        let repeating = fetching.repeating.get_or_insert_default();
        repeating.groups.insert(first);
        repeating.queue.push(index);
        if begins {
            self.write_repetitions(key);
        }
    }

    /// A thread has written what was in the queue when it began.
    pub(super) fn repeated(&mut self, download: &Arc<Download>, work: &ReuseWork) {
        if !self.is_current(download) {
            return;
        }
        let key = download.manifest.key();
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|it| &mut it.phase) else {
            return;
        };
        match &fetching.repeating {
            Some(repeating) if !repeating.work.is_same(work) => {} // it was stopped, and another one began
            Some(repeating) if !repeating.queue.is_empty() => self.write_repetitions(key),
            _ => fetching.repeating = None,
        }
    }

    fn write_repetitions(&mut self, key: SwarmKey) {
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|it| &mut it.phase) else {
            return;
        };
        let (Some(repeats), Some(repeating)) = (&fetching.repeats, &mut fetching.repeating) else { return };
        let (download, context) = (fetching.download.clone(), self.context.clone());
        let writing = Writing {
            context: context.clone(),
            download: download.clone(),
            repeats: repeats.clone(),
            have: fetching.have.clone(),
            queue: std::mem::take(&mut repeating.queue),
            work: repeating.work.clone(),
        };
        let work = repeating.work.clone();
        let places = self.reusers.repeating.clone();
        jobs::spawn(async move {
            let Ok(place) = places.acquire_owned().await else { return };
            let written = jobs::run(move || caught(|| writing.perform())).await;
            drop(place);
            if let Ok(Err(error)) = written {
                tracing::error!(id = %key, %error, "cannot write chunks that are there already");
            }
            context.tell(Input::Task(TaskInput::Repeated { download, work })).await;
        });
    }
}

/// Writes the chunks that are like those in the queue, on a thread that may block.
struct Writing {
    context: Arc<Context>,
    download: Arc<Download>,
    repeats: Arc<Repeats>,
    /// The chunks that were there when it began.
    have: HaveMap,
    queue: Vec<ChunkIndex>,
    work: ReuseWork,
}

impl Writing {
    fn perform(&self) {
        for there in &self.queue {
            let Ok(bytes) = self.download.file.read(*there) else { continue };
            let bytes = bytes.freeze();
            for index in self.repeats.like(*there).iter().filter(|index| !self.have.contains(**index)) {
                if !self.work.is_wanted() {
                    return;
                }
                let (download, index) = (self.download.clone(), *index);
                let taken = download.store(index, bytes.clone());
                let is_taken = taken.is_ok();
                let from = ReusedFrom::Itself;
                self.context.tell_blocking(Input::Task(TaskInput::Reused { download, index, from, taken }));
                if !is_taken {
                    return;
                }
            }
        }
    }
}
