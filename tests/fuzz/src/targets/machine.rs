//! The core, driven by hostile peers with any messages in any order at any time. It must keep its invariants and
//! bounds. When the hostile peers are gone, or claim everything and send nothing, one honest seeder must be enough to
//! complete every download.
//!
//! Mistakes of the driver are not tested: it numbers each question once, reports the outcome of each chunk, and time
//! never runs backwards.

use libfuzzer_sys::arbitrary::{Arbitrary, Result, Unstructured};
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::id::{ListDigest, PeerId, ResourceId, SwarmKey};
use shared::swarm::{
    Action, AskEnd, AskId, Event, Machine, News, PeerAddr, RequestId, RequestRefusal, SwarmConfig, Time,
};
use shared::window::Window;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Sizes at the edges: of a byte, a word, the window.
const COUNTS: [u32; 8] = [0, 1, 2, 8, 9, 64, 65, 1030];
/// The most actions for one event.
const ACTIONS_MAX: usize = 4096;
/// How long the honest end may take, on the core's clock.
const END_MAX: Duration = Duration::from_secs(3600);
/// How long a question of ours may stay unanswered; then the driver reports that it failed.
const DEADLINE: Duration = Duration::from_secs(30);

pub fn machine(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let mut world = World::new(&mut input);
    while !input.is_empty() {
        let Ok((wait, event)) = world.draw(&mut input) else { break };
        world.now = world.now + wait;
        world.tell(event);
        world.machine.check_invariants();
    }
    world.end();
}

/// The machine, and the state of its driver.
struct World {
    machine: Machine,
    now: Time,
    swarms: BTreeMap<SwarmKey, Swarm>,
    /// Open requests: whom they went to, and what for; the chunk is known once it was asked for.
    requests: BTreeMap<RequestId, (PeerAddr, SwarmKey, Option<ChunkIndex>)>,
    /// The number of the last request.
    requested: Option<RequestId>,
    /// Chunks that arrived and whose outcome was not reported yet.
    verifying: Vec<(SwarmKey, ChunkIndex, PeerAddr)>,
    /// Questions that were not answered yet.
    asks: BTreeMap<AskId, SwarmKey>,
    /// Questions that are being served.
    serving: Vec<AskId>,
    asked: u64,
    /// The actions since the last look.
    actions: VecDeque<Action>,
    /// Whether the strangers stay until the end, claim everything and send nothing.
    liars: bool,
    /// When the questions that the liars were asked have failed.
    deadline: Time,
}

struct Swarm {
    have: HaveMap,
    leeching: bool,
}

impl World {
    fn new(input: &mut Unstructured<'_>) -> World {
        let seed = u8::arbitrary(input).unwrap_or_default();
        let config = match seed & 1 {
            0 => SwarmConfig::default(),
            _ => {
                SwarmConfig { requests_max: 3, verifying_max: 2, pick_queue_max: 2, ..SwarmConfig::default() }
            }
        };
        let zone = if seed & 2 == 0 { "" } else { "a" };
        World {
            machine: Machine::new(config, [seed; 32]).in_zone(PeerId([0xfe; 16]), zone),
            now: Time(0),
            swarms: BTreeMap::new(),
            requests: BTreeMap::new(),
            requested: None,
            verifying: Vec::new(),
            asks: BTreeMap::new(),
            serving: Vec::new(),
            asked: 0,
            actions: VecDeque::new(),
            liars: seed & 4 != 0,
            deadline: Time(0),
        }
    }

