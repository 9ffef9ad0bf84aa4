//! Prints how far a swarm is from what is possible: time over the bound, the seeder's bytes, requests for each
//! chunk that is delivered, and how many events a second the core takes.
//!
//! `cargo run --release -p sim --example table [RUNS]`

#![allow(clippy::print_stdout)]

use sim::{Link, Setup, Sharing, World, bound, bound_between};
use std::time::{Duration, Instant};

/// The links of the seeder and of each leecher, by number.
type Fleet = (&'static str, Link, fn(usize) -> Link);

const GIGABIT: Link = Link { up: 125_000_000, down: 125_000_000 };

fn main() {
    let runs: u64 = std::env::args().nth(1).and_then(|runs| runs.parse().ok()).unwrap_or(3);
    println!("fleet      machines x chunks   time/bound (max)   seeder/F   requests/chunk   events/s");
    let even: Fleet = ("even", GIGABIT, |_| GIGABIT);
    for (machines, chunks) in [(1, 128), (8, 3), (32, 3), (8, 16), (32, 16)] {
        line(even, machines, chunks, runs);
    }
    for (machines, chunks) in [(8, 128), (16, 128), (32, 128), (8, 256), (16, 256), (32, 256)] {
        line(even, machines, chunks, runs);
    }
    let far = Setup {
        latency: Duration::from_millis(20),
        news_delay: Duration::from_millis(10),
        ..Setup::default()
    };
    let slow: Fleet = ("far", Link::symmetric(100_000_000), |_| Link::symmetric(100_000_000));
    for (machines, chunks) in [(8, 128), (32, 128), (32, 256)] {
        line_in(far.clone(), slow, machines, chunks, runs);
    }
    for fleet in uneven() {
        line(fleet, 8, 256, runs);
        line(fleet, 32, 256, runs);
    }
    println!("two racks, the seeder in one of them   time/bound (max)   crossing/F");
    for (machines, chunks) in [(8, 128), (8, 256), (16, 128), (16, 256)] {
        racks(machines, chunks, runs);
    }
}

/// Two racks of so many machines; the link between them is as fast as that of one machine.
fn racks(machines: usize, chunks: u32, runs: u64) {
    let (bytes, mut ratios, mut crossed) = (u64::from(chunks) << 20, Vec::new(), 0.0);
    let leechers = vec![GIGABIT; machines * 2 - 1];
    let least = bound_between(bytes, GIGABIT, &leechers, GIGABIT, &[GIGABIT]);
    for seed in 1..=runs {
        let setup = Setup { seed, sharing: Sharing::MaxMin, check: false, ..Setup::default() };
        let mut world = World::new(setup);
        let key = world.add_resource(chunks);
        for zone in ["A", "B"] {
            world.zone_link(zone, GIGABIT);
        }
        for at in 0..machines * 2 {
            let node = world.add_node_in(GIGABIT, if at < machines { "A" } else { "B" });
            match at {
                0 => world.seed(node, key),
                _ => world.leech(node, key, Duration::ZERO),
            }
        }
        world.run_to_end(Duration::from_secs(600));
        ratios.push(world.last_finished().as_secs_f64() / least.as_secs_f64());
        crossed += world.crossed_into("B") as f64 / bytes as f64;
    }
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    let max = ratios.iter().copied().fold(0.0, f64::max);
    println!("racks  2 x {machines:>2} x {chunks:<4}   {mean:.3} ({max:.3})   {:.2}", crossed / runs as f64);
}

/// Uneven fleets, named as in docs/strategy.md.
fn uneven() -> [Fleet; 6] {
    let (ten, quarter) = (Link::symmetric(10_000_000_000), Link::symmetric(250_000_000));
    [
        ("H1", GIGABIT, |at| Link { up: [125, 62, 31, 12][at % 4] * 1_000_000, ..GIGABIT }),
        ("H2", ten, |_| GIGABIT),
        ("H3", ten, |at| if at % 4 == 3 { GIGABIT } else { Link::symmetric(10_000_000_000) }),
        ("H4", quarter, |_| GIGABIT),
        ("H5", GIGABIT, |at| Link { up: [125, 12][at % 2] * 1_000_000, ..GIGABIT }),
        ("H6", GIGABIT, |at| if at % 8 == 7 { Link::symmetric(10_000_000_000) } else { GIGABIT }),
    ]
}

fn line(fleet: Fleet, machines: usize, chunks: u32, runs: u64) {
    line_in(Setup::default(), fleet, machines, chunks, runs);
}

fn line_in(setup: Setup, (name, seeder_link, link): Fleet, machines: usize, chunks: u32, runs: u64) {
    let (began, mut ratios, mut sent, mut asked, mut steps) = (Instant::now(), Vec::new(), 0.0, 0, 0);
    let bytes = u64::from(chunks) << 20;
    let links: Vec<Link> = (0..machines).map(link).collect();
    for seed in 1..=runs {
        let mut world = World::new(Setup { seed, sharing: Sharing::MaxMin, check: false, ..setup.clone() });
        let key = world.add_resource(chunks);
        let seeder = world.add_node(seeder_link);
        world.seed(seeder, key);
        for &link in &links {
            let node = world.add_node(link);
            world.leech(node, key, Duration::ZERO);
        }
        world.run_to_end(Duration::from_secs(600));
        let least = bound(bytes, seeder_link, &links);
        ratios.push(world.last_finished().as_secs_f64() / least.as_secs_f64());
        sent += world.sent(seeder) as f64 / bytes as f64;
        asked += world.asked();
        steps += world.steps();
    }
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    let max = ratios.iter().copied().fold(0.0, f64::max);
    let delivered = machines as u64 * u64::from(chunks) * runs;
    println!(
        "{name:<6} {machines:>6} x {chunks:<4}   {mean:.3} ({max:.3})   s{:.2}   r{:.1}   {:.0}",
        sent / runs as f64,
        asked as f64 / delivered as f64,
        steps as f64 / began.elapsed().as_secs_f64(),
    );
}
