//! Tests of the connections in memory.

use super::*;
use crate::net::{Listener, Network, Stream};
use shared::host::config::TrackerConfig;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::tracker::{TrackerCaller, TrackerHello};
use shared::rpc::wire::{self, ClientOptions};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tracker::server::Accepted;

const MS: Duration = Duration::from_millis(1);

fn machine(number: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, number).into()
}

/// A network whose paths have a latency of 10 ms and no jitter.
fn cables(seed: u64, buffer: usize) -> Arc<Cables> {
    Cables::new(seed, Settings { latency_ms: 10..=10, jitter_ms_max: 0, buffer: buffer..=buffer })
}

fn port(number: u8) -> SocketAddr {
    SocketAddr::new(machine(number), 7987)
}

/// A connection from machine 1 to this one.
async fn connected(cables: &Arc<Cables>, to: u8) -> (Cable, Cable) {
    let listener = cables.listen(port(to));
    let dialed = cables.connect(machine(1), port(to)).await.unwrap();
    let (accepted, dialer) = listener.accept().await.unwrap();
    assert_eq!((dialer.ip(), listener.address()), (machine(1), port(to)));
    (dialed, accepted)
}

/// Bytes that are not all the same.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 7 + at / 251) as u8).collect()
}

async fn read_to_end(cable: &mut Cable) -> (Vec<u8>, Option<ErrorKind>) {
    let mut read = Vec::new();
    let end = cable.read_to_end(&mut read).await;
    (read, end.err().map(|error| error.kind()))
}

/// Writes `bytes` and closes.
fn send(mut cable: Cable, bytes: Vec<u8>) -> tokio::task::JoinHandle<std::io::Result<Cable>> {
    tokio::spawn(async move {
        cable.write_all(&bytes).await?;
        cable.shutdown().await?;
        Ok(cable)
    })
}

#[tokio::test(start_paused = true)]
async fn bytes_arrive_in_order_after_the_latency_and_the_same_seed_cuts_them_alike() {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let settings = Settings { latency_ms: 10..=10, jitter_ms_max: 5, ..Settings::default() };
        let (mut near, mut far) = connected(&Cables::new(seed, settings), 2).await;
        let start = Instant::now();
        near.write_all(b"x").await.unwrap();
        assert_eq!(far.read_u8().await.unwrap(), b'x');
        assert!((10 * MS..=16 * MS).contains(&start.elapsed()), "{:?}", start.elapsed());
        let sending = send(near, bytes(3_000_000));
        let (mut all, mut cuts) = (Vec::new(), Vec::new());
        let mut piece = vec![0; 1 << 20];
        while let Ok(read @ 1..) = far.read(&mut piece).await {
            all.extend_from_slice(&piece[..read]);
            cuts.push((read, start.elapsed()));
        }
        assert!(all == bytes(3_000_000), "they are the bytes that were sent");
        sending.await.unwrap().unwrap();
        runs.push(cuts);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test(start_paused = true)]
async fn who_writes_waits_for_who_reads() {
    let (mut near, mut far) = connected(&cables(1, 100_000), 2).await;
    let mut written = 0;
    while let Ok(more) = timeout(1000 * MS, near.write(&[7; 30_000])).await {
        written += more.unwrap();
    }
    assert_eq!(written, 100_000);
    far.read_exact(&mut vec![0; 40_000]).await.unwrap();
    timeout(MS, near.write_all(&[7; 40_000])).await.unwrap().unwrap();
    assert!(timeout(1000 * MS, near.write_all(&[7])).await.is_err(), "it is full again");
}

