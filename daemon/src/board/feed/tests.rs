//! Tests that a peer finally knows what the board has, even if answers are lost, late or overtaken.

use super::super::news::NewsBoard;
use super::*;
use proptest::prelude::*;
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::id::{ListDigest, ResourceId};
use shared::rpc::peer::{ADDED_MAX, HaveNews, NewsReply, UPDATES_MAX};

/// A chunk count that is large enough for all calls of `add` in these tests.
const CHUNKS: u32 = 64;

fn key(number: u16) -> SwarmKey {
    let mut id = [0; 32];
    id[..2].copy_from_slice(&number.to_be_bytes());
    SwarmKey { resource: ResourceId(id), digest: ListDigest([0; 32]) }
}

fn count(n: u32) -> ChunkCount {
    ChunkCount::new(n).unwrap()
}

fn added(keys: &[SwarmKey]) -> Subscriptions {
    Subscriptions { removed: Vec::new(), added: keys.to_vec() }
}

/// A board, a connection to it, and the peer at the other end, which records what it is feed.
struct Pair {
    board: NewsBoard,
    feed: NewsFeed,
    received: u64,
    /// What the peer knows of its swarms; `None` if we are not in a swarm.
    have: BTreeMap<SwarmKey, Option<HaveMap>>,
    size: ChunkCount,
}

impl Pair {
    fn new(size: u32) -> Pair {
        let (board, feed) = (NewsBoard::new(), NewsFeed::default());
        Pair { board, feed, received: 0, have: BTreeMap::new(), size: count(size) }
    }

    fn put(&self, number: u16, have: u32) {
        let mut map = HaveMap::empty(self.size);
        (0..have).for_each(|index| _ = map.insert(ChunkIndex(index)));
        self.board.put(key(number), map);
    }

    fn subscribe(&mut self, keys: &[SwarmKey]) {
        self.feed.subscribe(added(keys));
        self.have.extend(keys.iter().map(|&key| (key, None)));
    }

    fn unsubscribe(&mut self, key: SwarmKey) {
        self.feed.subscribe(Subscriptions { removed: vec![key], added: Vec::new() });
        self.have.remove(&key);
    }

    /// Makes the answer to a poll, which may or may not arrive.
    fn ask(&mut self) -> NewsReply {
        self.feed.arrived(self.received);
        self.board.news(&mut self.feed)
    }

    /// Lets an answer arrive. Returns how many updates it contains.
    fn hear(&mut self, reply: NewsReply) -> usize {
        let updates = reply.updates.len();
        assert!(updates <= UPDATES_MAX);
        self.received = reply.number;
        for update in reply.updates {
            // News that cross the end of a subscription are ignored.
            let Some(known) = self.have.get_mut(&update.key) else { continue };
            *known = match update.have {
                HaveNews::All => Some(HaveMap::full(self.size)),
                HaveNews::Replace { count, map } => HaveMap::from_bytes(count, &map),
                HaveNews::Add(added) => {
                    let mut have = known.take().unwrap_or(HaveMap::empty(self.size));
                    added.into_iter().for_each(|index| _ = have.insert(index));
                    Some(have)
                }
                HaveNews::Gone => None,
            };
        }
        updates
    }

    fn poll(&mut self) -> usize {
        let reply = self.ask();
        self.hear(reply)
    }

    /// Polls until there is no news. Then the peer knows everything that the board has of its swarms.
    fn settle(&mut self, truth: &BTreeMap<SwarmKey, HaveMap>) {
        let most = self.have.len() + 2;
        let polls = (0..most).take_while(|_| self.poll() > 0).count();
        assert!(polls < most, "news have no end");
        for (key, known) in &self.have {
            assert_eq!(known.as_ref(), truth.get(key), "{key}");
        }
    }
}

#[test]
fn what_a_skipped_answer_told_is_told_again() {
    let mut pair = Pair::new(3);
    (1..4).for_each(|number| pair.put(number, 3));
    pair.subscribe(&[key(1)]);
    assert_eq!(pair.poll(), 1);
    pair.subscribe(&[key(2)]);
    assert_eq!(pair.ask().updates.len(), 1, "this one does not arrive");
    pair.subscribe(&[key(3)]);
    let reply = pair.ask();
    let of: BTreeSet<SwarmKey> = reply.updates.iter().map(|update| update.key).collect();
    assert_eq!(of, BTreeSet::from([key(2), key(3)]));
    pair.hear(reply);
    assert_eq!(pair.poll(), 0, "nothing is told twice");
}

