//! Tests of what a link makes of a peer's news, with a peer that answers as each test says.

use super::*;
use crate::inbox::{Context, Input};
use crate::net::Network;
use crate::throttle::Bucket;
use shared::chunk::ChunkIndex;
use shared::host::config::RateLimit;
use shared::id::{ListDigest, PeerId, ResourceId};
use shared::rpc::peer::{
    ChunkReply, Hello, HelloRefused, NewsReply, NewsUpdate, Peer, PickReply, Subscriptions, Welcome,
};
use shared::rpc::wire::{self, ClientOptions, ServerOptions};
use shared::swarm::{News, PeerAddr};
use shared::window::Window;
use std::collections::VecDeque;
use tarpc::context::Context as CallContext;
use tokio::sync::mpsc;

/// Limits the virtual time that a test waits for something.
const LONG: Duration = Duration::from_secs(3600);

fn key(number: u8) -> SwarmKey {
    SwarmKey { resource: ResourceId([number; 32]), digest: ListDigest([0; 32]) }
}

fn wish(number: u8) -> (SwarmKey, ChunkCount) {
    (key(number), ChunkCount::new(1000).unwrap())
}

/// A number of updates that say that the peer has all chunks of a swarm.
fn updates(count: usize, of: u8) -> Vec<NewsUpdate> {
    vec![NewsUpdate { key: key(of), have: HaveNews::All }; count]
}

/// How the peer answers a poll. It does not answer those beyond its last one.
#[derive(Debug, Clone)]
enum Answer {
    Never,
    After(Duration, Vec<NewsUpdate>),
}

use Answer::{After, Never};

/// A peer that answers polls as it was told to.
#[derive(Debug, Clone)]
struct ScriptedPeer {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    /// What it was asked, in order.
    asked: mpsc::UnboundedSender<(Instant, Asked)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// The number of the last answer that the asker received.
    Poll(u64),
    Subscribe(Subscriptions),
}

impl Peer for ScriptedPeer {
    async fn hello(self, _: CallContext, _: Hello) -> Result<Welcome, HelloRefused> {
        Err(HelloRefused::Malformed)
    }

    async fn news(self, _: CallContext, request: NewsRequest) -> NewsReply {
        let _ = self.asked.send((Instant::now(), Asked::Poll(request.received)));
        let answer = self.answers.lock().unwrap().pop_front();
        let Some(After(time, updates)) = answer else { return std::future::pending().await };
        tokio::time::sleep(time).await;
        NewsReply { number: request.received + 1, updates }
    }

    async fn pick(self, _: CallContext, _: SwarmKey, _: Window) -> PickReply {
        PickReply::Unknown
    }

    async fn get_chunk(self, _: CallContext, _: SwarmKey, _: ChunkIndex) -> ChunkReply {
        ChunkReply::Unknown
    }

    async fn complain(self, _: CallContext, _: SwarmKey, _: ChunkIndex) {}

    async fn subscribe(self, _: CallContext, changes: Subscriptions) {
        let _ = self.asked.send((Instant::now(), Asked::Subscribe(changes)));
    }
}

/// A link to a scripted peer.
struct Pair {
    wanted: Arc<Follow>,
    asked: mpsc::UnboundedReceiver<(Instant, Asked)>,
    inputs: mpsc::Receiver<Input>,
    link: tokio::task::JoinHandle<End>,
}

