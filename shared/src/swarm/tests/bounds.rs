//! Limits of the chunks in memory.

use super::*;

#[test]
fn what_waits_for_a_disk_that_stands_still_is_bounded() {
    let config = SwarmConfig { requests_max: 6, verifying_max: 2, ..SwarmConfig::default() };
    let mut bench = Bench::with(config);
    bench.join(1, 90, false);
    let mut open: Vec<RequestId> = Vec::new();
    for at in 1..=20 {
        let actions = bench.meet(at, News::Add((0..90).map(ChunkIndex).collect()));
        open.extend(requests(&actions).iter().map(|(request, _)| request));
    }
    let mut received = 0;
    while let Some(request) = open.pop() {
        let actions = bench.on(Event::Received { request });
        received += 1;
        open.extend(requests(&actions).iter().map(|(request, _)| request));
    }
    assert!((3..=8).contains(&received), "{received} chunks in memory");
}
