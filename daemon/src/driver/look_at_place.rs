//! Looks at what lies under a wanted name before anything is decided about it.

use super::Driver;
use crate::inbox::{Asked, Held, Input, Reply, TaskInput, Wanted, unknown};
use crate::jobs;
use crate::store::{Edited, NameState, NotHere};
use shared::name::ResourceName;
use shared::rpc::control::Accepted;
use std::sync::Arc;

impl Driver {
    /// Looks at what lies under the wanted name, because the library's knowledge may be two seconds old. The driver
    /// does not look itself, since the disk may not answer.
    pub(super) fn look_at_place(&self, wanted: Wanted, is_known: bool, reply: Reply<Accepted>) {
        let (home, context) = (self.home.clone(), self.context.clone());
        let tree = self.tree_bytes(wanted.manifest.name());
        let served = self.former(wanted.manifest.name()).filter(|served| served.tree.is_some()).map(Arc::new);
        let held = self.holder(wanted.manifest.name());
        let asked = Asked { wanted, is_known, served, held, reply };
        let look = move || {
            let place = NameState::look(&home, asked.wanted.manifest.name(), tree);
            let edited = asked.served.as_ref().and_then(|served| served.edited().ok().flatten());
            let here = home.must_be_here();
            Input::Task(TaskInput::Asked { asked: Box::new(asked), place, here, edited })
        };
        jobs::run_and_tell(look, move |looked| context.tell_blocking(looked));
    }

    pub(super) fn asked(
        &mut self,
        asked: Asked,
        place: NameState,
        here: Result<(), NotHere>,
        edited: Option<Edited>,
    ) {
        let Asked { wanted, is_known, served, held, reply } = asked;
        if let (Some(served), Some(edited), Ok(())) = (served, edited, &here) {
            self.note_more_edits(served.manifest.key(), &served, edited);
        }
        let (key, name) = (wanted.manifest.key(), wanted.manifest.name());
        if held != self.holder(name) {
            // The look may have been before a file got or lost the name.
            return self.look_at_place(wanted, is_known, reply);
        }
        let place = match here {
            Ok(()) => place,
            Err(why) => {
                self.folder_lost(why);
                NameState::UNKNOWN
            }
        };
        if is_known && self.library.key_of(name) != Some(key) {
            return drop(reply.send(Err(unknown(name.as_str())))); // it was just removed
        }
        self.carry_out(wanted, place, false, reply);
    }

    /// What has a name, as far as is known.
    fn holder(&self, name: &ResourceName) -> Option<Held> {
        let key = self.library.key_of(name)?;
        let record = self.library.get(key)?.record.names.iter().find(|record| record.name == *name);
        Some(Held { key, file: record.and_then(|record| record.published) })
    }
}
