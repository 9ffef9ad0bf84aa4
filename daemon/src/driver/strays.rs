//! Finds strays at a start: `NAME` beside `NAME.tinytorrent` without a record, because records were torn, empty or
//! gone, or the directory was restored from a backup. Each is compared with its manifest, one at a time, and served
//! again if all of it is right. A wrong file stays as it is, and the next `get` uses its chunks. So does a wrong
//! directory, which the status names in addition, because somebody has most likely edited a file in it.

use super::Driver;
use super::compare::How;
use super::state::RESOURCES_MAX;
use super::unknown_tree::check_lying;
use crate::inbox::{CheckedFile, Compared, Input, Stray, TaskInput, Wanted};
use crate::jobs;
use crate::library::{CheckStep, Checking, Phase, Resource};
use crate::store::{Home, Record, StoreError};
use crate::trust::Trust;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::wanted::WantedBy;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

impl Driver {
    /// Looks for strays. Must be called when all records are loaded.
    pub(super) fn look_for_strays(&self) {
        let (home, context) = (self.home.clone(), self.context.clone());
        let show = move || home.shown_manifests(RESOURCES_MAX);
        jobs::run_and_tell(show, move |shown| {
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
        let noting = &self.noting;
        while let Some(name) = self.strays.next(|name| !noting.contains_key(name)) {
            if self.library.key_of(&name).is_some() {
                continue;
            }
            let (home, context) = (self.home.clone(), self.context.clone());
            let stops = [self.stop.clone(), self.strays.begin(name.clone())];
            let (wanted, path, trust) = (name.clone(), self.home.file(&name), self.context.trust.clone());
            let comparing = self.hashing.of(path.clone(), move || {
                let compared = compare(&home, &trust, &wanted, &stops);
                (compared, home.must_be_here())
            });
            jobs::spawn(async move {
                let failed = |source| (Err(StoreError { doing: "compare", path, source }), Ok(()));
                let (compared, here) = comparing.await.unwrap_or_else(failed);
                let stray = Box::new(Stray { name, compared, here });
                context.tell(Input::Task(TaskInput::Stray(stray))).await;
            });
        }
    }

    pub(super) fn stray(&mut self, Stray { name, compared, here }: Stray) {
        let was_stopped = self.strays.end();
        if was_stopped && here.is_ok() {
            self.strays.left.push_front(name); // it is compared again unless the share that waits for it takes the name
            self.unpark();
            return self.next_stray();
        }
        if let Err(why) = here {
            self.strays.left.push_front(name); // it is compared again when the directory is back
            return self.folder_lost(why);
        }
        match compared {
            Ok((manifest, _, Ok(checked))) if is_different_tree(&checked) => {
                self.show_different_tree(manifest, checked);
            }
            Ok((manifest, signature, checked)) if self.library.key_of(&name).is_none() => {
                // nobody waits for the answer, and a refusal is logged
                let wanted = Wanted { signature, ..Wanted::known(manifest, false, WantedBy::Found) };
                let _ = self.take_if_right(&wanted, checked);
            }
            Ok(_) => {} // somebody got or shared it meanwhile
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::info!(%name, %error, "not shared again: the file does not match the manifest beside it")
            }
        }
        self.next_stray();
    }

    /// Shows a directory that is not what the manifest beside it describes. It stays as it is until somebody asks for
    /// it with `--replace`, or shares it.
    fn show_different_tree(&mut self, manifest: Manifest, checked: CheckedFile) {
        let (key, name) = (manifest.key(), manifest.name().clone());
        let is_known = self.library.key_of(&name).is_some() || self.library.get(key).is_some();
        if is_known || self.must_have_room_for(&name).is_err() {
            return;
        }
        let found = self.name_record(key, &name, Some(checked.identity.unsure()), Some(&WantedBy::Found));
        let record = Record::wanted(key, None, 0, found.clone());
        let phase = Phase::Checking(Checking::new(CheckStep::Waits));
        let resource = Resource::new(manifest, record, self.home.slot(key), phase);
        drop(self.shelve(&resource, false));
        self.library.insert(resource);
        self.keep_different_tree(key, &found, checked);
    }
}

fn is_different_tree(checked: &CheckedFile) -> bool {
    checked.tree.is_some() && !checked.whole
}

fn compare(
    home: &Home,
    trust: &Trust,
    name: &ResourceName,
    stops: &[Arc<AtomicBool>; 2],
) -> Result<Compared, StoreError> {
    let manifest = home.shown_manifest(name)?;
    let signature = home.shown_signature(name);
    let judged = trust.judge(&manifest, signature.as_ref(), false);
    judged.map_err(|why| StoreError {
        doing: "trust",
        path: home.file(name),
        source: io::Error::other(why),
    })?;
    let slot = home.slot(manifest.key());
    slot.refuse_later()?;
    let progress = |_| match stops.iter().any(|stop| stop.load(Ordering::Relaxed)) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let checked = check_lying(home, &slot, How::Strictly, &manifest, &progress);
    Ok((manifest, signature, checked))
}