#[tokio::test(start_paused = true)]
async fn a_hold_delays_one_direction_and_loses_nothing() {
    let cables = cables(1, 1 << 20);
    let (mut near, mut far) = connected(&cables, 2).await;
    near.write_all(b"a").await.unwrap();
    tokio::time::sleep(20 * MS).await;
    let start = Instant::now();
    cables.hold(machine(1), machine(2), start + 5000 * MS);
    near.write_all(b"b").await.unwrap();
    far.write_all(b"back").await.unwrap();
    assert_eq!(far.read_u8().await.unwrap(), b'a', "it had arrived before");
    near.read_exact(&mut [0; 4]).await.unwrap();
    assert_eq!(start.elapsed(), 10 * MS);
    assert!(cables.is_held(machine(2), machine(1)) && !cables.can_dial(machine(2), machine(1)));
    assert_eq!(cables.quiet_since(machine(2), machine(1)), None);
    assert_eq!(far.read_u8().await.unwrap(), b'b');
    assert_eq!(start.elapsed(), 5000 * MS);
    assert_eq!(cables.quiet_since(machine(2), machine(1)), Some(start + 5000 * MS));
    cables.hold(machine(1), machine(2), start + 3_600_000 * MS);
    near.write_all(b"c").await.unwrap();
    let dialing = tokio::spawn({
        let cables = cables.clone();
        async move { cables.connect(machine(1), port(2)).await.map(drop) }
    });
    assert!(timeout(1000 * MS, far.read_u8()).await.is_err());
    assert!(!dialing.is_finished());
    cables.calm();
    assert_eq!(cables.quiet_since(machine(2), machine(1)), Some(Instant::now()));
    assert_eq!(far.read_u8().await.unwrap(), b'c');
    assert_eq!(dialing.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert!(start.elapsed() < 6100 * MS, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn connections_share_the_uplink_of_their_sender() {
    let cables = cables(1, 100_000);
    cables.set_uplink(machine(1), Some(100_000));
    let start = Instant::now();
    let (one, mut one_far) = connected(&cables, 2).await;
    let (two, mut two_far) = connected(&cables, 3).await;
    let sending = [send(one, bytes(100_000)), send(two, bytes(100_000))];
    let receive = async |far: &mut Cable| (read_to_end(far).await.0.len(), start.elapsed().as_millis());
    let ((first, first_ms), (second, second_ms)) = tokio::join!(receive(&mut one_far), receive(&mut two_far));
    assert_eq!((first, second), (100_000, 100_000));
    for took_ms in [first_ms, second_ms] {
        assert!((1_900..=2_100).contains(&took_ms), "{first_ms} and {second_ms} ms for 200 KB at 100 KB/s");
    }
    for sending in sending {
        sending.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_path_delays_no_other_path() {
    let cables = cables(1, 100_000);
    cables.slow(machine(1), machine(2), Some(10_000));
    let (one, mut one_far) = connected(&cables, 2).await;
    let (two, mut two_far) = connected(&cables, 3).await;
    let start = Instant::now();
    let sending = [send(one, bytes(100_000)), send(two, bytes(100_000))];
    assert_eq!(read_to_end(&mut two_far).await.0.len(), 100_000);
    assert!(start.elapsed() < 100 * MS, "{:?}", start.elapsed());
    cables.slow(machine(1), machine(2), Some(200_000));
    assert_eq!(read_to_end(&mut one_far).await.0.len(), 100_000);
    assert!((400 * MS..700 * MS).contains(&start.elapsed()), "{:?}", start.elapsed());
    for sending in sending {
        sending.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_is_heard_on_both_sides_and_what_is_under_way_is_lost() {
    let cables = cables(1, 1 << 20);
    cables.set_uplink(machine(1), Some(100_000));
    let (mut near, mut far) = connected(&cables, 2).await;
    near.write_all(&bytes(100_000)).await.unwrap();
    tokio::time::sleep(100 * MS).await;
    let start = Instant::now();
    assert_eq!(cables.cut(machine(2), machine(1), Cut::Reset), 1);
    assert_eq!(
        (cables.open_between(machine(1), machine(2)), cables.connected_since(machine(1), machine(2))),
        (0, None)
    );
    let (read, end) = read_to_end(&mut far).await;
    assert_eq!((end, start.elapsed()), (Some(ErrorKind::ConnectionReset), 10 * MS));
    assert!((5_000..15_000).contains(&read.len()) && read == bytes(read.len()), "{} bytes", read.len());
    assert_eq!(near.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(near.write_all(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn a_fin_lets_everything_arrive() {
    let cables = cables(1, 1 << 20);
    cables.set_uplink(machine(1), Some(100_000));
    let (mut near, mut far) = connected(&cables, 2).await;
    near.write_all(&bytes(50_000)).await.unwrap();
    cables.cut(machine(1), machine(2), Cut::Fin);
    assert_eq!(read_to_end(&mut near).await, (Vec::new(), None));
    assert_eq!(near.write_all(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(read_to_end(&mut far).await, (bytes(50_000), None));
}

#[tokio::test(start_paused = true)]
async fn silence_takes_bytes_and_lets_nothing_arrive_until_both_give_up() {
    let cables = cables(1, 10_000);
    let (mut near, mut far) = connected(&cables, 2).await;
    let start = Instant::now();
    near.write_all(b"lost").await.unwrap();
    cables.cut(machine(1), machine(2), Cut::Silence);
    assert_eq!(near.write_all(&[7; 20_000]).await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(start.elapsed(), fabric::SILENCE_MAX);
    assert_eq!(read_to_end(&mut far).await, (Vec::new(), Some(ErrorKind::TimedOut)));
}

#[tokio::test(start_paused = true)]
async fn a_machine_without_power_is_silent_and_tells_the_others_when_it_is_back() {
    let cables = cables(1, 10_000);
    let (mut near, far) = connected(&cables, 2).await;
    cables.power_off(machine(2));
    drop(far);
    assert!(timeout(20_000 * MS, near.read_u8()).await.is_err());
    assert!(timeout(5_000 * MS, cables.connect(machine(1), port(2))).await.is_err());
    let start = Instant::now();
    let listener = cables.listen(port(2));
    let (dialed, ()) =
        tokio::join!(cables.connect(machine(1), port(2)), async { cables.power_on(machine(2)) });
    dialed.unwrap();
    assert!(start.elapsed() < 1_100 * MS, "{:?}", start.elapsed());
    assert_eq!(near.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(start.elapsed() < 30_001 * MS);
    drop(listener);
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_hears_it_after_a_round_trip_or_never() {
    let cables = cables(1, 10_000);
    let start = Instant::now();
    let nobody = cables.connect(machine(1), port(2)).await.unwrap_err();
    assert_eq!((nobody.kind(), start.elapsed()), (ErrorKind::ConnectionRefused, 20 * MS));
    let listener = cables.listen(port(2));
    cables.refuse(machine(1), machine(2), Some(Refusal::AtOnce));
    let refused = cables.connect(machine(1), port(2)).await.unwrap_err();
    assert_eq!((refused.kind(), start.elapsed()), (ErrorKind::ConnectionRefused, 40 * MS));
    cables.connect(machine(3), port(2)).await.unwrap();
    cables.refuse(machine(1), machine(2), Some(Refusal::Silent));
    assert!(timeout(5_000 * MS, cables.connect(machine(1), port(2))).await.is_err());
    assert!(!cables.can_dial(machine(1), machine(2)));
    cables.refuse(machine(1), machine(2), None);
    assert!(cables.can_dial(machine(1), machine(2)));
    let mut dialed = cables.connect(machine(1), port(2)).await.unwrap();
    drop(listener);
    assert_eq!(dialed.read_u8().await.unwrap_err().kind(), ErrorKind::UnexpectedEof, "it was never accepted");
}

#[tokio::test(start_paused = true)]
async fn a_side_that_closes_without_reading_breaks_the_connection() {
    let cables = cables(1, 1 << 20);
    let (mut near, far) = connected(&cables, 2).await;
    near.write_all(b"unread").await.unwrap();
    tokio::time::sleep(20 * MS).await;
    drop(far);
    assert_eq!(read_to_end(&mut near).await, (Vec::new(), Some(ErrorKind::ConnectionReset)));
    let (mut near, far) = connected(&cables, 2).await;
    drop(far);
    assert_eq!(read_to_end(&mut near).await, (Vec::new(), None));
    near.write_all(b"into the void").await.unwrap();
    tokio::time::sleep(20 * MS).await;
    assert_eq!(near.write_all(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// The network that a daemon is given, and the real calls over it.
#[tokio::test(start_paused = true)]
async fn a_tracker_answers_over_the_network_of_a_world() {
    let cables = cables(1, 100_000);
    let tracker = SocketAddr::from(([10, 0, 1, 1], 7986));
    cables.set_latency(machine(1), tracker.ip(), 500 * MS);
    let listener = Listener::Cable(cables.listen(tracker));
    let core = tracker::server::Core::new(&TrackerConfig::default(), [7; 32], 99);
    let serving = tokio::spawn(async move {
        core.serve_on(|| async {
            let (stream, peer) = listener.accept().await?;
            Ok(Accepted { stream, peer, own: tracker })
        })
        .await;
    });
    let start = Instant::now();
    let network = Network::Cables(cables);
    let stream: Stream = network.connect(Some(machine(1)), tracker).await.unwrap().batched();
    let (caller, carrier): (TrackerCaller, _) = wire::client(stream, ClientOptions::default());
    let carrier = tokio::spawn(carrier);
    let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer: None };
    assert_eq!(caller.hello(hello, 5_000 * MS).await.unwrap().unwrap().epoch, 99);
    assert_eq!(start.elapsed(), 1_020 * MS, "two round trips");
    carrier.abort();
    serving.abort();
}
