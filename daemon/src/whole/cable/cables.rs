//! Dialing and listening in memory, and what goes wrong with connections.

use super::fabric::{Cut, Fabric, Number, Settings};
use super::path::Refusal;
use super::stream::Cable;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// The connections that wait to be accepted; further ones are refused.
const BACKLOG_MAX: usize = 128;

/// How long whoever dials waits for an answer before the call is sent again.
const DIAL_AGAIN: Duration = Duration::from_secs(1);

/// The longest time, in ms, until a machine that came back tells the others that it knows nothing of their connections.
const FOUND_OUT_MS_MAX: u64 = 30_000;

/// All connections of a world. Machines and trackers are known by their addresses.
#[derive(Debug)]
pub(crate) struct Cables {
    fabric: Arc<Mutex<Fabric>>,
    ports: Mutex<Ports>,
    /// Told when a fault begins or ends.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Ports {
    listeners: BTreeMap<SocketAddr, Port>,
    /// The machines without power.
    off: BTreeSet<IpAddr>,
    /// The number of listeners and dialing ports so far.
    used: u64,
}

#[derive(Debug)]
struct Port {
    number: u64,
    /// The connections that wait, with their dialers.
    waiting: VecDeque<(Number, SocketAddr)>,
    waker: Option<Waker>,
}

/// Accepts the connections to an address. Dropping it closes the port.
#[derive(Debug)]
pub(crate) struct CableListener {
    cables: Arc<Cables>,
    at: SocketAddr,
    number: u64,
}

impl Cables {
    /// A network without connections. All its random numbers come from `seed`.
    pub(crate) fn new(seed: u64, settings: Settings) -> Arc<Cables> {
        let fabric = Arc::new(Mutex::new(Fabric::new(seed, settings)));
        Arc::new(Cables { fabric, ports: Mutex::default(), changed: Notify::new() })
    }

    fn fabric(&self) -> MutexGuard<'_, Fabric> {
        self.fabric.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ports(&self) -> MutexGuard<'_, Ports> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a port. It takes the place of one at the same address.
    pub(crate) fn listen(self: &Arc<Cables>, at: SocketAddr) -> CableListener {
        let mut ports = self.ports();
        ports.used += 1;
        let number = ports.used;
        ports.listeners.insert(at, Port { number, waiting: VecDeque::new(), waker: None });
        CableListener { cables: self.clone(), at, number }
    }

    /// Connects a machine to an address.
    ///
    /// # Errors
    /// `ConnectionRefused` after a round trip if nobody listens there or the fault [`Refusal::AtOnce`] is in force. With
    /// [`Refusal::Silent`], and to a machine without power, it waits and dials again every second.
    pub(crate) async fn connect(&self, from: IpAddr, to: SocketAddr) -> io::Result<Cable> {
        loop {
            self.travel(from, to.ip(), Instant::now()).await;
            let refusal = self.fabric().refusal(from, to.ip(), Instant::now());
            let is_off = [from, to.ip()].iter().any(|ip| self.ports().off.contains(ip));
            if is_off || refusal == Some(Refusal::Silent) {
                sleep(DIAL_AGAIN).await;
                continue;
            }
            let is_refused = refusal.is_some() || !self.ports().listeners.contains_key(&to);
            self.travel(to.ip(), from, Instant::now()).await;
            let mut ports = self.ports();
            let ephemeral = 32_768 + (ports.used % 28_000) as u16;
            ports.used += 1;
            let port = ports.listeners.get_mut(&to).filter(|port| port.waiting.len() < BACKLOG_MAX);
            let Some(port) = port.filter(|_| !is_refused) else {
                return Err(io::ErrorKind::ConnectionRefused.into());
            };
            let dialer = SocketAddr::new(from, ephemeral);
            let number = self.fabric().open(dialer, to, Instant::now());
            port.waiting.push_back((number, dialer));
            port.waker.take().into_iter().for_each(Waker::wake);
            return Ok(Cable::new(self.fabric.clone(), number, 0));
        }
    }

    /// Waits as long as a small packet needs that is sent at `sent`.
    async fn travel(&self, from: IpAddr, to: IpAddr, sent: Instant) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let arrival = {
                let mut fabric = self.fabric();
                let path = fabric.path(from, to, sent);
                path.arrival(sent + path.latency())
            };
            if timeout_at(arrival, changed).await.is_err() {
                return sleep_until(arrival).await;
            }
        }
    }
}

/// Faults. Each is for one direction, from one machine to another, unless it says otherwise.
impl Cables {
    /// Sets the latency.
    pub(crate) fn set_latency(&self, from: IpAddr, to: IpAddr, latency: Duration) {
        let now = Instant::now();
        self.fabric().path(from, to, now).set_latency(now, latency);
    }

    /// Limits all that a machine sends, in bytes per second.
    pub(crate) fn set_uplink(&self, of: IpAddr, rate: Option<u64>) {
        self.fabric().set_rate(of, rate, Instant::now());
    }

    /// Holds back what would arrive before `until`. Nothing is lost.
    pub(crate) fn hold(&self, from: IpAddr, to: IpAddr, until: Instant) {
        let now = Instant::now();
        self.fabric().path(from, to, now).hold(now, until);
        self.look_again();
    }

    /// Limits what is sent, in bytes per second.
    pub(crate) fn slow(&self, from: IpAddr, to: IpAddr, rate: Option<u64>) {
        let now = Instant::now();
        self.fabric().path(from, to, now).slow(now, rate);
        self.look_again();
    }

