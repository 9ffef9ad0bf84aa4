//! All machines, the paths between them and their connections. The pieces of a machine's connections leave over its one
//! uplink in turn.

use super::path::{Path, Refusal};
use super::pipe::{Next, Pipe};
use bytes::Bytes;
use shared::chance::splitmix;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// The most bytes of one read or write.
const PIECE_BYTES_MAX: usize = 64 << 10;

/// The most bytes of one connection that leave before it is another's turn.
const TURN_BYTES_MAX: usize = 16 << 10;

/// How long an end waits on a silent connection, as keepalive does.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(60);

/// How a connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Both sides hear of it, one latency later. What arrives after that is lost.
    Reset,
    /// Both sides have ended their streams. What was written still arrives.
    Fin,
    /// Nothing arrives any more, and nobody says so. Both sides give up after [`SILENCE_MAX`].
    Silence,
}

/// What links are like unless it is set otherwise. The values of a path are drawn when it is used for the first time.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The latency of a path in ms.
    pub(crate) latency_ms: RangeInclusive<u64>,
    /// The most that is added to the latency of a piece, in ms.
    pub(crate) jitter_ms_max: u64,
    /// The bytes that a connection holds in each direction before its writer waits.
    pub(crate) buffer: RangeInclusive<usize>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { latency_ms: 1..=20, jitter_ms_max: 2, buffer: 64 << 10..=512 << 10 }
    }
}

/// The connection's number.
pub(super) type Number = u64;

/// A side of a connection: 0 has dialed, 1 has accepted.
pub(super) type Side = usize;

#[derive(Debug)]
pub(super) struct Connection {
    /// The addresses of both sides.
    pub(super) ends: [SocketAddr; 2],
    pub(super) begun: Instant,
    /// The bytes that each side writes.
    pipes: [Pipe; 2],
    /// Since when each side's program has closed it.
    closed: [bool; 2],
    /// When each side hears that the connection is broken.
    reset_at: [Option<Instant>; 2],
    silent_since: Option<Instant>,
}

impl Connection {
    fn wake(&mut self) {
        for pipe in &mut self.pipes {
            pipe.reader.take().into_iter().chain(pipe.writer.take()).for_each(Waker::wake);
        }
    }

    /// Whether both sides can still use it.
    pub(super) fn is_open(&self) -> bool {
        self.closed == [false; 2]
            && self.reset_at == [None; 2]
            && self.silent_since.is_none()
            && !self.pipes.iter().any(Pipe::is_ended)
    }

    fn reset(&mut self, side: Side, at: Instant) {
        self.reset_at[side] = Some(self.reset_at[side].map_or(at, |before| before.min(at)));
    }

    /// The error that a side meets, if it has arrived; else when one arrives, if it is on its way.
    fn error(&self, side: Side, now: Instant) -> (Option<io::ErrorKind>, Option<Instant>) {
        let given_up = self.silent_since.map(|since| since + SILENCE_MAX);
        let (at, kind) = match (self.reset_at[side], given_up) {
            (Some(reset), Some(given_up)) if given_up < reset => (given_up, io::ErrorKind::TimedOut),
            (Some(reset), _) => (reset, io::ErrorKind::ConnectionReset),
            (None, Some(given_up)) => (given_up, io::ErrorKind::TimedOut),
            (None, None) => return (None, None),
        };
        if at <= now { (Some(kind), None) } else { (None, Some(at)) }
    }
}

/// The uplink of a machine.
#[derive(Debug)]
struct Uplink {
    /// The bytes per second; no limit if there is none.
    rate: Option<u64>,
    /// When the bytes that were sent have left it.
    free_at: Instant,
    /// The directions of connections with bytes to send, in turn.
    turns: VecDeque<(Number, Side)>,
}

/// What became of a read or a write.
#[derive(Debug)]
pub(super) enum Moved<T> {
    Done(T),
    Failed(io::ErrorKind),
    /// Nothing can be moved before this moment, or before the other side does something.
    Wait(Option<Instant>),
}

#[derive(Debug)]
pub(super) struct Fabric {
    settings: Settings,
    draw: u64,
    uplinks: BTreeMap<IpAddr, Uplink>,
    paths: BTreeMap<(IpAddr, IpAddr), Path>,
    connections: BTreeMap<Number, Connection>,
    next: Number,
}

