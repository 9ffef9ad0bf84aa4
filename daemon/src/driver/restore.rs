//! Brings back what a former run knew: finished files are served without hashing them again, downloads go on
//! with the chunks that they have.

use super::Driver;
use super::check::find_published;
use crate::library::{Phase, Published, Resource};
use crate::store::{FileIdentity, PartFile, Record, Slot, StoreError, read_have};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use std::sync::Arc;

/// What became of a remembered resource.
enum Restored {
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
        let mut finished = 0;
        let remembered = self.home.remembered()?;
        for entry in remembered {
            match entry {
                Ok((record, manifest)) => finished += u32::from(self.restore_one(record, manifest)),
                Err(error) => {
                    tracing::error!(%error, "a resource of a former run is not remembered; get or share it again")
                }
            }
        }
        let all = self.library.iter().count();
        tracing::info!(resources = all, finished, "the shared folder is loaded");
        Ok(())
    }

    /// Whether the resource is finished.
    fn restore_one(&mut self, mut record: Record, manifest: Manifest) -> bool {
        let (key, slot): (SwarmKey, Slot) = (record.key, self.home.slot(record.key));
        self.suppose_published(&mut record, &slot);
        let restored = self.look(&record, &manifest, &slot);
        let insert = |driver: &mut Driver, phase| {
            driver.library.insert(Resource::new(manifest.clone(), record.clone(), slot.clone(), phase));
        };
        match restored {
            Restored::Finished(published) => {
                insert(self, Phase::Seeding(Arc::new(published)));
                self.join(key);
                self.publish(key); // a name that was still to be made
                return true;
            }
            Restored::Unfinished(part, have) => {
                let fetching = self.fetching(manifest.clone(), part, have);
                insert(self, Phase::Fetching(fetching));
                self.unblock(key);
            }
            Restored::Doubtful(why) => {
                tracing::warn!(resource = %key, error = %why, "what is on disk is checked");
                insert(self, Phase::Checking(Default::default()));
                self.check(key, None);
            }
        }
        false
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

    fn look(&self, record: &Record, manifest: &Manifest, slot: &Slot) -> Restored {
        let mut published = record.names.iter().filter_map(|name| Some((name, name.published?))).peekable();
        if published.peek().is_some() {
            let mut why = String::new();
            for (name, identity) in published {
                match find_published(manifest, &self.home.file(&name.name), identity) {
                    Ok(published) => return Restored::Finished(published),
                    Err(error) => why = error,
                }
            }
            return Restored::Doubtful(why);
        }
        match unfinished(manifest, slot) {
            Ok((part, have)) => Restored::Unfinished(part, have),
            Err(error) => Restored::Doubtful(error.to_string()),
        }
    }
}

fn unfinished(manifest: &Manifest, slot: &Slot) -> Result<(PartFile, HaveMap), StoreError> {
    let count = manifest.count();
    let noted = if slot.part().exists() { read_have(&slot.have(), count)? } else { None };
    let have = noted.unwrap_or_else(|| HaveMap::empty(count));
    let part = PartFile::open(&slot.part(), count)?;
    if count.last().is_some_and(|last| have.contains(last)) {
        part.find_last()?;
    }
    Ok((part, have))
}
