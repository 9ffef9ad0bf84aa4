//! Puts complete and right downloads under their names.

use super::Driver;
use super::blocked::RETRY_AFTER;
use super::rates::took_at_rate;
use super::reasons::no_room_words;
use super::room::data_bytes_max;
use super::state::Publishing;
use crate::inbox::{Input, TaskInput};
use crate::library::{Blocked, Download, Fetched, HashedWhole, Older, Phase, Shaping, Source, Why};
use crate::panicked::Panicked;
use crate::store::{FileIdentity, NameRecord, PublishError};
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::plain::size;
use shared::swarm::PeerAddr;
use std::sync::Arc;
use std::time::Instant;

/// How many files are published at once; further ones wait. Each is synced, and a copy under another name is hashed in
/// 8 MiB of memory.
pub(super) const PUBLISHING_MAX: usize = 16;

impl Driver {
    /// The hash of a complete download was computed: publishes the file, or finds out what is wrong.
    pub(super) fn whole(&mut self, download: &Arc<Download>, whole: HashedWhole) {
        if !self.is_current(download) {
            return;
        }
        let key = download.manifest.key();
        match whole {
            Ok(id) if id == key.resource => {
                if let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|it| &mut it.phase) {
                    fetching.verified = true;
                }
                self.publish(key);
            }
            Ok(_) => {
                let name = download.manifest.name();
                tracing::error!(%name, id = %key, "the hash of the whole file is wrong; checking every chunk");
                self.check(key);
            }
            Err(error) => {
                let name = download.manifest.name();
                tracing::error!(%name, id = %key, %error, "cannot hash the whole file; checking every chunk");
                self.check(key);
            }
        }
    }

    /// Publishes a complete resource under the first of its names that is not published yet. The next name follows when
    /// that is done, because two at once would get into each other's way.
    pub(super) fn publish(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get(key) else { return };
        let Some(source) = resource.source() else { return };
        if matches!(&resource.phase, Phase::Fetching(fetching) if !fetching.verified) {
            return;
        }
        if matches!(&resource.phase, Phase::Fetching(fetching) if fetching.shaping != Shaping::Known) {
            return self.lay_out(key); // it is published when it is known what it is
        }
        let waits = |record: &&NameRecord| {
            record.published.is_none() && !resource.troubles.contains_key(&record.name)
        };
        let Some(record) = resource.record.names.iter().find(waits).cloned() else { return };
        if self.publishing.len() >= PUBLISHING_MAX {
            self.to_publish.insert(key);
            return;
        }
        if self.publishing.contains_key(&key) {
            return;
        }
        if self.note_other_name(key, &source, &record.name) {
            return self.publish(key); // the next one
        }
        let Some(resource) = self.library.get(key) else { return };
        let manifest = record.manifest(&resource.manifest);
        let (home, publisher) = (self.home.clone(), self.publisher.clone());
        let (name, to, slot) =
            (record.name.clone(), resource.path(&self.home, &record.name), resource.slot.clone());
        // A copy needs room; a file that is renamed has it already.
        let room = match &source {
            Source::Published(from) => from.identity.bytes.min(data_bytes_max(&from.manifest)),
            Source::Download(_) => 0,
        };
        let no_room = if room > 0 { self.no_room_for_copy(room) } else { None };
        let promised = if no_room.is_none() { room } else { 0 };
        self.publishing
            .insert(key, Publishing { name: name.clone(), delete: false, room: promised, check_next: false });
        let from = source.clone();
        let trust = self.context.trust.clone();
        let work = move || {
            let judged = trust.judge_again(&manifest, record.signature());
            judged.map_err(|why| PublishError::NotTrusted(Box::new(why)))?;
            let identity = match &from {
                Source::Download(download) if download.file.is_tree() => {
                    let (part, failed) = (&download.file, download.failed_syncs);
                    publisher.publish_tree(&home, &slot, part, failed, &manifest, record.replaces)
                }
                Source::Download(download) => {
                    let finished = download.file.finished(download.failed_syncs);
                    publisher.publish(&home, finished, &manifest, record.replace).or_else(|error| {
                        let PublishError::NameTaken(_) = error else { return Err(error) };
                        let bytes = download.file.bytes().unwrap_or(u64::MAX); // then no file has them
                        publisher.adopt(&home, &download.namesakes, &manifest, bytes)?.ok_or(error)
                    })
                }
                Source::Published(from) => {
                    let bytes = from.identity.bytes;
                    publisher.publish_copy(&home, &from.path, bytes, &manifest, record.replace, no_room)
                }
            }?;
            publisher.show_signature(&home, &record.name, record.signature())?;
            Ok(identity)
        };
        self.work(work, move |published| {
            let failed = |panic: Panicked| Err(PublishError::Store(panic.at("publish", &to)));
            let published = published.unwrap_or_else(failed);
            Input::Task(TaskInput::Published { source, name, published })
        });
    }

    pub(super) fn published(
        &mut self,
        source: &Source,
        name: &ResourceName,
        published: Result<FileIdentity, PublishError>,
    ) {
        let key = source.key();
        let publishing = self.publishing.remove(&key);
        let (delete, check_next) = publishing.map_or((false, false), |it| (it.delete, it.check_next));
        self.note_published(source, name, published, delete);
        if check_next {
            self.check_now(key);
        }
    }

    fn note_published(
        &mut self,
        source: &Source,
        name: &ResourceName,
        published: Result<FileIdentity, PublishError>,
        delete: bool,
    ) {
        let key = source.key();
        while self.publishing.len() < PUBLISHING_MAX
            && let Some(next) = self.to_publish.pop_first()
        {
            self.publish(next);
        }
        let home = self.home.clone();
        if self.library.key_of(name) != Some(key) {
            let unwanted = published.ok().filter(|_| delete);
            return self.published_in_vain(source, name, unwanted);
        }
        let Some(resource) = self.library.get_mut(key) else { return };
        let identity = match published {
            Ok(identity) => identity,
            Err(error) => return self.not_published(source, name, error),
        };
        for record in resource.record.names.iter_mut().filter(|record| record.name == *name) {
            record.note_published(identity);
        }
        resource.troubles.remove(name);
        resource.troubles.retain(|_, why| !matches!(why, Why::NoDirectoryName(_))); // it has a name now
        self.saver.save(&resource.slot, &resource.record);
        match source {
            Source::Download(_) => {
                log_sources(name, key, &resource.sources.largest());
                let fetched = resource.sources.end(name.clone(), identity.bytes);
                log_fetched(key, &fetched);
                resource.fetched = Some(fetched);
            }
            // The file that was fetched under this name is gone.
            Source::Published(_) => drop(resource.fetched.take_if(|fetched| fetched.name == *name)),
        }
        match (&resource.phase, source) {
            (Phase::Seeding(_), _) => {}
            (Phase::Fetching(fetching), Source::Download(download))
                if Arc::ptr_eq(&fetching.download, download) =>
            {
                resource.phase = Phase::Seeding(Arc::new(resource.served_file(&home, name, identity)));
            }
            // It is being checked or was begun again, so the file under the name must be looked at.
            _ => return self.check(key),
        }
        resource.older = Older::Nothing;
        self.saver.tidy(&resource.slot);
        self.join(key);
        self.changed();
        self.publish(key); // continues with the next name
    }

    /// The name was removed while the file was being published, so the file is removed again unless it was to stay.
    fn published_in_vain(&mut self, source: &Source, name: &ResourceName, unwanted: Option<FileIdentity>) {
        let key = source.key();
        if self.library.key_of(name).is_none() {
            let delete = unwanted.is_some();
            let rest = if delete { "its file is deleted" } else { "its file stays" };
            tracing::info!(%name, id = %key, "removed while it was being finished; {rest}");
            if let Some(identity) = unwanted {
                let (home, name) = (self.home.clone(), name.clone());
                match source {
                    Source::Download(download) if is_tree(source) => {
                        let (slot, made) = (home.slot(key), Some(download.clone()));
                        self.saver.remove_tree(home, name, identity, &slot, made);
                    }
                    _ => self.saver.remove_file(home, name, identity),
                }
            }
            self.saver.hide_manifest(self.home.clone(), source.manifest().with_name(name.clone()));
        }
        self.publish(key); // another name, if there is one
    }

    fn not_published(&mut self, source: &Source, name: &ResourceName, error: PublishError) {
        let key = source.key();
        let Some(resource) = self.library.get_mut(key) else { return };
        if !is_present(&resource.phase, source) {
            // It says nothing about what is here now, which is published as soon as it is known to be right.
            return self.publish(key);
        }
        if !matches!(&resource.phase, Phase::Fetching(fetching) if fetching.blocked.is_some()) {
            let error = match &error {
                PublishError::NoRoom(no_room) => no_room_words(no_room),
                error => error.to_string(),
            };
            tracing::error!(%name, id = %key, %error, "cannot put the finished download in its place");
        }
        let why = match (error, source) {
            (PublishError::NameTaken(name), _) => Why::NameTaken(name),
            (PublishError::NoDirectoryName(name), _) => Why::NoDirectoryName(name),
            (PublishError::NoRoom(no_room), _) => no_room.into(),
            (PublishError::OtherDirectory(path), _) => {
                Why::DirectoryTaken { name: name.clone(), path, what: None }
            }
            (PublishError::Obstructed { path, what }, source) if is_tree(source) => {
                Why::DirectoryTaken { name: name.clone(), path, what: Some(what) }
            }
            // The download waits until this is gone.
            (PublishError::Obstructed { path, what }, _) => Why::Obstructed { path, what },
            (PublishError::NotSynced(error), Source::Download(download)) if self.is_current(download) => {
                return self.not_synced(download, error);
            }
            (PublishError::NotTrusted(why), _) => Why::NotTrusted(Arc::from(why)),
            (PublishError::Damaged(_), _) => return self.check(key),
            (PublishError::NoTree(why), _) => return self.refuse_no_tree(key, why),
            (PublishError::NotSynced(error) | PublishError::Store(error), _) => error.into(),
        };
        self.changed();
        // This name is skipped for now, and the next one is tried.
        let Some(resource) = self.library.get_mut(key) else { return };
        resource.troubles.insert(name.clone(), why.clone());
        let is_left =
            |record: &NameRecord| record.published.is_none() && !resource.troubles.contains_key(&record.name);
        let others = resource.record.names.iter().any(is_left);
        match &mut resource.phase {
            Phase::Fetching(_) if others => self.publish(key),
            Phase::Fetching(fetching) => {
                fetching.blocked = Some(Blocked::new(why)); // later all names are tried again
                self.forgive(key);
            }
            Phase::Seeding(_) => {
                if !matches!(why, Why::NameTaken(_)) {
                    resource.republish_at = Some(Instant::now() + RETRY_AFTER);
                }
                self.publish(key);
            }
            _ => {}
        }
    }
}

