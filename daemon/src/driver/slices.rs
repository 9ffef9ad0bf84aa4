//! Checks whether the served files have changed, a slice of them each time.

use super::Driver;
use crate::inbox::{Input, TaskInput};
use crate::library::Phase;
use crate::store::{NotHere, PublishedFile};
use crate::watch::SLICE_MAX;
use shared::id::SwarmKey;
use std::sync::Arc;

impl Driver {
    /// Begins to check the next slice of served files outside the driver. In addition, each file is checked before it
    /// is read.
    pub(super) fn look_at_files(&mut self) {
        if self.folder.is_away() {
            return;
        }
        let Some(number) = self.slices.begin() else { return };
        let (mut slice, mut files) = (Vec::new(), Vec::new());
        for (key, resource) in self.library.after(self.slices.last()).take(SLICE_MAX) {
            slice.push(key);
            if matches!(resource.phase, Phase::Seeding(_)) {
                files.extend(resource.published_files(&self.home).map(|file| (key, file)));
            }
        }
        self.slices.took(slice.last().copied(), slice.len());
        let home = self.home.clone();
        let look = move || {
            let changed = files.into_iter().filter(|(_, published)| !published.is_unchanged());
            let changed = changed.map(|(key, published)| (key, Arc::new(published))).collect();
            // The folder is checked last: if it is there now, files that were missing are really missing.
            (home.must_be_here(), changed)
        };
        self.work(look, move |looked| {
            let (here, changed) = looked.unwrap_or_else(|error| {
                tracing::error!(%error, "cannot look for changed files; trying again");
                (Ok(()), Vec::new())
            });
            Input::Task(TaskInput::Looked { number, here, changed })
        });
    }

    /// A slice of the served files was checked.
    pub(super) fn looked(
        &mut self,
        number: u64,
        here: Result<(), NotHere>,
        changed: Vec<(SwarmKey, Arc<PublishedFile>)>,
    ) {
        if !self.slices.ended(number) {
            return; // the folder was away in between, so the result says nothing about the files
        }
        match here {
            Err(why) => self.folder_lost(why),
            Ok(()) => changed.iter().for_each(|(key, published)| self.source_changed(*key, published, None)),
        }
    }
}
