//! Follows the news of a peer that we dialled: subscribes to what is wanted, and polls.

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
use std::time::{Duration, Instant};
use tokio::sync::Notify;

const NEWS_TIMEOUT: Duration = Duration::from_secs(60);
/// A peer that answers sooner than this with no news at all is not asked again at once.
const EMPTY_PAUSE: Duration = Duration::from_millis(100);
/// How many polls in a row may go unanswered: a peer without news answers before the time is over.
const UNANSWERED_MAX: u32 = 1;
/// What a peer's news may cost us: at once (the first answers are for thousands of swarms or chunks), and then
/// per second.
const NEWS_COST_MAX: u32 = 200_000;
const NEWS_COST_PER_S_MAX: u32 = 5_000;
/// Subscriptions change in calls that begin no sooner after each other than this: what changes meanwhile goes with the
/// next, and costs little of what the peer lets us spend.
const SUBSCRIBE_PAUSE: Duration = Duration::from_millis(2);

/// What a link wants to hear, and who waits for it to change.
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

/// Tells the core a peer's news until the peer breaks off; returns how.
pub(super) async fn follow(teller: Teller, quick: PeerCaller, wanted: Arc<Follow>) -> End {
    wanted.changed.notified().await;
    wanted.changed.notify_one();
    tokio::select! {
        biased; // the first subscriptions come before the first poll
        end = subscribe(&quick, &wanted) => end,
        end = poll(&teller, &quick, &wanted) => end,
    }
}

/// Keeps the peer's idea of what is wanted up to date.
async fn subscribe(quick: &PeerCaller, wanted: &Follow) -> End {
    loop {
        wanted.changed.notified().await;
        loop {
            let Some(changes) = wanted.wishes().take_changes() else { break };
            let (removed, begun) = (changes.removed.clone(), tokio::time::Instant::now());
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
        let (asked, number) = (Instant::now(), wanted.wishes().begin_poll());
        let reply = match quick.news(NewsRequest { received }, NEWS_TIMEOUT).await {
            Ok(reply) => reply,
            Err(CallError::TimedOut) if unanswered < UNANSWERED_MAX => {
                unanswered += 1;
                continue;
            }
            Err(CallError::TimedOut) => {
                return End::Misbehaved(DropReason::Stalled, "it answers no polls".to_owned());
            }
            Err(error) => return failed(error).await,
        };
        (received, unanswered) = (reply.number, 0);
        if reply.updates.is_empty() && asked.elapsed() < EMPTY_PAUSE {
            tokio::time::sleep(EMPTY_PAUSE).await; // it does not wait for news: we do
        }
        if reply.updates.len() > UPDATES_MAX {
            return End::Misbehaved(DropReason::Nonsense, "it told too much at once".to_owned());
        }
        for update in reply.updates {
            let (count, may_come) = {
                let wishes = wanted.wishes();
                (wishes.count_of(update.key), wishes.may_come(update.key))
            };
            if !budget.spend(count.map_or(1, |count| cost_of(&update.have, count))) {
                return End::Misbehaved(DropReason::Flood, "it tells news without end".to_owned());
            }
            match count.map(|count| read_news(update.have, count)) {
                Some(Some(news)) => {
                    teller.event(Event::News { peer: teller.peer, key: update.key, news }).await;
                }
                None if may_come => {}
                _ => {
                    return End::Misbehaved(DropReason::Nonsense, "its news make no sense".to_owned());
                }
            }
        }
        wanted.wishes().end_poll(number);
    }
}

async fn failed(error: CallError) -> End {
    match error {
        CallError::WrongReply => {
            End::Misbehaved(DropReason::Protocol, "it answered a poll with something else".to_owned())
        }
        CallError::Closed => std::future::pending().await, // the carrier says why
        error => End::Broken(error.to_string()),
    }
}

/// What a piece of news costs of the peer's budget: one for each chunk that it tells of, and what it costs us to count a
/// whole map anew.
fn cost_of(news: &HaveNews, count: ChunkCount) -> u32 {
    match news {
        HaveNews::Add(added) => 1 + added.len() as u32 / 16,
        HaveNews::All | HaveNews::Replace { .. } | HaveNews::Gone => 20 + count.get() / 256,
    }
}