impl Fabric {
    pub(super) fn new(seed: u64, settings: Settings) -> Fabric {
        let (uplinks, paths, connections) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Fabric { settings, draw: seed, uplinks, paths, connections, next: 0 }
    }

    /// A random number from `range`.
    pub(super) fn draw(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + splitmix(&mut self.draw) % (range.end() - range.start() + 1)
    }

    pub(super) fn path(&mut self, from: IpAddr, to: IpAddr, now: Instant) -> &mut Path {
        if !self.paths.contains_key(&(from, to)) {
            let latency = Duration::from_millis(self.draw(self.settings.latency_ms.clone()));
            let jitter = Duration::from_millis(self.settings.jitter_ms_max);
            self.paths.insert((from, to), Path::new(latency, jitter, now));
        }
        self.paths.get_mut(&(from, to)).expect("it was made just now")
    }

    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut Path> {
        self.paths.values_mut()
    }

    pub(super) fn latency(&mut self, from: IpAddr, to: IpAddr, now: Instant) -> Duration {
        self.path(from, to, now).latency()
    }

    fn uplink(&mut self, of: IpAddr, now: Instant) -> &mut Uplink {
        let new = || Uplink { rate: None, free_at: now, turns: VecDeque::new() };
        self.uplinks.entry(of).or_insert_with(new)
    }

    pub(super) fn set_rate(&mut self, of: IpAddr, rate: Option<u64>, now: Instant) {
        self.send(of, now);
        self.uplink(of, now).rate = rate;
        self.wake(|_| true);
    }

    /// Wakes the connections whose ends fit, so that they look again.
    pub(super) fn wake(&mut self, fits: impl Fn(&Connection) -> bool) {
        self.connections.values_mut().filter(|connection| fits(connection)).for_each(Connection::wake);
    }

    /// Makes a connection.
    pub(super) fn open(&mut self, dialer: SocketAddr, acceptor: SocketAddr, now: Instant) -> Number {
        let (least, most) = (*self.settings.buffer.start() as u64, *self.settings.buffer.end() as u64);
        let pipes = [(); 2].map(|()| Pipe::new(self.draw(least..=most) as usize, now));
        let connection = Connection {
            ends: [dialer, acceptor],
            begun: now,
            pipes,
            closed: [false; 2],
            reset_at: [None; 2],
            silent_since: None,
        };
        self.next += 1;
        self.connections.insert(self.next, connection);
        self.next
    }

    /// The connections between two machines, whichever has dialed.
    pub(super) fn between(&self, a: IpAddr, b: IpAddr) -> impl Iterator<Item = (Number, &Connection)> {
        let fits = move |connection: &Connection| {
            let ends = connection.ends.map(|end| end.ip());
            ends == [a, b] || ends == [b, a]
        };
        self.connections
            .iter()
            .filter(move |(_, connection)| fits(connection))
            .map(|(number, connection)| (*number, connection))
    }

    /// The connections of a machine, also the broken ones.
    pub(super) fn of(&self, machine: IpAddr) -> Vec<Number> {
        let of = |connection: &Connection| connection.ends.iter().any(|end| end.ip() == machine);
        self.connections.iter().filter(|(_, connection)| of(connection)).map(|(number, _)| *number).collect()
    }

    /// The way of what a side writes.
    fn way(&self, number: Number, side: Side) -> (IpAddr, IpAddr) {
        let ends = self.connections[&number].ends;
        (ends[side].ip(), ends[1 - side].ip())
    }

    /// Sends over a machine's uplink what can have left by now. Returns when the next piece can leave.
    fn send(&mut self, of: IpAddr, now: Instant) -> Option<Instant> {
        loop {
            let turns = self.uplink(of, now).turns.clone();
            let mut first: Option<(Instant, usize)> = None;
            for (place, &(number, side)) in turns.iter().enumerate() {
                let (from, to) = self.way(number, side);
                let since = self.connections[&number].pipes[side].since;
                let start = since.max(self.path(from, to, now).free_at).max(self.uplink(of, now).free_at);
                if first.is_none_or(|(best, _)| start < best) {
                    first = Some((start, place));
                }
            }
            let (start, place) = first?;
            if start > now {
                return Some(start);
            }
            let (number, side) = self.uplink(of, now).turns.remove(place).expect("it was found there");
            self.send_piece(number, side, start);
        }
    }

