//! Follows shifted content: while a download runs that replaces an older file of its name, its content is searched in
//! that file. Chunks that may be found there are not fetched meanwhile.

use super::Driver;
use super::follower::Follower;
use super::run::TICK;
use crate::library::{Awaited, Download, Follow, Followed, Following, Phase, Resource};
use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use shared::host::config::ReuseScope;
use shared::id::SwarmKey;
use shared::swarm::{Event, Waiting};
use std::sync::Arc;

impl Driver {
    /// Begins to search the content of a download, which has just joined its swarm, in the file that it will replace.
    pub(super) fn follow_shift(&mut self, key: SwarmKey) {
        let may_read = |resource: &Resource| self.scope(resource) != ReuseScope::None;
        if !self.library.get(key).is_some_and(may_read) {
            return;
        }
        let Some(resource) = self.library.get_mut(key) else { return };
        let replaces = resource.record.names.iter().find(|name| name.replace && name.published.is_none());
        let Some(name) = replaces.map(|record| record.name.clone()) else { return };
        let Phase::Fetching(fetching) = &mut resource.phase else { return };
        if fetching.have.is_full() || fetching.was_followed || fetching.following.is_some() {
            return;
        }
        let (arrivals, to_follower) = std::sync::mpsc::channel();
        let run = Follow::default();
        let none = HaveMap::empty(fetching.have.count());
        fetching.following = Some(Following::new(arrivals, run.clone(), none));
        let (download, have) = (fetching.download.clone(), fetching.have.clone());
        let waiting = (Arc::downgrade(&download), run.clone());
        let old = (name.clone(), self.home.file(&name));
        let (context, places) = (self.context.clone(), self.followers.clone());
        let begin = move |place, download| {
            let follower = Follower { context, download, have, old, arrivals: to_follower, run, place };
            let thread = std::thread::Builder::new().name("follower".to_owned());
            if let Err(error) = thread.spawn(move || follower.work()) {
                tracing::warn!(%error, "cannot search an older file: no thread can be started");
            }
        };
        match places.clone().try_acquire_owned() {
            Ok(place) => {
                self.hold_all(key);
                begin(place, download);
            }
            Err(_) => {
                // A download that is removed meanwhile must not keep its file open, and so its space on the disk.
                let (download, run) = waiting;
                tokio::spawn(async move {
                    let place = tokio::select! {
                        place = places.acquire_owned() => place,
                        () = run.ended() => return,
                    };
                    if let (Ok(place), Some(download)) = (place, download.upgrade()) {
                        begin(place, download);
                    }
                });
            }
        }
    }

    /// Holds all that a download lacks, until the follower says what it may find.
    fn hold_all(&mut self, key: SwarmKey) {
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|it| &mut it.phase) else {
            return;
        };
        let mut missing = HaveMap::empty(fetching.have.count());
        fetching.have.missing_from(ChunkIndex(0)).for_each(|index| _ = missing.insert(index));
        let chunks = fetching.following.as_mut().and_then(|following| following.hold(missing));
        self.withhold(key, chunks);
    }

    /// A follower says something.
    pub(super) fn followed(&mut self, download: &Arc<Download>, by: &Follow, followed: Followed) {
        if !self.is_current(download) {
            return;
        }
        let key = download.manifest.key();
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|it| &mut it.phase) else {
            return;
        };
        let Some(following) = fetching.following.as_mut().filter(|following| following.is(by)) else {
            return;
        };
        let chunks = match followed {
            Followed::Hold(chunks) => following.hold(chunks),
            Followed::Over { found } => {
                (fetching.following, fetching.was_followed) = (None, true);
                if found > 0 {
                    let name = download.manifest.name();
                    let chunks = if found == 1 { "chunk" } else { "chunks" };
                    tracing::info!(%name, id = %key, "{found} {chunks} lay shifted in the older file");
                }
                Some(HaveMap::empty(fetching.have.count()))
            }
        };
        self.withhold(key, chunks);
        self.changed();
    }

    /// A follower has found a chunk: the others are worth waiting for.
    pub(super) fn follower_found(&mut self, key: SwarmKey) {
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|it| &mut it.phase) else {
            return;
        };
        let chunks = fetching.following.as_mut().and_then(Following::found);
        self.withhold(key, chunks);
    }

    /// Ends the search of a download, and holds nothing any more.
    pub(super) fn stop_following(&mut self, key: SwarmKey) {
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|it| &mut it.phase) else {
            return;
        };
        if fetching.following.take().is_some() {
            let none = HaveMap::empty(fetching.have.count());
            self.withhold(key, Some(none));
        }
    }

    /// Fetches from peers what followers have not found in time.
    pub(super) fn look_at_followers(&mut self) {
        let is_followed = |phase: &Phase| matches!(phase, Phase::Fetching(it) if it.following.is_some());
        let followed = self.library.stirring().filter(|(_, resource)| is_followed(&resource.phase));
        let keys: Vec<SwarmKey> = followed.map(|(key, _)| key).collect();
        let now = self.now();
        for key in keys {
            let Some(swarm) = self.machine.status(key) else { continue };
            let awaited = match swarm.waiting {
                Some(Waiting::Withheld { .. }) => Awaited::Nothing,
                Some(Waiting::Zone) => Awaited::Zone,
                _ if swarm.peers == 0 => continue, // nobody could send anything else
                _ => Awaited::Peers,
            };
            let comes = now.since(swarm.moved_at) < TICK * 2;
            let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|it| &mut it.phase) else {
                continue;
            };
            let none = HaveMap::empty(fetching.have.count());
            let following = fetching.following.as_mut();
            let gives_up = following.is_some_and(|following| following.pass(TICK, awaited, comes));
            self.withhold(key, gives_up.then_some(none));
        }
    }

    fn withhold(&mut self, key: SwarmKey, chunks: Option<HaveMap>) {
        if let Some(chunks) = chunks {
            self.event(Event::Withhold { key, chunks });
        }
    }
}