#[test]
fn an_answer_that_arrives_after_it_was_given_up_counts_for_nothing() {
    let mut pair = Pair::new(3);
    pair.put(1, 1);
    pair.subscribe(&[key(1)]);
    let late = pair.ask();
    pair.board.remove(key(1));
    pair.ask(); // another poll, without any news
    pair.hear(late);
    pair.settle(&BTreeMap::new());
}

#[test]
fn who_subscribes_anew_is_told_in_full() {
    let mut pair = Pair::new(3);
    pair.put(1, 3);
    pair.subscribe(&[key(1)]);
    assert_eq!(pair.poll(), 1);
    assert_eq!(pair.feed.subscribe(added(&[key(1)])), [], "it is no new member");
    assert_eq!(pair.poll(), 1);
    let under_way = pair.ask();
    pair.subscribe(&[key(1)]);
    pair.hear(under_way);
    assert_eq!((pair.poll(), pair.poll()), (1, 0));
}

#[test]
fn a_poller_always_knows_what_the_board_has() {
    let mut pair = Pair::new(5000);
    pair.subscribe(&[key(1), key(2)]);
    assert_eq!(pair.poll(), 2, "two swarms that are not there");
    pair.put(1, 0);
    pair.poll();
    for index in 0..5000 {
        pair.board.add(key(1), ChunkIndex(index));
        if index % 700 == 0 {
            assert_eq!(pair.poll(), 1);
        }
    }
    pair.poll();
    assert!(pair.have[&key(1)].as_ref().unwrap().is_full());
    assert_eq!(pair.poll(), 0, "nothing is told twice");
    pair.board.lose(key(1), ChunkIndex(3));
    pair.poll();
    assert_eq!(pair.have[&key(1)].as_ref().unwrap().first_missing(), Some(ChunkIndex(3)));
    pair.board.remove(key(1));
    pair.poll();
    assert_eq!(pair.have[&key(1)], None);
}

#[test]
fn who_missed_too_much_is_told_in_full() {
    let mut pair = Pair::new(20_000);
    pair.put(1, 0);
    pair.subscribe(&[key(1)]);
    pair.poll();
    (0..15_000).for_each(|index| pair.board.add(key(1), ChunkIndex(index)));
    pair.poll();
    assert_eq!(pair.have[&key(1)].as_ref().unwrap().len(), 15_000);
}

#[test]
fn what_does_not_fit_comes_with_the_next_answer() {
    let mut pair = Pair::new(2 << 20);
    let keys: Vec<SwarmKey> = (0..7).map(key).collect();
    (0..7).for_each(|number| pair.put(number, 0));
    pair.subscribe(&keys);
    assert_eq!([(); 4].map(|()| pair.poll()), [3, 3, 1, 0], "four maps of 256 KiB would not fit");

    let (swarms, chunks) = (100, ADDED_MAX as u32);
    let mut pair = Pair::new(chunks);
    let keys: Vec<SwarmKey> = (0..swarms).map(key).collect();
    (0..swarms).for_each(|number| pair.put(number, 0));
    pair.subscribe(&keys);
    assert_eq!(pair.poll(), keys.len(), "these maps are small");
    for &key in &keys {
        (0..chunks).for_each(|index| pair.board.add(key, ChunkIndex(index)));
    }
    assert_eq!([(); 3].map(|()| pair.poll()), [56, 44, 0], "57 updates of 16 KiB would not fit");
    assert!(pair.have.values().flatten().all(HaveMap::is_full));
}

/// A few swarms that change all the time do not keep the news of others back.
#[test]
fn everybody_has_a_turn() {
    let mut pair = Pair::new(CHUNKS);
    let swarms = 3 * UPDATES_MAX as u16;
    let keys: Vec<SwarmKey> = (0..swarms).map(key).collect();
    (0..swarms).for_each(|number| pair.put(number, 1));
    pair.subscribe(&keys);
    for _ in 0..3 {
        (0..UPDATES_MAX as u16 + 10).for_each(|number| pair.put(number, 1));
        pair.poll();
    }
    assert!(pair.have.values().all(Option::is_some));
}

#[test]
fn no_more_than_the_most_are_subscribed_to() {
    let mut feed = NewsFeed::default();
    let keys: Vec<SwarmKey> = (0..=SUBSCRIPTIONS_MAX as u16).map(key).collect();
    assert_eq!(feed.subscribe(added(&keys)).len(), SUBSCRIPTIONS_MAX);
    assert_eq!(feed.subscribe(added(&keys[SUBSCRIPTIONS_MAX..])), []);
    feed.subscribe(Subscriptions { removed: vec![keys[7]], added: Vec::new() });
    assert_eq!(feed.subscribe(added(&keys[SUBSCRIPTIONS_MAX..])), keys[SUBSCRIPTIONS_MAX..]);
}

