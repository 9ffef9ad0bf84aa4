//! Brings back what a former run knew: finished files are served without hashing them again, downloads go on
//! with the chunks that they have. Where the small files are torn, empty or missing, the data is looked at.

use super::Driver;
use super::check::find_published;
use crate::library::{Phase, Published, Resource};
use crate::store::{FileIdentity, Loaded, PartFile, Record, Slot, StoreError};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What became of a remembered resource.
pub(super) enum Restored {
    /// Its file is as it was.
    Finished(Published),
    /// It goes on with these chunks.
    Unfinished(PartFile, HaveMap),
    /// What is on disk must be looked at.
    Doubtful(String),
}

impl Driver {
    /// Loads the library. Reads no data, only what is small.
    ///
    /// # Errors
    /// When the list of resources cannot be read.
    pub fn restore(&mut self) -> Result<(), StoreError> {
        self.look_at_room();
        let mut all = Vec::new();
        for entry in self.home.remembered()? {
            match entry {
                Ok(loaded) => all.push(loaded),
                Err(error) => {
                    tracing::error!(%error, "a resource of a former run is not brought back; its files stay");
                }
            }
        }
        let given_up = replaced_names(&mut all);
        for loaded in all {
            self.restore_one(loaded);
        }
        for key in given_up {
            tracing::info!(resource = %key, "its name was given to other content");
            self.saver.forget(key, &self.home.slot(key));
        }
        self.trackers.are_up();
        let all = self.library.iter().count();
        let finished =
            self.library.iter().filter(|(_, resource)| matches!(resource.phase, Phase::Seeding(_))).count();
        tracing::info!(resources = all, finished, "the shared folder is loaded");
        Ok(())
    }

    fn restore_one(&mut self, Loaded { mut record, manifest, rebuilt }: Loaded) {
        let (key, slot): (SwarmKey, Slot) = (record.key, self.home.slot(record.key));
        if let Some(error) = &rebuilt {
            tracing::warn!(resource = %key, name = %manifest.name(), %error,
                "the record of a resource is made anew from its manifest and its data");
        }
        self.suppose_published(&mut record, &slot);
        let restored = match self.look(&record, &manifest, &slot) {
            Ok(restored) => restored,
            Err(error) => {
                tracing::error!(resource = %key, %error, "a resource is not brought back; its files stay");
                return;
            }
        };
        let resource = Resource::new(manifest, record, slot, Phase::Checking(Default::default()));
        if rebuilt.is_some() {
            self.saver.save(&resource.slot, &resource.record);
        }
        self.library.insert(resource);
        self.resume_as(key, restored);
    }

    /// A crash between the publishing of a file and the note of it: the part is gone, the file is there. Whether
    /// it is the right one is for the check to find out; if not, the download had not begun.
    fn suppose_published(&self, record: &mut Record, slot: &Slot) {
        if slot.part().exists() || record.names.iter().any(|name| name.published.is_some()) {
            return;
        }
        for name in &mut record.names {
            name.published = FileIdentity::at(&self.home.file(&name.name)).ok().map(FileIdentity::unsure);
        }
    }

    /// Goes on with a resource as it was found on disk.
    pub(super) fn resume_as(&mut self, key: SwarmKey, restored: Restored) {
        let Some(resource) = self.library.get_mut(key) else { return };
        let manifest = resource.manifest.clone();
        match restored {
            Restored::Finished(published) => {
                resource.phase = Phase::Seeding(Arc::new(published));
                self.join(key);
                self.publish(key); // a name that was still to be made
            }
            Restored::Unfinished(part, have) => {
                let fetching = self.fetching(manifest, Arc::new(part), have);
                if let Some(resource) = self.library.get_mut(key) {
                    resource.phase = Phase::Fetching(fetching);
                }
                self.unblock(key);
            }
            Restored::Doubtful(why) => {
                tracing::warn!(resource = %key, error = %why, "what is on disk is checked");
                self.check_in_turn(key);
            }
        }
    }

    /// Looks what there is of a resource.
    ///
    /// # Errors
    /// When its have map is of a later version: nothing may be changed then.
    pub(super) fn look(
        &self,
        record: &Record,
        manifest: &Manifest,
        slot: &Slot,
    ) -> Result<Restored, StoreError> {
        let mut published = record.names.iter().filter_map(|name| Some((name, name.published?))).peekable();
        if published.peek().is_some() {
            let mut why = String::new();
            for (name, identity) in published {
                match find_published(manifest, &self.home.file(&name.name), identity) {
                    Ok(_) if name.damaged => why = format!("{} was found damaged", name.name),
                    Ok(published) => return Ok(Restored::Finished(published)),
                    Err(error) => why = error,
                }
            }
            return Ok(Restored::Doubtful(why));
        }
        match unfinished(manifest, slot) {
            Err(error) if error.is_later_version() => Err(error),
            Err(error) => Ok(Restored::Doubtful(error.to_string())),
            Ok(restored) => Ok(restored),
        }
    }
}

/// What there is of a download. The have map is believed only as far as the data is long enough for it.
fn unfinished(manifest: &Manifest, slot: &Slot) -> Result<Restored, StoreError> {
    let count = manifest.count();
    let have = slot.read_have(count)?;
    let part = slot.open_part(count)?;
    let (have, bytes) = match have {
        _ if part.length()? == 0 => return Ok(Restored::Unfinished(part, HaveMap::empty(count))),
        None => return Ok(Restored::Doubtful("its have map is missing".to_owned())),
        Some(have) => (have, part.length()?),
    };
    if let Some(missing) = have.iter().find(|index| index.offset() >= bytes) {
        return Ok(Restored::Doubtful(format!("chunk {missing} is noted, and the data ends before it")));
    }
    if count.last().is_some_and(|last| have.contains(last)) {
        part.find_last()?;
    }
    Ok(Restored::Unfinished(part, have))
}

/// A crash may leave two resources with one name: the old one, and the one that was to take its place. The name is
/// the new one's, whose file is still to come. Gives those that have no name left.
fn replaced_names(all: &mut Vec<Loaded>) -> Vec<SwarmKey> {
    let mut owners = BTreeMap::new();
    for loaded in all.iter() {
        for record in &loaded.record.names {
            let is_new = record.published.is_none() && record.replace;
            let owner = owners.entry(record.name.clone()).or_insert((is_new, loaded.record.key));
            if is_new && !owner.0 {
                *owner = (true, loaded.record.key);
            }
        }
    }
    for loaded in all.iter_mut() {
        let key = loaded.record.key;
        loaded.record.names.retain(|record| owners.get(&record.name).is_some_and(|owner| owner.1 == key));
    }
    let nameless = all.extract_if(.., |loaded| loaded.record.names.is_empty());
    nameless.map(|loaded| loaded.record.key).collect()
}
