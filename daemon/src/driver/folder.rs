//! Watches the shared folder: whether it is there and answers, how much room it has, and whether the files in it are
//! still the ones that were hashed. What is asked again and again is asked off the driver, since a disk that is busy, or
//! the server of a network file system that is down, may not answer for a long time. While the folder cannot be used
//! everything waits.

use super::Driver;
use super::look::Look;
use super::reasons::words_of;
use crate::inbox::{FolderAnswer, Input, TaskInput};
use crate::library::{CheckStep, Checking, Phase, Published, Why};
use crate::store::{NotHere, StoreError};
use crate::watch::Away;
use shared::id::SwarmKey;
use shared::rpc::control::{ControlError, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A folder that has not answered for so long counts as not there: others do better to ask somebody else.
const AWAY_AFTER: Duration = Duration::from_secs(30);

/// A folder that does not answer is asked again after so long: another file system may be in its place by then …
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// … while no more questions than these wait. Each keeps a thread.
const WAITING_MAX: u32 = 8;

/// The files of this many resources are looked at every two seconds. A change of a file that nobody reads is noticed
/// within two seconds for each thousand resources, so that 100,000 take three minutes and no more of a processor than
/// 1,000 do.
pub(super) const SLICE_MAX: usize = 1024;

impl Driver {
    /// Asks whether the folder is there, unless it still owes an answer.
    pub(super) fn ask_folder(&mut self, now: Instant) {
        let folder = &mut self.folder;
        if let (Some(since), Some(asked_at)) = (folder.silent_since, folder.asked_at) {
            let is_again =
                now.saturating_duration_since(asked_at) >= AGAIN_AFTER && folder.waiting < WAITING_MAX;
            let is_lost = !folder.is_away() && now.saturating_duration_since(since) >= AWAY_AFTER;
            if is_lost {
                self.go_away(Away::Silent);
            }
            if !is_again {
                return;
            }
        }
        let (context, home, number) = (self.context.clone(), self.home.clone(), self.folder.asked + 1);
        let ask = move || {
            let answer = FolderAnswer::of(&home);
            context.tell_blocking(Input::Task(TaskInput::Answered { number, answer }));
        };
        // A thread of its own: all others may be busy with the folder.
        let thread = std::thread::Builder::new().name("ask-folder".to_owned());
        if thread.spawn(ask).is_ok() {
            let folder = &mut self.folder;
            (folder.asked, folder.asked_at) = (number, Some(now));
            folder.silent_since.get_or_insert(now);
            folder.waiting += 1;
        }
    }

    /// The folder has answered.
    pub(super) fn answered(&mut self, number: u64, answer: FolderAnswer) {
        self.folder.waiting = self.folder.waiting.saturating_sub(1);
        if number <= self.folder.heard {
            return;
        }
        (self.folder.heard, self.folder.silent_since) = (number, None);
        self.folder.free = Some(answer.free);
        let is_moved = self.folder.place.is_some_and(|before| answer.place != Some(before));
        self.folder.place = answer.place.or(self.folder.place);
        match answer.here {
            Err(why) => self.folder_lost(why),
            Ok(()) => self.come_back(is_moved),
        }
        self.keep_room();
    }

    /// Looks, off the driver, whether files that are served are still the ones that were hashed: the next slice of
    /// them. Whatever is read is looked at before, too.
    pub(super) fn look_at_files(&mut self) {
        if self.folder.is_away() || std::mem::replace(&mut self.folder.looking, true) {
            return;
        }
        self.folder.look += 1;
        let number = self.folder.look;
        let (mut slice, mut files) = (Vec::new(), Vec::new());
        for (key, resource) in self.library.after(self.folder.looked_at).take(SLICE_MAX) {
            slice.push(key);
            if matches!(resource.phase, Phase::Seeding(_)) {
                files.extend(resource.published_files(&self.home).map(|file| (key, file)));
            }
        }
        // after the last one the next slice is the first
        self.folder.looked_at = slice.last().copied().filter(|_| slice.len() == SLICE_MAX);
        let home = self.home.clone();
        let look = move || {
            let changed = files.into_iter().filter(|(_, published)| !published.is_unchanged());
            let changed = changed.map(|(key, published)| (key, Arc::new(published))).collect();
            // Looked at last: if the folder is there now, what was missing before is missing indeed.
            (home.must_be_here(), changed)
        };
        self.work(look, move |looked| {
            let (here, changed) = looked.unwrap_or_else(|error| {
                tracing::error!(%error, "the shared files were not looked at; they are looked at again");
                (Ok(()), Vec::new())
            });
            Input::Task(TaskInput::Looked { number, here, changed })
        });
    }

    /// The files that are served were looked at.
    pub(super) fn looked(
        &mut self,
        number: u64,
        here: Result<(), NotHere>,
        changed: Vec<(SwarmKey, Arc<Published>)>,
    ) {
        if number != self.folder.look || !std::mem::take(&mut self.folder.looking) {
            return; // the folder was away in between: that says nothing of its files
        }
        match here {
            Err(why) => self.folder_lost(why),
            Ok(()) => changed.iter().for_each(|(key, published)| self.source_changed(*key, published)),
        }
    }

    /// The shared folder is not there: everything waits for it, or for a restart if another one is in its place.
    pub(super) fn folder_lost(&mut self, why: NotHere) {
        if let NotHere::Another(_) = why {
            self.ending = Some(Why::NotHere(why.clone()));
        }
        self.go_away(Away::NotHere(why));
    }

    /// Nothing takes part in its swarm until the folder is back, and nothing that is missing counts as deleted.
    fn go_away(&mut self, away: Away) {
        if !self.folder.is_away() {
            tracing::error!(error = %words_of(&self.why_away(&away)), "everything waits");
            self.folder.looking = false;
            let keys: Vec<SwarmKey> = self.library.iter().map(|(key, _)| key).collect();
            keys.into_iter().for_each(|key| self.leave(key));
        }
        self.all_changed();
        self.folder.away = Some(away);
    }

    fn come_back(&mut self, is_moved: bool) {
        let Some(away) = self.folder.away.take() else { return };
        tracing::info!("the shared folder is back");
        let waits = |phase: &Phase| !matches!(phase, Phase::Accepted(_));
        let keys: Vec<SwarmKey> =
            self.library.iter().filter(|(_, resource)| waits(&resource.phase)).map(|(key, _)| key).collect();
        if matches!(away, Away::Silent) && !is_moved {
            for key in keys {
                self.join(key);
                self.publish(key);
            }
        } else {
            let looks = keys.into_iter().filter_map(|key| self.look_again(key)).collect();
            self.lookers.add(looks);
        }
        self.begin_checks();
        self.next_stray();
        self.all_changed();
    }

    /// What there is of a resource is looked at once more: what was open may be open on a file system that is gone.
    fn look_again(&mut self, key: SwarmKey) -> Option<Look> {
        let resource = self.library.get_mut(key)?;
        resource.troubles.clear();
        let checking = Checking::new(CheckStep::Looks);
        let check = checking.check.clone();
        resource.phase = Phase::Checking(checking);
        let (record, manifest, slot) =
            (Box::new(resource.record.clone()), resource.manifest.clone(), resource.slot.clone());
        Some(Look::Again { key, record, manifest, slot, check })
    }

    // -- what others want to know

    /// Why the folder cannot be used now, if it cannot.
    pub(super) fn folder_trouble(&self) -> Option<Why> {
        if let Some(span) = self.folder.silent_for(Instant::now()) {
            return Some(self.silent(span));
        }
        self.folder.away.as_ref().map(|away| self.why_away(away))
    }

    fn why_away(&self, away: &Away) -> Why {
        match away {
            Away::NotHere(not_here) => Why::NotHere(not_here.clone()),
            Away::Silent => self.silent(AWAY_AFTER),
        }
    }

    fn silent(&self, span: Duration) -> Why {
        Why::Silent { folder: self.home.folder().to_owned(), span }
    }

    /// Nothing that needs the folder is begun while it does not answer: that would take until it does.
    ///
    /// # Errors
    /// When it has not answered for a while.
    pub(super) fn must_answer(&self) -> Result<(), ControlError> {
        self.folder.silent_for(Instant::now()).map_or(Ok(()), |span| {
            Err(ControlError {
                kind: ErrorKind::Refused,
                message: words_of(&self.silent(span)),
                hint: Some("nothing is lost; try again when it answers".to_owned()),
            })
        })
    }

    /// Bytes that were free in the folder when it last answered: two seconds ago, unless it is slow.
    ///
    /// # Errors
    /// Why nobody knows; `None` before it was asked.
    pub(super) fn free_bytes(&self) -> Result<u64, Option<Arc<StoreError>>> {
        self.folder.free.clone().map_or(Err(None), |free| free.map_err(Some))
    }

    /// Asks for the free space at once: somebody waits for what comes of it.
    pub(super) fn look_at_room(&mut self) {
        self.folder.free = Some(self.home.free_bytes().map_err(Arc::new));
    }
}