/// The board changes back to what the peer knew before a late answer, and another poll is answered meanwhile.
#[test]
fn a_late_answer_is_made_good_although_the_board_is_as_before_it() {
    let mut world = World::new();
    let steps = [Step::Subscribe(0), Step::Ask, Step::Put(0), Step::Arrive];
    steps.into_iter().for_each(|step| world.take(step));
    let steps = [Step::Ask, Step::Remove(0), Step::Ask, Step::Arrive];
    steps.into_iter().for_each(|step| world.take(step));
    let World { mut pair, truth, .. } = world;
    pair.settle(&truth);
}

/// What may happen between a board and a peer.
#[derive(Debug, Clone, Copy)]
enum Step {
    Subscribe(u16),
    Unsubscribe(u16),
    /// The board has other chunks of a swarm.
    Put(u16),
    /// The board has one chunk more.
    Add(u16),
    Remove(u16),
    /// A poll is answered; the answer is on its way.
    Ask,
    /// The answers on their way arrive, the oldest first, or are lost.
    Arrive,
    Lose,
}

/// A pair, the answers on their way, and the board's chunks.
struct World {
    pair: Pair,
    under_way: Vec<NewsReply>,
    truth: BTreeMap<SwarmKey, HaveMap>,
}

impl World {
    fn new() -> World {
        World { pair: Pair::new(CHUNKS), under_way: Vec::new(), truth: BTreeMap::new() }
    }

    fn take(&mut self, step: Step) {
        let pair = &mut self.pair;
        match step {
            Step::Subscribe(number) => pair.subscribe(&[key(number)]),
            Step::Unsubscribe(number) => pair.unsubscribe(key(number)),
            Step::Put(number) => {
                pair.put(number, 2);
                let map = HaveMap::from_bytes(pair.size, &[3, 0, 0, 0, 0, 0, 0, 0]);
                self.truth.insert(key(number), map.expect("eight bytes for 64 chunks"));
            }
            Step::Add(number) => {
                let Some(have) = self.truth.get_mut(&key(number)) else { return };
                let Some(index) = have.first_missing() else { return };
                have.insert(index);
                pair.board.add(key(number), index);
            }
            Step::Remove(number) => {
                pair.board.remove(key(number));
                self.truth.remove(&key(number));
            }
            Step::Ask => {
                let reply = pair.ask();
                self.under_way.push(reply);
            }
            Step::Arrive => {
                let under_way = std::mem::take(&mut self.under_way);
                under_way.into_iter().for_each(|reply| _ = pair.hear(reply));
            }
            Step::Lose => self.under_way.clear(),
        }
    }
}

/// Every order of six of these steps, with one swarm.
#[test]
fn in_every_order_a_peer_knows_in_the_end_what_the_board_has() {
    const STEPS: [Step; 8] = [
        Step::Subscribe(1),
        Step::Unsubscribe(1),
        Step::Put(1),
        Step::Add(1),
        Step::Remove(1),
        Step::Ask,
        Step::Arrive,
        Step::Lose,
    ];
    for order in 0..8u32.pow(6) {
        let mut world = World::new();
        (0..6).for_each(|at| world.take(STEPS[(order >> (3 * at) & 7) as usize]));
        let World { mut pair, truth, .. } = world;
        pair.settle(&truth);
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let number = prop_oneof![3 => 0..3u16, 1 => 0..600u16];
    prop_oneof![
        4 => number.clone().prop_map(Step::Subscribe),
        2 => number.clone().prop_map(Step::Unsubscribe),
        3 => number.clone().prop_map(Step::Put),
        3 => number.clone().prop_map(Step::Add),
        1 => number.prop_map(Step::Remove),
        4 => Just(Step::Ask),
        2 => Just(Step::Arrive),
        1 => Just(Step::Lose),
    ]
}

proptest! {
    #[test]
    fn whatever_is_lost_or_late_a_peer_knows_in_the_end_what_the_board_has(
        many in any::<bool>(),
        steps in proptest::collection::vec(any_step(), 0..120),
    ) {
        let mut world = World::new();
        if many {
            (0..600).for_each(|number| world.take(Step::Put(number)));
            (0..600).for_each(|number| world.take(Step::Subscribe(number)));
        }
        steps.into_iter().for_each(|step| world.take(step));
        let World { mut pair, truth, .. } = world;
        pair.settle(&truth);
    }
}