    /// Hands an event to the machine and records its actions.
    fn tell(&mut self, event: Event) {
        self.note(&event);
        self.machine.handle(self.now, event);
        let mut count = 0;
        while let Some(action) = self.machine.poll() {
            count += 1;
            assert!(count <= ACTIONS_MAX, "one event leads to more than {ACTIONS_MAX} actions");
            self.check(&action);
            self.actions.push_back(action);
        }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Join { key, have, .. } => {
                let swarm = Swarm { have: have.clone(), leeching: !have.is_full() };
                self.swarms.entry(*key).or_insert(swarm);
            }
            Event::Leave { key } => {
                self.swarms.remove(key);
                self.verifying.retain(|(of, _, _)| of != key);
            }
            Event::Disconnected { peer, .. } => self.requests.retain(|_, (to, _, _)| to != peer),
            Event::Refused { request, .. } => _ = self.requests.remove(request),
            Event::Received { request } => {
                if let Some((peer, key, Some(index))) = self.requests.remove(request) {
                    self.verifying.push((key, index, peer));
                }
            }
            Event::Stored { key, index } => {
                _ = self.swarms.get_mut(key).map(|swarm| swarm.have.insert(*index))
            }
            Event::Lost { key, index } => _ = self.swarms.get_mut(key).map(|swarm| swarm.have.remove(*index)),
            Event::PickAsked { ask, key, .. } | Event::ChunkAsked { ask, key, .. } => {
                self.asks.insert(*ask, *key);
            }
            Event::AskEnded { ask, .. } => _ = self.asks.remove(ask),
            _ => {}
        }
    }

    /// Checks an action of the machine.
    fn check(&mut self, action: &Action) {
        match action {
            Action::Dial { peer } => {
                assert!(peer.port() != 0 && !peer.ip().is_multicast(), "{peer} is dialled")
            }
            Action::Pick { request, peer, key, wanted } => {
                assert!(self.swarms.contains_key(key), "of no swarm of ours");
                if !wanted.is_empty() {
                    assert!(Some(*request) > self.requested, "a number is used again");
                    self.requested = Some(*request);
                    self.requests.insert(*request, (*peer, *key, None));
                }
            }
            Action::Get { request, peer, key, index } => {
                let swarm = &self.swarms[key];
                assert!(swarm.have.count().contains(*index) && !swarm.have.contains(*index), "what we have");
                if self.requested < Some(*request) {
                    self.requested = Some(*request);
                }
                self.requests.insert(*request, (*peer, *key, Some(*index)));
            }
            Action::Cancel { request, .. } => _ = self.requests.remove(request),
            Action::Grant { ask, index } => {
                let key = self.asks.remove(ask).expect("a question is answered once");
                assert!(self.swarms[&key].have.contains(*index), "what we do not have is granted");
            }
            Action::Serve { ask, key, index } => {
                assert_eq!(self.asks.remove(ask), Some(*key), "a question is answered once");
                assert!(self.swarms[key].have.contains(*index), "what we do not have is served");
                self.serving.push(*ask);
            }
            Action::Refuse { ask, .. } => {
                assert!(self.asks.remove(ask).is_some(), "a question is answered once");
            }
            Action::TellHave { key, index } => assert!(self.swarms[key].have.contains(*index)),
            Action::Complete { key } => {
                let swarm = self.swarms.get_mut(key).expect("it is a swarm of ours");
                assert!(swarm.have.is_full() && swarm.leeching, "nothing was completed");
                swarm.leeching = false;
            }
            Action::Drop { peer, .. } | Action::Hangup { peer, .. } => {
                self.requests.retain(|_, (to, _, _)| to != peer);
            }
            _ => {}
        }
    }

    /// The strangers go, or lie, and an honest seeder comes.
    fn end(&mut self) {
        let gone = if self.liars { 0 } else { STRANGERS };
        for number in 0..gone {
            self.tell(Event::Disconnected { peer: stranger(number), for_good: true });
        }
        for (key, index, _) in std::mem::take(&mut self.verifying) {
            self.tell(Event::NotStored { key, index });
        }
        // The end of one may be the answer to another.
        while let Some((&ask, _)) = self.asks.first_key_value() {
            self.tell(Event::AskEnded { ask, end: AskEnd::TakenBack });
        }
        for ask in std::mem::take(&mut self.serving) {
            self.tell(Event::AskEnded { ask, end: AskEnd::TakenBack });
        }
        self.machine.check_invariants();
        self.actions.clear();
        let keys: Vec<SwarmKey> = self.swarms.keys().copied().collect();
        for &key in &keys {
            let chunks = HaveMap::empty(self.swarms[&key].have.count());
            self.tell(Event::Withhold { key, chunks });
            self.tell(Event::PeersFound { key, peers: vec![honest()] });
        }
        let latest = self.now + END_MAX;
        let mut steps_left = 20_000;
        while self.swarms.values().any(|swarm| swarm.leeching) {
            assert!(steps_left > 0 && self.now < latest, "a download with an honest seeder does not end");
            steps_left -= 1;
            match self.actions.pop_front() {
                Some(action) => self.answer(action),
                None => self.wait(),
            }
        }
        self.machine.check_invariants();
    }

    /// Lets time pass until something is due.
    fn wait(&mut self) {
        let asked: Vec<RequestId> = self.requests.keys().copied().collect();
        if asked.is_empty() {
            self.deadline = self.now + DEADLINE;
        }
        let next = self.machine.next_timeout();
        assert!(next.is_some() || !asked.is_empty(), "a download that waits for nothing");
        self.now = self.now.max(next.unwrap_or(self.deadline).min(self.deadline));
        if self.now >= self.deadline {
            self.deadline = self.now + DEADLINE;
            asked.into_iter().for_each(|request| {
                if self.requests.contains_key(&request) {
                    self.tell(Event::Refused { request, refusal: RequestRefusal::Failed });
                }
            });
        }
        self.tell(Event::Timeout);
    }

    /// Answers like an honest seeder, a millisecond later. Liars only claim to have everything.
    fn answer(&mut self, action: Action) {
        self.now = self.now + Duration::from_millis(1);
        match action {
            Action::Dial { peer } if peer != honest() && !self.liars => {
                self.tell(Event::Disconnected { peer, for_good: false });
            }
            Action::Dial { peer } => {
                let number = (0..STRANGERS).find(|&number| stranger(number) == peer);
                let id = PeerId([number.map_or(0xff, |number| 0x10 + number); 16]);
                let round_trip = Duration::from_millis(1);
                self.tell(Event::Connected { peer, id, zone: String::new(), round_trip });
            }
            Action::Subscribe { peer, added, .. } if peer == honest() || self.liars => {
                added.into_iter().for_each(|key| self.tell(Event::News { peer, key, news: News::All }));
            }
            Action::Pick { request, peer, wanted, .. } if self.is_open(request, peer) => {
                let index = wanted.iter().next().expect("a request asks for something");
                self.tell(Event::Picked { request, index });
            }
            Action::Get { request, peer, key, index } if self.is_open(request, peer) => {
                self.tell(Event::Progress { peer, bytes: 1 << 20 });
                self.tell(Event::Received { request });
                self.verifying.clear();
                self.tell(Event::Stored { key, index });
            }
            _ => {}
        }
    }

    /// Whether a request goes to the honest seeder and is still open.
    fn is_open(&self, request: RequestId, peer: PeerAddr) -> bool {
        peer == honest() && self.requests.contains_key(&request)
    }

    // -- drawing

    fn draw(&mut self, input: &mut Unstructured<'_>) -> Result<(Duration, Event)> {
        let wait = match u8::arbitrary(input)? {
            0..128 => Duration::ZERO,
            ms @ 128..250 => Duration::from_millis(1 << (ms % 14)),
            _ => Duration::from_secs(u16::arbitrary(input)?.into()),
        };
        let event = match input.int_in_range(0..=20)? {
            0 => self.join(input)?,
            1 => Event::Leave { key: key(input)? },
            2 => {
                let count = input.int_in_range(0..=STRANGERS)?;
                let peers = (0..count).map(|_| peer(input)).collect::<Result<Vec<_>>>()?;
                Event::PeersFound { key: key(input)?, peers }
            }
            3 => Event::PeerSubscribed { key: key(input)?, peer: peer(input)? },
            4 | 5 => Event::Connected {
                peer: peer(input)?,
                id: PeerId([input.int_in_range(0..=5)?; 16]),
                zone: ["", "a", "b"][input.int_in_range(0..=2)?].to_owned(),
                round_trip: Duration::from_millis(u16::arbitrary(input)?.into()),
            },
            6 => Event::Disconnected { peer: peer(input)?, for_good: u8::arbitrary(input)? > 250 },
            7 | 8 => Event::News { peer: peer(input)?, key: key(input)?, news: news(input)? },
            9 => Event::Picked { request: self.request(input)?, index: index(input)? },
            10 => Event::Refused { request: self.request(input)?, refusal: refusal(input)? },
            11 => Event::Progress {
                peer: peer(input)?,
                bytes: u64::arbitrary(input)? >> u8::arbitrary(input)? % 64,
            },
            12 | 13 => self.received(input)?,
            14 | 15 => self.verified(input)?,
            16 => self.lost(input)?,
            17 => {
                self.asked += 1;
                let wanted =
                    Window::of(index(input)?, (0..u32::from(u16::arbitrary(input)? % 1100)).map(ChunkIndex));
                Event::PickAsked { ask: AskId(self.asked), peer: peer(input)?, key: key(input)?, wanted }
            }
            18 => {
                self.asked += 1;
                let ask = AskId(self.asked);
                Event::ChunkAsked { ask, peer: peer(input)?, key: key(input)?, index: index(input)? }
            }
            19 => self.withhold(input)?,
            _ if !self.serving.is_empty() && bool::arbitrary(input)? => {
                let at = input.choose_index(self.serving.len())?;
                let end = [AskEnd::Served, AskEnd::TakenBack, AskEnd::BrokenOff];
                Event::AskEnded { ask: self.serving.swap_remove(at), end: *input.choose(&end)? }
            }
            _ => {
                if let Some(next) = self.machine.next_timeout() {
                    self.now = self.now.max(next);
                }
                Event::Timeout
            }
        };
        Ok((wait, event))
    }

    fn withhold(&self, input: &mut Unstructured<'_>) -> Result<Event> {
        let key = key(input)?;
        let small = || ChunkCount::new(9).expect("it is small");
        let count = self.swarms.get(&key).map_or_else(small, |it| it.have.count());
        let mut chunks = if bool::arbitrary(input)? { HaveMap::full(count) } else { HaveMap::empty(count) };
        for _ in 0..input.int_in_range(0..=9)? {
            let index = index(input)?;
            _ = if chunks.contains(index) { chunks.remove(index) } else { chunks.insert(index) };
        }
        Ok(Event::Withhold { key, chunks })
    }

    fn join(&mut self, input: &mut Unstructured<'_>) -> Result<Event> {
        let count = ChunkCount::new(*input.choose(&COUNTS)?).expect("they are all small");
        let mut have = if bool::arbitrary(input)? { HaveMap::full(count) } else { HaveMap::empty(count) };
        for _ in 0..input.int_in_range(0..=4)? {
            have.insert(index(input)?);
        }
        Ok(Event::Join { key: key(input)?, count, have })
    }

    /// One that is open, or any.
    fn request(&self, input: &mut Unstructured<'_>) -> Result<RequestId> {
        let open: Vec<RequestId> = self.requests.keys().copied().collect();
        if open.is_empty() || u8::arbitrary(input)? < 16 {
            return Ok(RequestId(u8::arbitrary(input)?.into()));
        }
        input.choose(&open).copied()
    }

    /// The driver reports only chunks that it asked for.
    fn received(&self, input: &mut Unstructured<'_>) -> Result<Event> {
        let asked = self.requests.iter().filter(|(_, (_, _, index))| index.is_some());
        let asked: Vec<RequestId> = asked.map(|(&request, _)| request).collect();
        if asked.is_empty() {
            Ok(Event::Timeout)
        } else {
            Ok(Event::Received { request: *input.choose(&asked)? })
        }
    }

    fn verified(&mut self, input: &mut Unstructured<'_>) -> Result<Event> {
        if self.verifying.is_empty() {
            return Ok(Event::Timeout);
        }
        let at = input.choose_index(self.verifying.len())?;
        let (key, index, peer) = self.verifying.swap_remove(at);
        Ok(match input.int_in_range(0..=3)? {
            0 => Event::Corrupt { key, index, peer },
            1 => Event::NotStored { key, index },
            _ => Event::Stored { key, index },
        })
    }

    /// Only what was had can be lost.
    fn lost(&self, input: &mut Unstructured<'_>) -> Result<Event> {
        let (key, index) = (key(input)?, index(input)?);
        let is_had = self.swarms.get(&key).is_some_and(|swarm| swarm.have.contains(index));
        Ok(if is_had { Event::Lost { key, index } } else { Event::Timeout })
    }
}

