//! Looks at the files of directories in the background, to find those that were edited although nobody reads them: some
//! files at a time, outside the driver.

use super::Driver;
use super::edited::is_served;
use crate::inbox::{Input, Scanned, Spent, TaskInput, TreeLook};
use crate::jobs::processor_time;
use crate::library::{Phase, Resource};
use crate::panicked::Panicked;
use crate::store::{PublishedFile, StoreError, TreeScan};
use crate::watch::{FILES_AT_ONCE_MAX, LOOK_MAX};
use shared::id::SwarmKey;
use std::sync::Arc;
use std::time::Instant;

impl Driver {
    /// Looks at the next files, if it is time for that.
    pub(super) fn scan_trees(&mut self, now: Instant) {
        if self.folder.is_away() || !self.scans.begin(now) {
            return;
        }
        let scan = match self.scan.take().filter(|scan| self.is_scanned(scan)) {
            Some(scan) => Some((scan.published().clone(), Some(scan))),
            None => self.next_tree().map(|published| (published, None)),
        };
        let Some((published, scan)) = scan else { return self.scans.end_round(now) };
        let work = move || {
            let (begin, worked) = (Instant::now(), processor_time());
            let look = look(&published, scan);
            let spent = Spent { worked: processor_time().saturating_sub(worked), lasted: begin.elapsed() };
            Scanned { published, spent, look }
        };
        self.work(work, |scanned| Input::Task(TaskInput::Scanned(scanned)));
    }

    /// Whether a directory that is being looked at is still the one that is served.
    fn is_scanned(&self, scan: &TreeScan) -> bool {
        let resource = self.library.get(scan.published().manifest.key());
        resource.is_some_and(|resource| is_served(resource, scan.published()))
    }

    /// The next directory to be looked at.
    fn next_tree(&self) -> Option<Arc<PublishedFile>> {
        self.library.after(self.scans.last()).find_map(|(_, resource)| served_tree(resource))
    }

    /// Some files of a directory were looked at.
    pub(super) fn scanned(&mut self, scanned: Result<Scanned, Panicked>) {
        let now = Instant::now();
        let (key, Scanned { published, spent, look }) = match scanned {
            Ok(scanned) => (scanned.published.manifest.key(), scanned),
            Err(error) => {
                tracing::error!(%error, "cannot look for edited files; trying again");
                return self.scans.end_round(now);
            }
        };
        let done = !matches!(look, Ok(TreeLook::More(..)));
        self.scans.ended(now, spent.worked, spent.lasted, done.then_some(key));
        match look {
            Ok(TreeLook::More(scan, found)) => {
                self.scan = Some(scan);
                if let Some(found) = found {
                    self.note_more_edits(key, &published, found);
                }
            }
            Ok(TreeLook::All(found)) => self.note_all_edits(key, &published, found),
            Err(error) => {
                tracing::debug!(id = %key, %error, "cannot look for edited files");
                self.source_changed(key, &published, None);
            }
        }
    }

    /// All files of a directory were looked at, and nothing else than this was edited.
    pub(super) fn note_all_edits(
        &mut self,
        key: SwarmKey,
        published: &Arc<PublishedFile>,
        found: Option<crate::store::Edited>,
    ) {
        let Some(resource) = self.library.get_mut(key).filter(|it| is_served(it, published)) else { return };
        let before = resource.edited.as_ref();
        let edited = crate::store::Edited::after_look(before, found);
        if before == edited.as_ref() {
            return;
        }
        let is_less = before.is_some_and(|before| {
            before.chunks.iter().any(|chunk| !edited.as_ref().is_some_and(|it| it.chunks.contains(chunk)))
        });
        match edited {
            Some(edited) if !is_less => self.note_edits(key, published, edited),
            edited => {
                tracing::info!(name = %published.manifest.name(), id = %key, "edited files are as they were again");
                resource.edited = edited;
                self.leave(key);
                self.join(key); // with the chunks that are here again
            }
        }
    }
}

/// A resource's directory, if its chunks are served.
fn served_tree(resource: &Resource) -> Option<Arc<PublishedFile>> {
    match &resource.phase {
        Phase::Seeding(published) if published.tree.is_some() => Some(published.clone()),
        _ => None,
    }
}

/// Looks at the next files of a directory, or at the first ones. Blocks.
fn look(published: &Arc<PublishedFile>, scan: Option<Box<TreeScan>>) -> Result<TreeLook, StoreError> {
    let scan = match scan {
        Some(scan) => Some(scan),
        None => TreeScan::begin(published)?.map(Box::new),
    };
    let Some(mut scan) = scan else { return Ok(TreeLook::All(None)) };
    let had_found = scan.has_found();
    if scan.look(FILES_AT_ONCE_MAX, LOOK_MAX)? {
        return Ok(TreeLook::All(scan.edited()?));
    }
    // The first find is told at once, and the others at the end, since telling them needs the whole listing.
    let found = if scan.has_found() && !had_found { scan.edited()? } else { None };
    Ok(TreeLook::More(scan, found))
}