/// Whether a resource still is what was to be published. It is not while it is being checked or made anew, and not after
/// that.
fn is_present(phase: &Phase, source: &Source) -> bool {
    match (phase, source) {
        (Phase::Fetching(fetching), Source::Download(download)) => Arc::ptr_eq(&fetching.download, download),
        (phase, _) => matches!(phase, Phase::Seeding(_)),
    }
}

fn is_tree(source: &Source) -> bool {
    matches!(source, Source::Download(download) if download.file.is_tree())
}

/// The log line about a finished download.
fn log_fetched(key: SwarmKey, fetched: &Fetched) {
    let Fetched { name, bytes, bytes_fetched, reused, took, peers } = fetched;
    let bytes_reused = reused.bytes;
    let (all, came) = (size(*bytes), size(*bytes_fetched));
    let (took_ms, bytes_per_s) = (u64::try_from(took.as_millis()).unwrap_or(u64::MAX), fetched.bytes_per_s());
    let from = if *peers == 1 { "1 peer".to_owned() } else { format!("{peers} peers") };
    let took = took_at_rate(*bytes_fetched, *took);
    match bytes_fetched {
        0 => {
            tracing::info!(%name, id = %key, bytes, bytes_reused, "complete, {all}: nothing had to be fetched")
        }
        _ if bytes_fetched == bytes => tracing::info!(
            %name, id = %key, bytes, took_ms, bytes_per_s, peers,
            "fetched {came} in {took} from {from}"
        ),
        _ => tracing::info!(
            %name, id = %key, bytes, bytes_fetched, bytes_reused, took_ms, bytes_per_s, peers,
            "complete, {all}: fetched {came} of it in {took} from {from}; the rest was here"
        ),
    }
}

/// The sources of a finished download, for whoever looks closely.
fn log_sources(name: &ResourceName, key: SwarmKey, largest: &[(PeerAddr, u32)]) {
    for (peer, chunks) in largest {
        tracing::debug!(%name, id = %key, %peer, chunks, "a source of the download");
    }
}
