//! Machines whose links differ, while files are shared and fetched: links are held back, become slow, break in every way
//! and are refused.

use crate::whole::cable::{Cut, Refusal};
use crate::whole::machine::{Machine, Setup};
use crate::whole::world::World;
use futures::future::{LocalBoxFuture, join, join_all};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// Uplinks in bytes per second, from 2 Mbit/s to 1 Gbit/s.
const UPLINKS: [u64; 4] = [250_000, 1_250_000, 12_500_000, 125_000_000];

/// The scenario.
pub(super) fn run(world: &World) -> LocalBoxFuture<'_, ()> {
    Box::pin(async move {
        world.add_tracker();
        for _ in 0..world.between(2..=6) {
            let uplink = Some(world.one_of(&UPLINKS)).filter(|_| world.one_in(2));
            world.add_machine(Setup { uplink, ..Setup::default() }).await;
        }
        let ends = ends(world);
        for &(from, to) in &ends {
            if world.one_in(3) {
                world.cables.set_latency(from, to, world.ms(0..=200));
            }
        }
        join(files(world), trouble(world, &ends)).await;
    })
}

/// All pairs of machines, and of machines and trackers, in both directions.
pub(super) fn ends(world: &World) -> Vec<(IpAddr, IpAddr)> {
    let machines = world.machines();
    let trackers = world.trackers().into_iter().map(|tracker| tracker.addr.ip());
    let all: Vec<IpAddr> = machines.iter().map(|machine| machine.ip).chain(trackers).collect();
    let pairs = all.iter().flat_map(|&from| all.iter().map(move |&to| (from, to)));
    pairs.filter(|(from, to)| from != to).collect()
}

/// Files are shared by one machine each, and the others fetch them.
async fn files(world: &World) {
    let files = (0..world.between(1..=10)).map(|number| async move {
        world.sleep_ms(0..=10_000).await;
        let machines = world.machines();
        let sharer = world.one_of(&machines);
        let content = world.content(&format!("file-{number}"));
        world.share(&sharer, &content).await.expect("a file of the shared directory can be shared");
        let others: Vec<Rc<Machine>> = machines.into_iter().filter(|other| other.ip != sharer.ip).collect();
        let content = &content;
        join_all(others.iter().map(|other| async move {
            world.sleep_ms(0..=5_000).await;
            if !world.one_in(4) {
                world.get(other, content).await.expect("a download begins");
            }
        }))
        .await;
    });
    join_all(files).await;
}

pub(super) async fn trouble(world: &World, ends: &[(IpAddr, IpAddr)]) {
    for _ in 0..world.between(3..=30) {
        world.sleep_ms(0..=4_000).await;
        let (from, to) = world.one_of(ends);
        disturb(world, from, to);
    }
}

/// Something goes wrong between two of them.
fn disturb(world: &World, from: IpAddr, to: IpAddr) {
    let cables = &world.cables;
    match world.below(8) {
        0 | 1 => {
            let span = if world.one_in(8) { world.ms(20_000..=120_000) } else { world.ms(10..=15_000) };
            hold(world, from, to, span);
        }
        2 => {
            let rate = world.between(8_000..=200_000);
            world.note(format_args!("{from} sends {to} only {rate} bytes per second"));
            cables.slow(from, to, Some(rate));
        }
        3 => {
            let latency = Duration::from_millis(world.between(0..=1_000));
            world.note(format_args!("what {from} sends {to} takes {latency:?}"));
            cables.set_latency(from, to, latency);
        }
        4 => {
            let refusal = world.one_of(&[Refusal::AtOnce, Refusal::Silent]);
            world.note(format_args!("{from} cannot dial {to}: {refusal:?}"));
            cables.refuse(from, to, Some(refusal));
        }
        5 => {
            world.note(format_args!("{from} and {to} are good again"));
            cables.heal(from, to);
        }
        _ => {
            let cut = world.one_of(&[Cut::Reset, Cut::Fin, Cut::Silence]);
            let count = cables.cut(from, to, cut);
            world.note(format_args!("{count} connections between {from} and {to} break: {cut:?}"));
        }
    }
}

fn hold(world: &World, from: IpAddr, to: IpAddr, span: Duration) {
    let machines = world.machines();
    let machine = |ip: IpAddr| machines.iter().find(|machine| machine.ip == ip);
    match machine(from).zip(machine(to)) {
        Some((from, to)) => world.hold_for(from, to, span),
        None => {
            world.note(format_args!("{from} sends {to} nothing for {span:?}"));
            world.cables.hold(from, to, Instant::now() + span);
        }
    }
}