    /// What those who dial meet from now on.
    pub(crate) fn refuse(&self, from: IpAddr, to: IpAddr, refusal: Option<Refusal>) {
        let now = Instant::now();
        self.fabric().path(from, to, now).refuse(now, refusal);
    }

    /// Breaks all connections between two machines, in both directions. Returns their number.
    pub(crate) fn cut(&self, a: IpAddr, b: IpAddr, cut: Cut) -> usize {
        let mut fabric = self.fabric();
        let open = fabric.between(a, b).filter(|(_, connection)| connection.is_open());
        let open: Vec<Number> = open.map(|(number, _)| number).collect();
        open.iter().for_each(|&number| fabric.cut(number, cut));
        open.len()
    }

    /// The machine loses power: its connections fall silent, and who dials it hears nothing.
    pub(crate) fn power_off(&self, of: IpAddr) {
        self.ports().off.insert(of);
        let mut fabric = self.fabric();
        fabric.of(of).into_iter().for_each(|number| fabric.cut(number, Cut::Silence));
    }

    /// The machine has power again. It knows nothing of its former connections, and the others hear that within half a
    /// minute.
    pub(crate) fn power_on(&self, of: IpAddr) {
        self.ports().off.remove(&of);
        let now = Instant::now();
        let mut fabric = self.fabric();
        for number in fabric.of(of) {
            let by = now + Duration::from_millis(fabric.draw(0..=FOUND_OUT_MS_MAX));
            fabric.find_out(number, by);
        }
    }

    /// Ends the faults of one path.
    pub(crate) fn heal(&self, from: IpAddr, to: IpAddr) {
        let now = Instant::now();
        self.fabric().path(from, to, now).calm(now);
        self.look_again();
    }

    /// Ends all faults of paths: what is held arrives, nothing is slowed or refused. What is broken stays broken.
    pub(crate) fn calm(&self) {
        let now = Instant::now();
        self.fabric().paths().for_each(|path| path.calm(now));
        self.look_again();
    }

    fn look_again(&self) {
        self.changed.notify_waiters();
        self.fabric().wake(|_| true);
    }
}

/// Questions of those who check a world.
impl Cables {
    /// Whether anything is held back between two machines now, in either direction.
    pub(crate) fn is_held(&self, a: IpAddr, b: IpAddr) -> bool {
        let now = Instant::now();
        let mut fabric = self.fabric();
        fabric.path(a, b, now).is_held(now) || fabric.path(b, a, now).is_held(now)
    }

    /// Whether one machine can dial the other: nothing is held or refused, and both have power.
    pub(crate) fn can_dial(&self, from: IpAddr, to: IpAddr) -> bool {
        let now = Instant::now();
        let have_power = [from, to].iter().all(|ip| !self.ports().off.contains(ip));
        have_power && !self.is_held(from, to) && self.fabric().refusal(from, to, now).is_none()
    }

    /// Since when nothing is wrong between two machines in either direction; `None` while something is.
    pub(crate) fn quiet_since(&self, a: IpAddr, b: IpAddr) -> Option<Instant> {
        let now = Instant::now();
        let mut fabric = self.fabric();
        let (there, back) =
            (fabric.path(a, b, now).quiet_since(now), fabric.path(b, a, now).quiet_since(now));
        there.zip(back).map(|(there, back)| there.max(back))
    }

    /// Since when two machines have the connections that they have; `None` without one, and while one of them is broken,
    /// even if nobody has noticed it yet.
    pub(crate) fn connected_since(&self, a: IpAddr, b: IpAddr) -> Option<Instant> {
        let fabric = self.fabric();
        let connections: Vec<_> = fabric.between(a, b).map(|(_, connection)| connection).collect();
        let are_open = connections.iter().all(|connection| connection.is_open());
        connections.iter().map(|connection| connection.begun).max().filter(|_| are_open)
    }

    /// The latency there and back between two machines.
    pub(crate) fn round_trip(&self, a: IpAddr, b: IpAddr) -> Duration {
        let now = Instant::now();
        let mut fabric = self.fabric();
        fabric.latency(a, b, now) + fabric.latency(b, a, now)
    }

    /// The number of connections between two machines that both can use.
    pub(crate) fn open_between(&self, a: IpAddr, b: IpAddr) -> usize {
        self.fabric().between(a, b).filter(|(_, connection)| connection.is_open()).count()
    }
}

impl CableListener {
    /// Waits for a connection. Returns it with the address of its dialer.
    pub(crate) async fn accept(&self) -> io::Result<(Cable, SocketAddr)> {
        poll_fn(|cx| {
            let mut ports = self.cables.ports();
            let Some(port) = ports.listeners.get_mut(&self.at).filter(|port| port.number == self.number)
            else {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            };
            match port.waiting.pop_front() {
                Some((number, dialer)) => {
                    Poll::Ready(Ok((Cable::new(self.cables.fabric.clone(), number, 1), dialer)))
                }
                None => {
                    port.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// The address that it listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.at
    }
}

impl Drop for CableListener {
    fn drop(&mut self) {
        let mut ports = self.cables.ports();
        let is_ours = ports.listeners.get(&self.at).is_some_and(|port| port.number == self.number);
        let port = is_ours.then(|| ports.listeners.remove(&self.at)).flatten();
        drop(ports);
        for (number, _) in port.into_iter().flat_map(|port| port.waiting) {
            drop(Cable::new(self.cables.fabric.clone(), number, 1)); // closed without being accepted
        }
    }
}
