//! Makes the folder of a download, opens its part file and begins to fetch.

use super::Driver;
use crate::inbox::{CheckedFile, Input, TaskInput};
use crate::jobs;
use crate::library::{Blocked, Older, Opening, Phase, Resource};
use crate::panicked::caught;
use crate::saver::Shelf;
use crate::store::{PartFile, Record, Slot, StoreError};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use std::sync::Arc;
use std::time::Instant;

impl Driver {
    /// Creates the folder of a download that is only in memory.
    pub(super) fn make_place(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get_mut(key) else { return };
        let opening = Opening::default();
        resource.phase = Phase::Opening(opening.clone());
        let (slot, record, manifest) =
            (resource.slot.clone(), resource.record.clone(), resource.manifest.clone());
        let (opened, context) = (self.open_place(&slot, &record, &manifest), self.context.clone());
        jobs::spawn(async move {
            if let Some(opened) = opened.await {
                context.tell(Input::Task(TaskInput::Made { key, opening, opened })).await;
            }
        });
    }

    /// Returns `None` while the daemon is ending.
    pub(super) fn open_place(
        &self,
        slot: &Slot,
        record: &Record,
        manifest: &Manifest,
    ) -> impl Future<Output = Option<Result<PartFile, StoreError>>> + use<> {
        let (record, manifest, count) = (record.clone(), manifest.clone(), manifest.count());
        let shelved = self.saver.shelve(Shelf { slot: slot.clone(), record, manifest, show: None });
        let slot = slot.clone();
        async move {
            match shelved.await.ok()? {
                Ok(()) => {
                    let open = move || {
                        let opened = caught(|| slot.open_part_anew(count));
                        opened.unwrap_or_else(|panic| Err(panic.at("open", &slot.part())))
                    };
                    jobs::run(open).await.ok()
                }
                Err(error) => Some(Err(error)),
            }
        }
    }

    pub(super) fn made(&mut self, key: SwarmKey, opening: &Opening, opened: Result<PartFile, StoreError>) {
        if self.library.get(key).is_some_and(|resource| resource.is_opening(opening)) {
            self.begin_download(key, opened);
        }
    }

    /// Opens the files of a directory that is being fetched again, after a check. Its listing is read for that, and
    /// everything is made if it is gone.
    pub(super) fn reopen(&mut self, key: SwarmKey, checked: CheckedFile) {
        let Some(resource) = self.library.get_mut(key) else { return };
        let opening = Opening::default();
        resource.phase = Phase::Opening(opening.clone());
        let (slot, count) = (resource.slot.clone(), resource.count());
        let part = slot.part();
        self.work(
            move || slot.open_part(count),
            move |opened| {
                let opened = opened.unwrap_or_else(|panic| Err(panic.at("open", &part)));
                let checked = Box::new(checked);
                Input::Task(TaskInput::Reopened { key, opening, opened, checked })
            },
        );
        self.changed();
    }

    pub(super) fn reopened(
        &mut self,
        key: SwarmKey,
        opening: &Opening,
        opened: Result<PartFile, StoreError>,
        checked: CheckedFile,
    ) {
        if self.library.get(key).is_some_and(|resource| resource.is_opening(opening)) {
            self.fetch_rest(key, opened, checked);
        }
    }

    /// Fetches what a check did not find right.
    pub(super) fn fetch_rest(
        &mut self,
        key: SwarmKey,
        opened: Result<PartFile, StoreError>,
        checked: CheckedFile,
    ) {
        let part = match opened {
            Ok(part) => part,
            Err(error) => return self.not_made(key, error),
        };
        if part.count().last().is_some_and(|last| checked.good.contains(last)) {
            part.set_bytes(checked.bytes);
        }
        match checked.good.is_empty() {
            true => self.begin_with(key, part, checked.good),
            false => self.go_on_with(key, part, checked.good),
        }
    }

    /// Begins a download whose folder was created. If the folder contains an earlier download, that is checked first,
    /// and then the file that the download may replace.
    pub(super) fn begin_download(&mut self, key: SwarmKey, opened: Result<PartFile, StoreError>) {
        let length = opened.and_then(|part| part.length().map(|length| (part, length)));
        let (part, length) = match length {
            Ok(opened) => opened,
            Err(error) => return self.not_made(key, error),
        };
        self.look_at_room();
        if length > 0 {
            return self.check(key);
        }
        let is_unknown = |resource: &Resource| matches!(resource.older, Older::Unknown);
        if self.library.get(key).is_some_and(is_unknown) && self.suppose_it_is(key) {
            return;
        }
        let have = HaveMap::empty(part.count());
        self.begin_with(key, part, have);
    }

    /// Begins a download with chunks that are written and not synced.
    pub(super) fn begin_with(&mut self, key: SwarmKey, part: PartFile, have: HaveMap) {
        self.fetch_with(key, part, have);
    }

    /// Continues a download with chunks that a check found right and that may not be synced.
    pub(super) fn go_on_with(&mut self, key: SwarmKey, part: PartFile, have: HaveMap) {
        if self.fetch_with(key, part, have) {
            tracing::info!(name = self.library.called(key), id = %key, "the download continues");
        }
    }

    /// Returns whether the download has started, and is not blocked.
    fn fetch_with(&mut self, key: SwarmKey, part: PartFile, have: HaveMap) -> bool {
        let Some(resource) = self.library.get(key) else { return false };
        let (manifest, count) = (resource.manifest.clone(), resource.count());
        let mut fetching = self.fetching(manifest, Arc::new(part), have);
        // The data may have been read from the system's cache, so it is synced before the have map is written.
        (fetching.safe, fetching.dirty) = (HaveMap::empty(count), fetching.have.len());
        if let Some(resource) = self.library.get_mut(key) {
            resource.sources.begin(Instant::now());
            resource.is_tree = fetching.download.file.is_tree();
            resource.phase = Phase::Fetching(Box::new(fetching));
            resource.former = None;
        }
        self.start_or_wait(key)
    }

    /// Keeps a download that the disk does not accept yet.
    pub(super) fn not_made(&mut self, key: SwarmKey, error: StoreError) {
        let name = self.library.called(key);
        tracing::warn!(name, id = %key, %error, "the download waits; until there is room, a restart would forget it");
        if let Some(resource) = self.library.get_mut(key) {
            resource.phase = Phase::Accepted(Blocked::new(error));
        }
        self.changed();
    }
}
