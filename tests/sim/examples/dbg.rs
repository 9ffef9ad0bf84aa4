//! dbg
#![allow(clippy::print_stdout)]
use sim::*;
use std::time::Duration;
fn main() {
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let m: u32 = std::env::args().nth(2).unwrap().parse().unwrap();
    let g = Link::symmetric(1_000_000_000);
    let mut world = World::new(Setup { sharing: Sharing::MaxMin, log: true, ..Setup::default() });
    let key = world.add_resource(m);
    let s = world.add_node(g);
    world.seed(s, key);
    for _ in 0..n {
        let x = world.add_node(g);
        world.leech(x, key, Duration::ZERO);
    }
    world.run_to_end(Duration::from_secs(60));
    println!("{}", world.log());
}