    fn send_piece(&mut self, number: Number, side: Side, start: Instant) {
        let (from, to) = self.way(number, side);
        let jitter_ms = self.path(from, to, start).jitter.as_millis() as u64;
        let jitter = Duration::from_millis(self.draw(0..=jitter_ms));
        let uplink_rate = self.uplink(from, start).rate;
        let path_rate = self.path(from, to, start).rate();
        let slowest = uplink_rate.into_iter().chain(path_rate).min();
        // 20 ms of the rate, so that slow links are shared finely, too.
        let turn = slowest.map_or(TURN_BYTES_MAX, |rate| (rate as usize / 50).clamp(1 << 10, TURN_BYTES_MAX));
        let connection = self.connections.get_mut(&number).expect("its turn ends with it");
        let piece = connection.pipes[side].take(turn);
        let took = |rate: Option<u64>| {
            rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(piece.len() as f64 / rate as f64))
        };
        let left = start + took(uplink_rate);
        self.uplink(from, start).free_at = left;
        let path = self.path(from, to, start);
        path.free_at = start + took(path_rate);
        let arrival = left.max(path.free_at) + path.latency() + jitter;
        let pipe = &mut self.connections.get_mut(&number).expect("it was there just now").pipes[side];
        pipe.fly(arrival, piece);
        if pipe.has_waiting() {
            self.uplink(from, start).turns.push_back((number, side));
        }
    }

    /// Writes for a side: some of the bytes, at least one.
    pub(super) fn write(
        &mut self,
        number: Number,
        side: Side,
        bytes: &[&[u8]],
        cx: &Context<'_>,
    ) -> Moved<usize> {
        let now = Instant::now();
        let (from, to) = self.way(number, side);
        let is_cut = self.draw(0..=15) == 0;
        let (part, latency) = (self.draw(1..=PIECE_BYTES_MAX as u64) as usize, self.latency(from, to, now));
        let back = self.latency(to, from, now);
        self.send(from, now);
        let connection = self.connections.get_mut(&number).expect("a side is open");
        let (error, error_at) = connection.error(side, now);
        if let Some(error) = error {
            return Moved::Failed(error);
        }
        if connection.pipes[side].is_ended() {
            return Moved::Failed(io::ErrorKind::BrokenPipe);
        }
        let whole: usize = bytes.iter().map(|slice| slice.len()).sum();
        let most = if is_cut { part } else { PIECE_BYTES_MAX };
        let mut left = whole.min(most).min(connection.pipes[side].room());
        if left == 0 && whole > 0 {
            connection.pipes[side].writer = Some(cx.waker().clone());
            return Moved::Wait(error_at);
        }
        let written = left;
        let had_waiting = connection.pipes[side].has_waiting();
        for slice in bytes {
            let slice = &slice[..slice.len().min(left)];
            connection.pipes[side].push(now, slice);
            left -= slice.len();
        }
        if connection.closed[1 - side] {
            connection.reset(side, now + latency + back); // nobody reads it there, and the kernel says so
        }
        connection.pipes[side].reader.take().into_iter().for_each(Waker::wake);
        if connection.silent_since.is_none() && !had_waiting && written > 0 {
            self.uplink(from, now).turns.push_back((number, side));
            self.send(from, now);
        }
        Moved::Done(written)
    }

    /// Reads for a side: some of what has arrived. Nothing is the end of the stream.
    pub(super) fn read(&mut self, number: Number, side: Side, room: usize, cx: &Context<'_>) -> Moved<Bytes> {
        let now = Instant::now();
        let (from, to) = self.way(number, 1 - side);
        let sends_at = self.send(from, now);
        let is_tiny = self.draw(0..=15) == 0;
        let most = self.draw(1..=if is_tiny { 32 } else { PIECE_BYTES_MAX as u64 }) as usize;
        self.path(from, to, now); // it exists from here on
        let path = &self.paths[&(from, to)];
        let connection = self.connections.get_mut(&number).expect("a side is open");
        let (error, error_at) = connection.error(side, now);
        let pipe = &mut connection.pipes[1 - side];
        let lost_from = connection.silent_since.into_iter().chain(connection.reset_at[side]).min();
        let next = match pipe.next(path, now) {
            Next::Arrived(at) | Next::Arrives(at) if lost_from.is_some_and(|lost| at > lost) => Next::Nothing,
            next => next,
        };
        match (next, error) {
            (Next::Arrived(_), _) => {
                let read = pipe.read(room.min(most));
                pipe.writer.take().into_iter().for_each(Waker::wake);
                Moved::Done(read)
            }
            (_, Some(error)) => Moved::Failed(error),
            (next, None) => {
                let arrives = match next {
                    Next::Arrives(at) => Some(at),
                    _ if pipe.has_waiting() => sends_at,
                    _ => None,
                };
                pipe.reader = Some(cx.waker().clone());
                Moved::Wait(arrives.into_iter().chain(error_at).min())
            }
        }
    }

    /// A side ends its stream behind what it has written.
    pub(super) fn end(&mut self, number: Number, side: Side) {
        let now = Instant::now();
        let (from, to) = self.way(number, side);
        let arrival = now + self.latency(from, to, now);
        let connection = self.connections.get_mut(&number).expect("a side is open");
        connection.pipes[side].end(arrival);
        connection.wake();
    }

    /// A side's program closes the connection. If it has not read everything, the other side hears of a broken
    /// connection, as from a kernel.
    pub(super) fn close(&mut self, number: Number, side: Side) {
        let now = Instant::now();
        let (from, to) = self.way(number, side);
        let (there, back) = (self.latency(from, to, now), self.latency(to, from, now));
        self.path(to, from, now);
        let reverse = &self.paths[&(to, from)];
        let connection = self.connections.get_mut(&number).expect("a side is open");
        let incoming = &connection.pipes[1 - side];
        let (has_arrived, has_unread) = (incoming.has_arrived(reverse, now), incoming.has_unread());
        connection.closed[side] = true;
        if has_arrived {
            connection.pipes[side].drop_waiting();
            connection.reset(1 - side, now + there);
        } else {
            connection.pipes[side].end(now + there);
        }
        if has_unread {
            connection.reset(1 - side, now + back + there);
        }
        connection.wake();
        self.forget_turns(number, has_arrived.then_some(side), Some(1 - side));
        if self.connections[&number].closed == [true; 2] {
            self.forget_turns(number, Some(0), Some(1));
            self.connections.remove(&number);
        }
    }

    /// Breaks a connection.
    pub(super) fn cut(&mut self, number: Number, cut: Cut) {
        let now = Instant::now();
        let ways = [0, 1].map(|side| self.way(number, side));
        let latencies = ways.map(|(from, to)| self.latency(from, to, now));
        for (from, _) in ways {
            self.send(from, now);
        }
        let connection = self.connections.get_mut(&number).expect("who cuts it has found it");
        match cut {
            Cut::Reset => (0..2).for_each(|side| connection.reset(side, now + latencies[1 - side])),
            Cut::Fin => (0..2).for_each(|side| connection.pipes[side].end(now + latencies[side])),
            Cut::Silence => connection.silent_since = connection.silent_since.or(Some(now)),
        }
        connection.wake();
        if cut != Cut::Fin {
            self.forget_turns(number, Some(0), Some(1));
        }
    }

    /// What has become of a silent connection is found out by this moment at the latest.
    pub(super) fn find_out(&mut self, number: Number, by: Instant) {
        let connection = self.connections.get_mut(&number).expect("who asks has found it");
        if connection.silent_since.is_some() {
            for side in [0, 1] {
                connection.reset(side, by);
            }
            connection.wake();
        }
    }

    fn forget_turns(&mut self, number: Number, one: Option<Side>, other: Option<Side>) {
        for side in one.into_iter().chain(other) {
            let (from, _) = self.way(number, side);
            if let Some(uplink) = self.uplinks.get_mut(&from) {
                uplink.turns.retain(|&turn| turn != (number, side));
            }
        }
    }

    /// What those who dial meet on this path.
    pub(super) fn refusal(&mut self, from: IpAddr, to: IpAddr, now: Instant) -> Option<Refusal> {
        self.path(from, to, now).refusal()
    }
}
