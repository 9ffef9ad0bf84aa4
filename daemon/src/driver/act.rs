//! Performs the core's actions.

use super::Driver;
use crate::board::rejections::rejection_of;
use crate::inbox::{Answer, Input, LinkId, TaskInput};
use crate::library::{Phase, ReadError, Source, Why};
use crate::peer::link::{Link, LinkCommand};
use crate::store::NameRecord;
use crate::tracker::TrackerCommand;
use shared::chunk::{CHUNK_BYTES, ChunkCount, ChunkIndex};
use shared::id::{ChunkHash, SwarmKey};
use shared::rpc::control::Rejection;
use shared::swarm::{Action, AskEnd, AskId, Event, PeerAddr, RequestId, RequestRefusal};
use std::path::Path;
use std::time::Instant;

/// How many doubted chunks are read at once; further doubts are dropped. Each costs reading a chunk, and strangers
/// raise them.
pub(super) const SUSPECTS_MAX: usize = 8;

impl Driver {
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::Dial { peer } => {
                if self.context.bans.forbids(peer) {
                    self.pending.push_back(Event::Disconnected { peer, for_good: false });
                } else {
                    self.links.insert(peer, Link::dial(self.context.clone(), peer));
                }
            }
            Action::Hangup { peer, is_twin } => {
                if is_twin {
                    self.context.rejections.count(Rejection::Twin);
                }
                self.links.remove(&peer);
            }
            Action::Drop { peer, id, reason } => {
                tracing::warn!(error = %reason, "peer {peer} is disconnected and refused for a while");
                let node = self.links.remove(&peer).and_then(|link| link.node().cloned());
                self.context.rejections.count(rejection_of(reason));
                self.context.bans.dialled(peer, id, node);
            }
            Action::Subscribe { peer, added, removed } => {
                let count = |key: SwarmKey| Some((key, self.library.get(key)?.count()));
                let added = added.into_iter().filter_map(count).collect();
                self.command_link(peer, LinkCommand::Subscribe { added, removed });
            }
            Action::Pick { request, peer, key, wanted } => {
                if !self.command_link(peer, LinkCommand::Pick { request, key, wanted }) {
                    self.fail(request);
                }
            }
            Action::Get { request, peer, key, index } => self.ask_for(request, peer, key, index),
            Action::Cancel { request, peer } => {
                self.command_link(peer, LinkCommand::Cancel { request });
            }
            Action::Grant { ask, index } => self.answer(ask, Answer::Granted(index)),
            Action::Serve { ask, key, index } => self.serve(ask, key, index),
            Action::Refuse { ask, refusal } => self.answer(ask, Answer::Refused(refusal)),
            Action::TellHave { key, index } => self.context.board.add(key, index),
            Action::TellLost { key, index } => self.context.board.lose(key, index),
            Action::Knock { peer, key } => crate::peer::knock::knock(&self.context, peer, key),
            Action::FindPeers { key } => self.trackers.command_all(|| TrackerCommand::Urgent(key)),
            Action::Complete { .. } => self.changed(), // the hash of the whole file follows
        }
    }

    /// An event from a link counts only while the link is the present one with its peer.
    pub(super) fn link_event(&mut self, peer: PeerAddr, link: LinkId, event: Event) {
        let is_present = self.links.get(&peer).is_some_and(|present| present.id() == link);
        match event {
            Event::Disconnected { .. }
            | Event::Connected { .. }
            | Event::Misbehaved { .. }
            | Event::News { .. }
                if !is_present =>
            {
                return;
            }
            Event::Disconnected { .. } => drop(self.links.remove(&peer)),
            _ => {}
        }
        self.event(event);
    }

    pub(super) fn command_link(&self, peer: PeerAddr, command: LinkCommand) -> bool {
        let link = self.links.get(&peer);
        if let Some(link) = link {
            link.command(command);
        }
        link.is_some()
    }

    fn ask_for(&mut self, request: RequestId, peer: PeerAddr, key: SwarmKey, index: ChunkIndex) {
        let asked = self.library.get(key).and_then(|resource| match &resource.phase {
            Phase::Fetching(fetching) => Some((fetching.download.clone(), resource.traffic.clone())),
            _ => None,
        });
        let sent = asked.is_some_and(|(download, traffic)| {
            self.command_link(peer, LinkCommand::Get { request, index, download, traffic })
        });
        if !sent {
            self.fail(request);
        }
    }

    fn fail(&mut self, request: RequestId) {
        self.pending.push_back(Event::Refused { request, refusal: RequestRefusal::Failed });
    }

    /// Gives an answer to a peer's question. If nobody waits for it any more, the core is told.
    fn answer(&mut self, ask: AskId, answer: Answer) {
        let Some(waiting) = self.asks.remove(&ask) else { return };
        if waiting.send(answer).is_err() {
            // The end of this question may have been handled before the question itself.
            self.uploads.ended(ask, false, Instant::now());
            self.pending.push_back(Event::AskEnded { ask, end: AskEnd::TakenBack });
        }
    }

    pub(super) fn serve(&mut self, ask: AskId, key: SwarmKey, index: ChunkIndex) {
        let found = self.library.get(key).and_then(|it| Some((it.source()?, it.traffic.clone())));
        match found {
            Some((source, traffic)) => {
                self.library.stir(key);
                let bytes = chunk_bytes(source.manifest().count(), index, source.bytes());
                self.uploads.serves(ask, source.manifest().name(), bytes);
                self.answer(ask, Answer::Serve(source, traffic));
            }
            None => {
                self.answer(ask, Answer::Refused(RequestRefusal::Unknown));
                self.pending.push_back(Event::AskEnded { ask, end: AskEnd::TakenBack });
            }
        }
    }

    pub(super) fn ask_ended(&mut self, ask: AskId, end: AskEnd) {
        #[cfg(test)]
        super::tap::ask_ended(self, ask, end);
        self.asks.remove(&ask);
        self.uploads.ended(ask, end == AskEnd::Served, Instant::now());
        self.event(Event::AskEnded { ask, end });
    }

    /// A chunk that we sent to a peer, or should have sent, is in doubt. Either the peer says that it is corrupt, and
    /// then it was damaged on the way or on our disk, or our disk failed to read it.
    pub(super) fn doubt(&mut self, key: SwarmKey, index: ChunkIndex, peer: PeerAddr) {
        let Some(resource) = self.library.get(key).filter(|resource| resource.count().contains(index)) else {
            return;
        };
        if matches!(&resource.phase, Phase::Fetching(fetching) if !fetching.have.contains(index)) {
            return; // we cannot have sent it
        }
        let Some(source) = resource.source() else { return };
        if self.suspects.len() >= SUSPECTS_MAX || !self.suspects.insert((key, index)) {
            return;
        }
        self.work(
            move || is_good(&source, index),
            move |good| {
                let place = Path::new("a chunk that is in doubt");
                let good = good.unwrap_or_else(|panic| Err(ReadError::Store(panic.at("read", place))));
                Input::Task(TaskInput::Suspected { key, index, peer, good })
            },
        );
    }

    pub(super) fn suspected(
        &mut self,
        key: SwarmKey,
        index: ChunkIndex,
        peer: PeerAddr,
        good: Result<bool, ReadError>,
    ) {
        self.suspects.remove(&(key, index));
        let why = match good {
            Ok(true) => {
                tracing::debug!(id = %key, chunk = %index, %peer, "a chunk that was in doubt is intact on this disk");
                return;
            }
            Err(ReadError::Changed(published)) => return self.source_changed(key, &published, Some(index)),
            Ok(false) => "the hash is wrong".to_owned(),
            Err(ReadError::Store(error)) => error.to_string(),
        };
        tracing::error!(name = self.library.called(key), id = %key, error = %why,
            "chunk {index} is damaged on this disk and is no longer served");
        if let Some(resource) = self.library.get(key).filter(|it| matches!(it.phase, Phase::Fetching(_))) {
            self.saver.forget_have(&resource.slot); // a daemon that starts before the check must not trust it
            return self.check(key); // wrong chunks are fetched again
        }
        let Some(resource) = self.library.get_mut(key) else { return };
        let Phase::Seeding(published) = &resource.phase else { return };
        let (home, served, is_tree) = (&self.home, published.path.clone(), resource.is_tree);
        let served = |record: &&mut NameRecord| match is_tree {
            true => home.tree(&record.name).is_some_and(|path| path == served),
            false => home.file(&record.name) == served,
        };
        for record in resource.record.names.iter_mut().filter(served) {
            record.damaged = true; // remembered after a restart
            resource.troubles.insert(record.name.clone(), Why::ChunkDamaged(index));
        }
        self.saver.save(&resource.slot, &resource.record);
        let is_other = |record: &NameRecord| record.published.is_some() && !record.damaged;
        if resource.record.names.iter().any(is_other) {
            return self.check(key); // another name has the same content
        }
        self.event(Event::Lost { key, index });
        self.changed();
    }
}

/// How long a chunk is, in bytes; all but the last are whole.
pub(super) fn chunk_bytes(count: ChunkCount, index: ChunkIndex, total: Option<u64>) -> u64 {
    let begin = u64::from(index.0) * u64::from(CHUNK_BYTES);
    let end = total.unwrap_or(count.bytes_max()).max(begin);
    (end - begin).min(CHUNK_BYTES.into())
}

fn is_good(source: &Source, index: ChunkIndex) -> Result<bool, ReadError> {
    Ok(source.manifest().hash(index) == Some(&ChunkHash::of(&source.read(index)?)))
}
