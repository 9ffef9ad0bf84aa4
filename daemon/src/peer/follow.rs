//! Subscribes to the news of a peer that we dialed, and polls for them.

use super::connection::End;
use super::teller::Teller;
use super::wishes::Wishes;
use crate::board::news::read_news;
use shared::chunk::ChunkCount;
use shared::id::SwarmKey;
use shared::rpc::peer::{HaveNews, NewsRequest, PeerCaller, UPDATES_MAX};
use shared::rpc::wire::{Budget, CallError};
use shared::swarm::{DropReason, Event};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The deadline of a poll for news. The peer answers before it even without news, which shows that it is alive.
const NEWS_TIMEOUT: Duration = Duration::from_secs(60);
/// The pause after an empty answer that came sooner than this, so that such a peer is not polled in a busy loop.
const EMPTY_PAUSE: Duration = Duration::from_millis(100);
/// Limits the unanswered polls in a row. Beyond it the peer is dropped, since an honest peer answers before the
/// deadline.
const UNANSWERED_MAX: u32 = 1;
/// Limits the cost of a peer's news at once, since the first answers may concern thousands of swarms or chunks. Beyond
/// it the peer is dropped for flooding.
const NEWS_COST_MAX: u32 = 200_000;
/// The cost that is granted anew per second. A peer that receives at 10 Gbit/s has 1,200 new chunks per second.
const NEWS_COST_PER_S_MAX: u32 = 5_000;
/// The shortest time between two calls that change subscriptions. Changes in between are collected, which saves the
/// budget that the peer grants us.
const SUBSCRIBE_PAUSE: Duration = Duration::from_millis(2);

/// The subscriptions that a link wants, and a signal when they change.
#[derive(Debug, Default)]
pub(super) struct Follow {
    wishes: Mutex<Wishes>,
    changed: Notify,
}

impl Follow {
    /// See [`Wishes::change`].
    pub(super) fn change(&self, added: Vec<(SwarmKey, ChunkCount)>, removed: Vec<SwarmKey>) {
        self.wishes().change(added, removed);
        self.changed.notify_one();
    }

    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes a peer's news to the core until the link ends. Returns how it ended.
pub(super) async fn follow(teller: Teller, quick: PeerCaller, wanted: Arc<Follow>) -> End {
    wanted.changed.notified().await;
    wanted.changed.notify_one();
    tokio::select! {
        biased; // the first subscriptions come before the first poll
        end = subscribe(&quick, &wanted) => end,
        end = poll(&teller, &quick, &wanted) => end,
    }
}

/// Sends changes of the subscriptions to the peer.
async fn subscribe(quick: &PeerCaller, wanted: &Follow) -> End {
    loop {
        wanted.changed.notified().await;
        loop {
            let Some(changes) = wanted.wishes().take_changes() else { break };
            let (removed, begun) = (changes.removed.clone(), Instant::now());
            match quick.subscribe(changes, NEWS_TIMEOUT).await {
                Ok(()) => wanted.wishes().left(&removed),
                Err(error) => return failed(error).await,
            }
            tokio::time::sleep_until(begun + SUBSCRIBE_PAUSE).await;
        }
    }
}

async fn poll(teller: &Teller, quick: &PeerCaller, wanted: &Follow) -> End {
    let (mut received, mut unanswered) = (0, 0);
    let budget = Budget::new(NEWS_COST_MAX, NEWS_COST_PER_S_MAX);
    loop {
        let asked = Instant::now();
        let reply = match quick.news(NewsRequest { received }, NEWS_TIMEOUT).await {
            Ok(reply) => reply,
            Err(CallError::TimedOut) if unanswered < UNANSWERED_MAX => {
                unanswered += 1;
                continue;
            }
            Err(CallError::TimedOut) => {
                return End::Misbehaved(DropReason::Stalled, "it does not answer polls".to_owned());
            }
            Err(error) => return failed(error).await,
        };
        (received, unanswered) = (reply.number, 0);
        if reply.updates.is_empty() && asked.elapsed() < EMPTY_PAUSE {
            tokio::time::sleep(EMPTY_PAUSE).await; // it did not wait for news, so we wait
        }
        if reply.updates.len() > UPDATES_MAX {
            return End::Misbehaved(DropReason::Nonsense, "it sent too many updates at once".to_owned());
        }
        for update in reply.updates {
            let (count, may_come) = {
                let wishes = wanted.wishes();
                (wishes.count_of(update.key), wishes.may_come(update.key))
            };
            if !budget.spend(count.map_or(1, |count| cost_of(&update.have, count))) {
                return End::Misbehaved(DropReason::Flood, "it sends too much news".to_owned());
            }
            match count.map(|count| read_news(update.have, count)) {
                Some(Some(news)) => {
                    teller.event(Event::News { peer: teller.peer, key: update.key, news }).await;
                }
                None if may_come => {}
                _ => {
                    return End::Misbehaved(DropReason::Nonsense, "it sent impossible news".to_owned());
                }
            }
        }
        wanted.wishes().end_poll();
    }
}

async fn failed(error: CallError) -> End {
    match error {
        CallError::WrongReply => {
            End::Misbehaved(DropReason::Protocol, "it answered a poll with something else".to_owned())
        }
        CallError::Closed => std::future::pending().await, // the connection's task reports the reason
        error => End::Broken(error.to_string()),
    }
}

/// The cost of a piece of news: little for the chunks that it names, and more for a whole map, which we must count again.
fn cost_of(news: &HaveNews, count: ChunkCount) -> u32 {
    match news {
        HaveNews::Add(added) => 1 + added.len() as u32 / 16,
        HaveNews::All | HaveNews::Replace { .. } | HaveNews::Gone => 20 + count.get() / 256,
    }
}

#[cfg(test)]
mod tests;
