//! Prints how far a swarm is from what is possible: time over the bound, the seeder's bytes, requests per chunk.
//!
//! `cargo run --release -p sim --example table`

#![allow(clippy::print_stdout)]

use sim::{Link, Setup, Sharing, World, bound};
use std::time::{Duration, Instant};

fn main() {
    let runs: u64 = std::env::args().nth(1).and_then(|runs| runs.parse().ok()).unwrap_or(3);
    println!("machines x chunks  time/bound mean (max)  seeder/F  requests/chunk  steps  took");
    for (machines, chunks) in [
        (1, 128),
        (8, 128),
        (16, 128),
        (32, 128),
        (8, 256),
        (16, 256),
        (32, 256),
        (8, 3),
        (32, 3),
        (8, 16),
        (32, 16),
    ] {
        line(machines, chunks, runs);
    }
}

fn line(machines: usize, chunks: u32, runs: u64) {
    let (began, mut ratios, mut sent, mut asked, mut steps) = (Instant::now(), Vec::new(), 0.0, 0, 0);
    let gigabit = Link::symmetric(1_000_000_000);
    let bytes = u64::from(chunks) << 20;
    for seed in 1..=runs {
        let mut world =
            World::new(Setup { seed, sharing: Sharing::MaxMin, check: false, ..Setup::default() });
        let key = world.add_resource(chunks);
        let seeder = world.add_node(gigabit);
        world.seed(seeder, key);
        for _ in 0..machines {
            let node = world.add_node(gigabit);
            world.leech(node, key, Duration::ZERO);
        }
        world.run_to_end(Duration::from_secs(600));
        let least = bound(bytes, gigabit, &vec![gigabit; machines]);
        ratios.push(world.last_finished().as_secs_f64() / least.as_secs_f64());
        sent += world.sent(seeder) as f64 / bytes as f64;
        asked += world.asked();
        steps += world.steps();
    }
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    let max = ratios.iter().copied().fold(0.0, f64::max);
    let delivered = machines as u64 * u64::from(chunks) * runs;
    println!(
        "{machines:>8} x {chunks:<6}  {mean:.3} ({max:.3})  s{:.2}  r{:.1}  {steps}  {:?}",
        sent / runs as f64,
        asked as f64 / delivered as f64,
        began.elapsed() / runs as u32
    );
}
