//! Follows shifted content: while a download runs that replaces an older file or directory of its name, its content is
//! searched there. Chunks that may be found there are not fetched meanwhile.

use super::Driver;
use super::follower::{Follower, Old, Rest};
use super::run::TICK;
use crate::jobs;
use crate::library::{Awaited, Download, Follow, Followed, Following, Kind, Older, Phase, Shaping};
use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use shared::host::config::ReuseScope;
use shared::id::SwarmKey;
use shared::swarm::{Event, Waiting};
use std::sync::Arc;

impl Driver {
    /// Begins to search the content of a download, which has just joined its swarm, in what it will replace.
    pub(super) fn follow_shift(&mut self, key: SwarmKey) {
        self.follow_from(key, None);
    }

    /// Begins it again if the follower has made way for others, because a chunk has arrived.
    pub(super) fn follow_again(&mut self, key: SwarmKey, arrived: ChunkIndex) {
        let phase = self.library.get(key).map(|resource| &resource.phase);
        if matches!(phase, Some(Phase::Fetching(fetching)) if fetching.follower_rests) {
            self.follow_from(key, Some(arrived));
        }
    }

    /// Begins it. The follower is told that the chunk `arrived` has just arrived.
    fn follow_from(&mut self, key: SwarmKey, arrived: Option<ChunkIndex>) {
        let Some(scope) = self.library.get(key).map(|resource| self.scope(resource)) else { return };
        let Some(resource) = self.library.get_mut(key).filter(|_| scope != ReuseScope::None) else { return };
        let replaces = resource.record.names.iter().find(|name| name.replace && name.published.is_none());
        let Some(name) = replaces.map(|record| record.name.clone()) else { return };
        let stays_file = resource.record.as_file;
        let Phase::Fetching(fetching) = &mut resource.phase else { return };
        if fetching.have.is_full() || fetching.was_followed || fetching.following.is_some() {
            return;
        }
        let old = match &resource.older {
            Older::File(older) if older.tree.is_some() => Old::Tree(older.clone()),
            _ => Old::File(self.home.file(&name)),
        };
        let (arrivals, news) = std::sync::mpsc::channel();
        let (run, kind, is_wide) = (Follow::default(), old.kind(), scope == ReuseScope::All);
        let none = HaveMap::empty(fetching.have.count());
        let mut following = Following::new(arrivals, run.clone(), kind, none);
        let (download, mut have) = (fetching.download.clone(), fetching.have.clone());
        if let Some(index) = arrived {
            have.remove(index);
            following.tell(index);
        }
        (fetching.following, fetching.follower_rests) = (Some(following), false);
        let waiting = (Arc::downgrade(&download), run.clone());
        let (context, places, followers) =
            (self.context.clone(), self.followers.clone(), self.followers.clone());
        let begin = move |place, download| {
            let rest = Rest::default();
            Follower {
                context,
                download,
                have,
                name,
                old,
                stays_file,
                is_wide,
                news,
                run,
                followers,
                place,
                rest,
            }
            .begin();
        };
        match places.free_place() {
            Some(place) => {
                self.hold_all(key);
                begin(place, download);
            }
            None => {
                if kind == Kind::Tree {
                    self.hold_all(key); // most of it is here, so some seconds are worth waiting
                }
                // A download that is removed meanwhile must not keep its file open, and so its space on the disk.
                let (download, run) = waiting;
                jobs::spawn(async move {
                    let place = tokio::select! {
                        place = places.place() => place,
                        () = run.ended() => return,
                    };
                    if let (Some(place), Some(download)) = (place, download.upgrade()) {
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
            Followed::Takes(chunks) => {
                following.take(chunks);
                None
            }
            Followed::MadeWay { found, heard } => {
                let (kind, (told, last)) = (following.kind(), following.told());
                (fetching.following, fetching.follower_rests) = (None, true);
                let none = HaveMap::empty(fetching.have.count());
                log_found(download, kind, found);
                self.withhold(key, Some(none));
                if let Some(last) = last.filter(|_| told > heard) {
                    self.follow_again(key, last); // it arrived when the follower had just gone
                }
                None
            }
            Followed::Over { found } => {
                let kind = following.kind();
                (fetching.following, fetching.was_followed) = (None, true);
                log_found(download, kind, found);
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
        fetching.follower_rests = false;
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
            if fetching.shaping == Shaping::Working {
                continue; // a directory is being laid out; until then nobody knows what its older version has of it
            }
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

/// Says how much an older version had of a download.
fn log_found(download: &Download, kind: Kind, found: u32) {
    let (name, id) = (download.manifest.name(), download.manifest.key());
    let chunks = if found == 1 { "chunk" } else { "chunks" };
    match (kind, found) {
        (_, 0) => {}
        (Kind::File, _) => tracing::info!(%name, %id, "{found} {chunks} lay shifted in the older file"),
        (Kind::Tree, _) => {
            let total = download.manifest.count();
            tracing::info!(%name, %id, "{found} of {total} chunks were made of the older directory");
        }
    }
}
