//! Opens and closes our requests. What happens to them in between is in [`outcome`](super::outcome).

use super::action::Action;
use super::alarms::Alarm;
use super::event::{PeerAddr, RequestId};
use super::machine::Machine;
use super::state::{Request, RequestStage};
use crate::chunk::ChunkIndex;
use crate::id::SwarmKey;
use crate::window::Window;
use std::time::Duration;

/// A peer is dropped when it stalls this many times in a row. A machine that is restarted or overloaded for a moment
/// stalls less often.
pub(super) const STALLS_MAX: u32 = 5;
/// How long a peer may send nothing while the downlink is not measured yet. Beyond it the request counts as stalled.
const STALL_UNMEASURED: Duration = Duration::from_secs(5);
/// The longest time that a peer may send nothing, however slow the link. Beyond it the request counts as stalled.
const STALL_MAX: Duration = Duration::from_secs(120);

impl Machine {
    // -- opening

    pub(super) fn ask_pick(&mut self, key: SwarmKey, peer: PeerAddr, wanted: Window) {
        let request = self.next_request();
        let Some(swarm) = self.swarms.get_mut(&key) else { return };
        let stage = RequestStage::Picking { wanted: wanted.clone(), since: self.now };
        let (across_max, overtakes) = (swarm.across_max_for(peer, self.now), swarm.overtakes_at(peer));
        let across = across_max.is_some();
        swarm.open(request, Request { peer, picked: true, across, overtakes, stage }, across_max);
        self.owners.insert(request, key);
        self.actions.push_back(Action::Pick { request, peer, key, wanted });
    }

    pub(super) fn ask_get(&mut self, key: SwarmKey, peer: PeerAddr, index: ChunkIndex) {
        let request = self.next_request();
        self.owners.insert(request, key);
        self.open_get(key, request, peer, index, None);
    }

    /// Requests a chunk. `pick` is the pick that it was granted for, if any.
    pub(super) fn open_get(
        &mut self,
        key: SwarmKey,
        request: RequestId,
        peer: PeerAddr,
        index: ChunkIndex,
        pick: Option<&Request>,
    ) {
        let Some(swarm) = self.swarms.get_mut(&key) else { return };
        if !swarm.chunks.ask(index, request) {
            self.owners.remove(&request);
            return;
        }
        let stage = RequestStage::Getting { index, since: self.now, bytes: 0 };
        let overtakes = pick.map_or_else(|| swarm.overtakes_at(peer), |pick| pick.overtakes);
        if overtakes {
            swarm.pass_over_homes(index);
        }
        let across_max = swarm.across_max_for(peer, self.now);
        let (picked, across) = (pick.is_some(), across_max.is_some());
        swarm.open(request, Request { peer, picked, across, overtakes, stage }, across_max);
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.gets.push(request);
            peer.asked_at = self.now;
        }
        self.alarms.set(Alarm::Swarm(key), self.now + self.patience(peer));
        self.actions.push_back(Action::Get { request, peer, key, index });
    }

    /// Declines a granted chunk that is no longer needed, by an empty window that begins at it. The seeder can give the
    /// slot to another peer at once instead of waiting for its timeout. The answer is ignored.
    pub(super) fn decline(&mut self, key: SwarmKey, peer: PeerAddr, index: ChunkIndex) {
        let request = self.next_request();
        self.actions.push_back(Action::Pick { request, peer, key, wanted: Window::of(index, []) });
    }

    fn next_request(&mut self) -> RequestId {
        self.requests_made += 1;
        RequestId(self.requests_made)
    }

    // -- closing

    /// Closes a request, and schedules its swarm.
    pub(super) fn close(&mut self, id: RequestId) -> Option<(SwarmKey, Request)> {
        let key = self.owners.remove(&id)?;
        let request = self.swarms.get_mut(&key)?.close(id)?;
        if let Some(peer) = self.peers.get_mut(&request.peer) {
            peer.gets.retain(|&other| other != id);
        }
        self.enqueue(key);
        Some((key, request))
    }

    /// Cancels requests.
    pub(super) fn cancel(&mut self, requests: impl IntoIterator<Item = RequestId>) {
        for id in requests {
            if let Some((_, request)) = self.close(id) {
                self.actions.push_back(Action::Cancel { request: id, peer: request.peer });
            }
        }
    }

    /// Closes all requests to a peer in a swarm. If its link is up, they are canceled at the peer.
    pub(super) fn close_all(&mut self, key: SwarmKey, peer: PeerAddr, link_is_up: bool) {
        let Some(swarm) = self.swarms.get(&key) else { return };
        let of_peer = swarm.requests.iter().filter(|(_, request)| request.peer == peer);
        let requests: Vec<RequestId> = of_peer.map(|(&id, _)| id).collect();
        if link_is_up {
            self.cancel(requests);
        } else {
            requests.into_iter().for_each(|id| _ = self.close(id));
        }
    }

    /// How long a peer may send no byte before its requests are canceled. A slow peer that sends in bursts is
    /// recognized by its gaps; one that stalled before is given twice the time for each stall.
    pub(super) fn patience(&self, peer: PeerAddr) -> Duration {
        let Some(peer) = self.peers.get(&peer) else { return self.config.stall_min };
        let chunk_times = self.downlink.chunk_time().min(STALL_MAX) * 10;
        let least = if self.downlink.is_measured() { chunk_times } else { STALL_UNMEASURED };
        let least = least.max(self.config.stall_min).max(peer.gap * 4);
        (least.min(STALL_MAX) * (1 << peer.stalls.min(STALLS_MAX))).min(STALL_MAX.max(self.config.stall_min))
    }
}
