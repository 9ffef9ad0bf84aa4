//! Finds strays at a start: `NAME` beside `NAME.tinytorrent` without a record, because records were torn, empty or
//! gone, or the directory was restored from a backup. Each is compared with its manifest, one at a time, and served
//! again if all of it is right. A wrong file stays as it is, and the next `get` uses its chunks.

use super::Driver;
use super::compare::{How, check_path, still_there};
use super::state::RESOURCES_MAX;
use crate::inbox::{CheckedFile, Input, Stray, TaskInput, Wanted};
use crate::store::{Home, StoreError};
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::wanted::WantedBy;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

impl Driver {
    /// Looks for strays. Must be called when all records are loaded.
    pub(super) fn look_for_strays(&self) {
        let (home, context) = (self.home.clone(), self.context.clone());
        tokio::task::spawn_blocking(move || {
            let shown = home.shown_manifests(RESOURCES_MAX);
            context.tell_blocking(Input::Task(TaskInput::Shown(shown)));
        });
    }

    pub(super) fn shown(&mut self, shown: Result<Vec<ResourceName>, StoreError>) {
        match shown {
            Ok(names) => {
                let unknown = names.into_iter().filter(|name| self.library.key_of(name).is_none());
                self.strays.left.extend(unknown);
                self.next_stray();
            }
            Err(error) => tracing::warn!(%error, "cannot look for finished files that no record names"),
        }
    }

    /// Compares the next stray, unless one is being compared.
    pub(super) fn next_stray(&mut self) {
        while !self.strays.is_comparing
            && let Some(name) = self.strays.left.pop_front()
        {
            if self.library.key_of(&name).is_some() {
                continue;
            }
            let (home, stop, context) = (self.home.clone(), self.stop.clone(), self.context.clone());
            let (wanted, path) = (name.clone(), self.home.file(&name));
            let comparing = self.hashing.of(path.clone(), move || {
                let compared = compare(&home, &wanted, &stop);
                (compared, home.must_be_here())
            });
            self.strays.is_comparing = true;
            tokio::spawn(async move {
                let failed = |source| (Err(StoreError { doing: "compare", path, source }), Ok(()));
                let (compared, here) = comparing.await.unwrap_or_else(failed);
                context.tell(Input::Task(TaskInput::Stray(Stray { name, compared, here }))).await;
            });
        }
    }

    pub(super) fn stray(&mut self, Stray { name, compared, here }: Stray) {
        self.strays.is_comparing = false;
        if let Err(why) = here {
            self.strays.left.push_front(name); // it is compared again when the directory is back
            return self.folder_lost(why);
        }
        match compared {
            Ok((manifest, checked)) if self.library.key_of(&name).is_none() => {
                // nobody waits for the answer, and a refusal is logged
                let _ = self.take_if_right(&Wanted::known(manifest, false, WantedBy::Found), checked);
            }
            Ok(_) => {} // somebody got or shared it meanwhile
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::info!(%name, %error, "not shared again: the file does not match the manifest beside it")
            }
        }
        self.next_stray();
    }
}

fn compare(
    home: &Home,
    name: &ResourceName,
    stop: &AtomicBool,
) -> Result<(Manifest, io::Result<CheckedFile>), StoreError> {
    let manifest = home.shown_manifest(name)?;
    home.slot(manifest.key()).refuse_later()?;
    let path = home.file(name);
    let progress = |_| match stop.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let checked = check_path(&path, How::Strictly, &manifest, &progress);
    Ok((manifest, checked.and_then(|checked| still_there(&path, checked))))
}