impl Pair {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Pair {
        let limit = || Bucket::new(RateLimit::None);
        let at = PeerAddr::from(([10, 0, 0, 1], 7987));
        let (context, inputs, _) =
            Context::new(PeerId([1; 16]), at, String::new(), (limit(), limit()), Network::System);
        let (to_us, asked) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::new(answers.into_iter().collect()));
        let peer = ScriptedPeer { answers, asked: to_us };
        let (near, far) = tokio::io::duplex(1 << 20);
        let options = ServerOptions::default();
        options.greeted.accept();
        tokio::spawn(wire::serve(far, options, peer.serve()));
        let (quick, carrier): (PeerCaller, _) = wire::client(near, ClientOptions::default());
        tokio::spawn(carrier);
        let teller = Teller { peer: at, id: context.next_link(), context };
        let wanted = Arc::new(Follow::default());
        let link = tokio::spawn(follow(teller, quick, wanted.clone()));
        Pair { wanted, asked, inputs, link }
    }

    /// The same, with a subscription to swarm 1.
    fn subscribed(answers: impl IntoIterator<Item = Answer>) -> Pair {
        let pair = Pair::new(answers);
        pair.wanted.change(vec![wish(1)], Vec::new());
        pair
    }

    /// The next call, and when it came.
    async fn asked(&mut self) -> (Instant, Asked) {
        let asked = tokio::time::timeout(LONG, self.asked.recv()).await;
        asked.expect("the peer is asked").expect("the connection lives")
    }

    /// When the next polls came.
    async fn polls<const N: usize>(&mut self) -> [Instant; N] {
        let mut polls = Vec::new();
        while polls.len() < N {
            let (when, asked) = self.asked().await;
            polls.extend(matches!(asked, Asked::Poll(_)).then_some(when));
        }
        polls.try_into().expect("there are N")
    }

    /// The offense for which the link ended.
    async fn offense(&mut self) -> DropReason {
        let end = tokio::time::timeout(LONG, &mut self.link).await.expect("the link ends");
        match end.expect("it does not panic") {
            End::Misbehaved(reason, _) => reason,
            End::Broken(why) => panic!("the link broke: {why}"),
        }
    }

    /// The next piece of news that the core hears.
    async fn news(&mut self) -> (SwarmKey, News) {
        let input = tokio::time::timeout(LONG, self.inputs.recv()).await.expect("there is news");
        match input {
            Some(Input::Link { event: Event::News { key, news, .. }, .. }) => (key, news),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_subscribes_before_it_polls_and_polls_name_the_last_answer() {
    let mut pair = Pair::new([After(Duration::ZERO, updates(1, 1)), Never]);
    let asked = tokio::time::timeout(Duration::from_secs(10), pair.asked.recv()).await;
    assert!(asked.is_err(), "nothing is wanted yet");
    pair.wanted.change(vec![wish(1)], Vec::new());
    let changes = Subscriptions { removed: Vec::new(), added: vec![key(1)] };
    assert_eq!(pair.asked().await.1, Asked::Subscribe(changes));
    assert_eq!(pair.asked().await.1, Asked::Poll(0));
    assert_eq!(pair.news().await, (key(1), News::All));
    assert_eq!(pair.asked().await.1, Asked::Poll(1));
}

#[tokio::test(start_paused = true)]
async fn changes_that_come_quickly_are_told_in_one_call() {
    let mut pair = Pair::subscribed([]);
    let (first, _) = pair.asked().await;
    pair.wanted.change(vec![wish(2)], Vec::new());
    tokio::time::sleep(SUBSCRIBE_PAUSE / 2).await;
    pair.wanted.change(vec![wish(3)], vec![key(1)]);
    pair.polls::<1>().await;
    let changes = Subscriptions { removed: vec![key(1)], added: vec![key(2), key(3)] };
    let (second, asked) = pair.asked().await;
    assert_eq!(asked, Asked::Subscribe(changes));
    assert!(second - first >= SUBSCRIBE_PAUSE);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_two_polls_in_a_row_unanswered_is_dropped() {
    let alive = || After(NEWS_TIMEOUT / 2, Vec::new());
    let mut pair = Pair::subscribed([Never, alive(), Never, Never, alive()]);
    assert_eq!(pair.offense().await, DropReason::Stalled);
    pair.polls::<4>().await;
    assert!(pair.asked.try_recv().is_err(), "there was no fifth poll");
}

/// A peer that has no news answers late; one that answers at once must not make us busy.
#[tokio::test(start_paused = true)]
async fn only_an_empty_answer_that_came_too_soon_is_followed_by_a_pause() {
    let soon = EMPTY_PAUSE / 2;
    let cases = [
        (soon, 1, soon),
        (soon, 0, soon + EMPTY_PAUSE),
        (EMPTY_PAUSE, 0, EMPTY_PAUSE),
        (NEWS_TIMEOUT / 2, 0, NEWS_TIMEOUT / 2),
    ];
    for (time, count, until_next_poll) in cases {
        let mut pair = Pair::subscribed([After(time, updates(count, 1))]);
        let [first, second] = pair.polls().await;
        assert_eq!(second - first, until_next_poll, "{count} updates after {time:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_no_more_than_the_most_updates() {
    let mut pair = Pair::subscribed([After(Duration::ZERO, updates(UPDATES_MAX, 1))]);
    pair.polls::<2>().await; // the first was no offense
    let mut pair = Pair::subscribed([After(Duration::ZERO, updates(UPDATES_MAX + 1, 1))]);
    assert_eq!(pair.offense().await, DropReason::Nonsense);
}

#[tokio::test(start_paused = true)]
async fn news_without_end_are_a_flood() {
    let answers = vec![After(Duration::ZERO, updates(UPDATES_MAX, 1)); 100];
    let mut pair = Pair::subscribed(answers);
    let mut heard = 0;
    while tokio::time::timeout(LONG, pair.inputs.recv()).await.expect("the link ends").is_some() {
        heard += 1;
    }
    assert_eq!(pair.offense().await, DropReason::Flood);
    assert_eq!(heard, NEWS_COST_MAX / cost_of(&HaveNews::All, wish(1).1), "the core hears those before");
}

#[tokio::test(start_paused = true)]
async fn only_news_of_what_was_wanted_lately_make_sense() {
    let mut pair = Pair::subscribed([After(Duration::ZERO, updates(1, 2))]);
    assert_eq!(pair.offense().await, DropReason::Nonsense, "it was never wanted");

    let beyond = HaveNews::Add(vec![ChunkIndex(1000)]);
    let update = NewsUpdate { key: key(1), have: beyond };
    let mut pair = Pair::subscribed([After(Duration::ZERO, vec![update])]);
    assert_eq!(pair.offense().await, DropReason::Nonsense, "the swarm has no such chunk");

    let mut pair = Pair::subscribed([
        After(Duration::from_secs(1), updates(1, 1)),
        After(Duration::ZERO, updates(1, 1)),
    ]);
    pair.polls::<1>().await;
    pair.wanted.change(vec![wish(2)], vec![key(1)]);
    pair.polls::<1>().await; // the news were under way when we unsubscribed
    assert_eq!(pair.offense().await, DropReason::Nonsense, "it was told a poll ago that this is not wanted");
}

/// A whole map must be counted; a chunk that is named costs next to nothing.
#[test]
fn news_cost_what_they_make_us_do() {
    let add = |count: u32| HaveNews::Add((0..count).map(ChunkIndex).collect());
    let cases = [
        (add(1), 100_000, 1),
        (add(64), 100_000, 5),
        (add(4096), 100_000, 257),
        (HaveNews::All, 1, 20),
        (HaveNews::Gone, 512, 22),
        (HaveNews::Replace { count: ChunkCount::new(100_000).unwrap(), map: Vec::new() }, 100_000, 410),
    ];
    for (news, count, cost) in cases {
        assert_eq!(cost_of(&news, ChunkCount::new(count).unwrap()), cost, "{news:?}");
    }
}