/// How many addresses strangers have.
const STRANGERS: u8 = 12;

fn stranger(number: u8) -> PeerAddr {
    match number {
        0 => PeerAddr::from(([10, 0, 0, 1], 0)),
        1 => PeerAddr::from(([224, 0, 0, 1], 7987)),
        2 => PeerAddr::from(([0, 0, 0, 0], 7987)),
        3 => PeerAddr::from(([255, 255, 255, 255], 22)),
        number => PeerAddr::from(([10, 0, 0, number], 7987)),
    }
}

fn honest() -> PeerAddr {
    PeerAddr::from(([10, 1, 1, 1], 7987))
}

fn peer(input: &mut Unstructured<'_>) -> Result<PeerAddr> {
    input.int_in_range(0..=STRANGERS - 1).map(stranger)
}

fn key(input: &mut Unstructured<'_>) -> Result<SwarmKey> {
    let number = input.int_in_range(0..=2)?;
    Ok(SwarmKey { resource: ResourceId([number; 32]), digest: ListDigest([number; 32]) })
}

fn index(input: &mut Unstructured<'_>) -> Result<ChunkIndex> {
    Ok(ChunkIndex(match u8::arbitrary(input)? {
        small @ 0..240 => small.into(),
        240..250 => u32::arbitrary(input)? % 1100,
        _ => u32::MAX - u32::from(u8::arbitrary(input)?),
    }))
}

fn news(input: &mut Unstructured<'_>) -> Result<News> {
    Ok(match input.int_in_range(0..=4)? {
        0 => News::All,
        1 => News::Gone,
        2 => News::Replace(HaveMap::full(
            ChunkCount::new(*input.choose(&COUNTS)?).expect("they are all small"),
        )),
        3 => {
            let mut have =
                HaveMap::empty(ChunkCount::new(*input.choose(&COUNTS)?).expect("they are all small"));
            for _ in 0..input.int_in_range(0..=9)? {
                have.insert(index(input)?);
            }
            News::Replace(have)
        }
        _ => {
            let count = input.int_in_range(0..=9)?;
            News::Add((0..count).map(|_| index(input)).collect::<Result<Vec<_>>>()?)
        }
    })
}

fn refusal(input: &mut Unstructured<'_>) -> Result<RequestRefusal> {
    Ok(match input.int_in_range(0..=3)? {
        0 => RequestRefusal::Busy { retry_after: Duration::from_millis(u32::arbitrary(input)?.into()) },
        1 => RequestRefusal::NotHere,
        2 => RequestRefusal::Unknown,
        _ => RequestRefusal::Failed,
    })
}
