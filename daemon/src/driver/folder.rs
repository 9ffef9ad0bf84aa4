//! Watches the shared directory: whether it is there, whether it answers, and how much room it has. A thread of its own
//! asks, because an answer may take long. While the folder cannot be used, everything waits.

use super::Driver;
use super::look::Look;
use super::reasons::words_of;
use crate::inbox::{FolderAnswer, Input, TaskInput};
use crate::jobs;
use crate::library::{CheckStep, Checking, Phase, Why};
use crate::store::{NotHere, StoreError};
use crate::watch::{AWAY_AFTER, Away, Back};
use shared::id::SwarmKey;
use shared::rpc::control::{ControlError, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Driver {
    /// Asks whether the folder is there, unless an answer is still missing.
    pub(super) fn ask_folder(&mut self, now: Instant) {
        if self.folder.silent_for(now).is_some() {
            self.all_changed(); // the status shows how long the answer has been missing
        }
        let due = self.folder.due(now);
        if due.is_lost {
            self.go_away(Away::Silent);
        }
        let Some(number) = due.question else { return };
        let (context, home) = (self.context.clone(), self.home.clone());
        let ask = move || {
            let answer = FolderAnswer::of(&home);
            context.tell_blocking(Input::Task(TaskInput::Answered { number, answer }));
        };
        // This needs a thread of its own, because all threads of the pool may be waiting for the folder.
        if jobs::thread("ask-folder", ask).is_ok() {
            self.folder.asked(number, now);
        }
    }

    /// Handles the folder's answer.
    pub(super) fn answered(&mut self, number: u64, answer: FolderAnswer) {
        if self.folder.silent_for(Instant::now()).is_some() {
            self.all_changed();
        }
        let FolderAnswer { here, free, place } = answer;
        let Some(is_moved) = self.folder.answered(number, free, place) else { return };
        match here {
            Err(why) => self.folder_lost(why),
            Ok(()) => self.come_back(is_moved),
        }
        self.keep_room();
    }

    /// The shared directory is not there. Everything waits until it is back, or, if another folder is in its place,
    /// until a restart.
    pub(super) fn folder_lost(&mut self, why: NotHere) {
        if let NotHere::Another(_) = why {
            self.ending = Some(Why::NotHere(why.clone()));
        }
        self.go_away(Away::NotHere(why));
    }

    /// Leaves all swarms until the folder is back. Files that are missing meanwhile do not count as deleted.
    fn go_away(&mut self, away: Away) {
        let why = self.why_away(&away);
        if self.folder.go_away(away) {
            tracing::error!(error = %words_of(&why), "all transfers wait for the shared directory");
            self.slices.give_up();
            let keys: Vec<SwarmKey> = self.library.iter().map(|(key, _)| key).collect();
            keys.into_iter().for_each(|key| self.leave(key));
        }
        self.all_changed();
    }

    fn come_back(&mut self, is_moved: bool) {
        let Some(back) = self.folder.come_back(is_moved) else { return };
        tracing::info!("the shared directory is back");
        let waits = |phase: &Phase| !matches!(phase, Phase::Accepted(_));
        let keys: Vec<SwarmKey> =
            self.library.iter().filter(|(_, resource)| waits(&resource.phase)).map(|(key, _)| key).collect();
        match back {
            Back::AsItWas => keys.into_iter().for_each(|key| {
                self.join(key);
                self.publish(key);
            }),
            Back::Anew => {
                let looks = keys.into_iter().filter_map(|key| self.look_again(key)).collect();
                self.lookers.add(looks);
            }
        }
        self.begin_checks();
        self.next_stray();
        self.all_changed();
    }

    /// Prepares a new look at a resource's files, because open files may belong to a file system that is gone.
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

    /// Why the folder cannot be used now; `None` if it can.
    pub(super) fn folder_trouble(&self) -> Option<Why> {
        if let Some(span) = self.folder.silent_for(Instant::now()) {
            return Some(self.silent(span));
        }
        self.folder.away().map(|away| self.why_away(away))
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

    /// Checks that the folder answers before anything begins that needs it.
    ///
    /// # Errors
    /// When it has not answered for a while.
    pub(super) fn must_answer(&self) -> Result<(), ControlError> {
        self.folder.silent_for(Instant::now()).map_or(Ok(()), |span| {
            Err(ControlError {
                kind: ErrorKind::Refused,
                message: words_of(&self.silent(span)),
                hint: Some("no data is lost; try again when it responds".to_owned()),
            })
        })
    }

    /// The bytes that were free when the folder last answered: two seconds ago, unless it is slow.
    ///
    /// # Errors
    /// Why this is unknown; `None` if the folder was not asked yet.
    pub(super) fn free_bytes(&self) -> Result<u64, Option<Arc<StoreError>>> {
        self.folder.free().cloned().map_or(Err(None), |free| free.map_err(Some))
    }

    /// Asks for the free space at once, because somebody waits for the result.
    pub(super) fn look_at_room(&mut self) {
        self.folder.set_free(self.home.free_bytes().map_err(Arc::new));
    }
}
