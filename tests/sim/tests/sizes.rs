//! Files of few chunks, and machines that are far apart: the special rules for them pay off.

use sim::{Link, Setup, Sharing, World, bound};
use std::time::Duration;

const HUNDRED_MBIT: Link = Link { up: 12_500_000, down: 12_500_000 };
const MINUTE: Duration = Duration::from_secs(60);

/// The time as a multiple of the bound, as the mean over three seeds, with this latency.
fn ratio(latency: Duration, leechers: usize, chunks: u32) -> f64 {
    let least = bound(u64::from(chunks) << 20, HUNDRED_MBIT, &vec![HUNDRED_MBIT; leechers]);
    let news_delay = Duration::from_millis(10);
    let times = (1..=3).map(|seed| {
        let sharing = Sharing::MaxMin;
        let setup = Setup { seed, sharing, latency, news_delay, check: false, ..Setup::default() };
        let (mut world, _) = World::fleet(setup, leechers, chunks, HUNDRED_MBIT);
        world.run_to_end(MINUTE);
        world.last_finished().as_secs_f64() / least.as_secs_f64()
    });
    times.sum::<f64>() / 3.0
}

#[test]
fn one_chunk_spreads_by_doubling() {
    // Five rounds at best: 1, 2, 4, 8 and 16 further machines. Two uploads at once take six.
    let rounds = ratio(Duration::from_millis(1), 16, 1);
    assert!(rounds < 5.8, "{rounds} rounds");
}

#[test]
fn a_few_chunks_are_not_sent_to_all_at_once() {
    // With the slots of a long file: 1.93.
    let ratio = ratio(Duration::from_millis(1), 16, 16);
    assert!(ratio < 1.8, "{ratio} of the bound");
}

#[test]
fn more_is_under_way_where_answers_take_long() {
    // With the slots of a near swarm: 1.19.
    let ratio = ratio(Duration::from_millis(20), 32, 256);
    assert!(ratio < 1.16, "{ratio} of the bound");
}
