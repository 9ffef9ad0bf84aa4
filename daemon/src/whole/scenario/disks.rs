//! Disks are full, broken, read-only or slow for a while, lose what was written once, and somebody else writes into
//! files: behind what arrived of a download, and into complete files.

use crate::jobs::life::Pace;
use crate::store::faulty::DiskFault;
use crate::whole::content::{self, Content};
use crate::whole::machine::{Machine, Setup};
use crate::whole::world::World;
use futures::future::{LocalBoxFuture, join, join_all};
use shared::id::ResourceId;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

/// The scenario.
pub(super) fn run(world: &World) -> LocalBoxFuture<'_, ()> {
    Box::pin(async move {
        world.add_tracker();
        let pace = Pace {
            happens_max_ms: world.between(0..=20),
            known_max_ms: world.one_of(&[2, 400, 1500]),
            late_max_ms: world.between(50..=1000),
        };
        let uplink = Some(world.between(1 << 17..=1 << 21));
        let setup = Setup { sync_every: world.ms(250..=1000), pace, uplink, ..Setup::default() };
        let machines = world.add_machines(world.between(2..=4), &setup).await;
        let contents: Vec<Rc<Content>> =
            (0..world.between(1..=5)).map(|number| file(world, number)).collect();
        let users = join_all(contents.iter().map(|content| use_it(world, &machines, content)));
        let faults = join_all(machines.iter().map(|machine| fail(world, machine)));
        join(users, faults).await;
    })
}

/// A file of some chunks, so that it is synced several times before it is complete.
fn file(world: &World, number: u64) -> Rc<Content> {
    let bytes = match world.one_in(4) {
        true => content::size(world),
        false => world.between(1 << 20..=5 << 20) as usize,
    };
    world.content_of(&format!("file-{number}"), content::bytes(world, bytes))
}

/// One machine shares the file, and the others fetch it.
async fn use_it(world: &World, machines: &[Rc<Machine>], content: &Rc<Content>) {
    world.sleep_ms(0..=4000).await;
    let sharer = world.one_of(machines);
    // Whoever is told that the disk refuses asks again.
    while world.share(&sharer, content).await.is_err() {
        world.sleep_ms(500..=1500).await;
    }
    for machine in machines.iter().filter(|machine| machine.number != sharer.number) {
        world.sleep_ms(0..=1000).await;
        while world.get(machine, content).await.is_err() {
            world.sleep_ms(500..=1500).await;
        }
    }
}

/// The disk of a machine fails in some ways, one after the other.
pub(super) async fn fail(world: &World, machine: &Machine) {
    for _ in 0..world.between(1..=12) {
        world.sleep_ms(100..=2500).await;
        match world.below(10) {
            0 => {
                let fault = world.one_of(&[DiskFault::Full, DiskFault::Broken, DiskFault::ReadOnly]);
                world.note(format_args!("the disk of m{} fails: {fault:?}", machine.number));
                machine.break_disk(fault);
                world.sleep_ms(100..=15_000).await;
                world.note(format_args!("the disk of m{} works again", machine.number));
                machine.heal_disk();
            }
            1 => {
                let (happens_max_ms, known_max_ms) = (world.between(100..=3000), world.between(2..=1000));
                world.note(format_args!("the disk of m{} is slow", machine.number));
                machine.set_pace(Pace { happens_max_ms, known_max_ms, late_max_ms: 3000 });
                world.sleep_ms(1000..=10_000).await;
                machine.calm();
            }
            2..5 => write_behind(world, machine),
            5..9 => lose_written(world, machine),
            _ => edit(world, machine),
        }
    }
}

/// The files of downloads that are not complete.
fn parts(machine: &Machine) -> Vec<PathBuf> {
    let slots = fs::read_dir(machine.dir().join(".tinytorrent/resources")).into_iter().flatten();
    let parts = slots.filter_map(|slot| fs::read_dir(slot.ok()?.path()).ok()).flatten();
    let parts = parts.filter_map(|entry| Some(entry.ok()?.path()));
    let mut parts: Vec<PathBuf> =
        parts.filter(|path| path.extension().is_some_and(|end| end == "part")).collect();
    parts.sort();
    parts
}

/// Somebody writes behind the bytes that arrived of a download.
fn write_behind(world: &World, machine: &Machine) {
    let parts = parts(machine);
    if parts.is_empty() {
        return;
    }
    let (path, bytes) = (world.one_of(&parts), vec![0x5a; world.between(1..=1000) as usize]);
    let written = File::options().append(true).open(&path).and_then(|mut file| file.write_all(&bytes));
    world.note(format_args!(
        "m{} has {} bytes more in a part: {}",
        machine.number,
        bytes.len(),
        written.is_ok()
    ));
}

/// The next sync of a download finds that what was written is lost.
fn lose_written(world: &World, machine: &Machine) {
    let parts = parts(machine);
    if parts.is_empty() || machine.disk_fault().is_some() {
        return;
    }
    if let Ok(metadata) = fs::metadata(world.one_of(&parts)) {
        world.note(format_args!("m{} loses what was written of a part", machine.number));
        machine.break_disk(DiskFault::WriteBackOf(metadata.ino()));
    }
}

/// Somebody edits a complete file. Nobody expects it to be right any more.
fn edit(world: &World, machine: &Machine) {
    let complete = world.wishes().into_iter().filter(|wish| {
        wish.machine == machine.number && world.is_fulfilled(wish) && !wish.content.bytes.is_empty()
    });
    let complete: Vec<Rc<Content>> = complete.map(|wish| wish.content).collect();
    if complete.is_empty() {
        return;
    }
    let content = world.one_of(&complete);
    let (name, at) = (content.name(), world.below(content.bytes.len() as u64));
    let path = machine.dir().join(name.as_str());
    let edited = File::options().write(true).open(&path).and_then(|file| {
        file.write_all_at(&[!content.bytes[at as usize]], at)?;
        // Two writes within one tick of the kernel's clock have the same time.
        file.set_modified(SystemTime::now() + Duration::from_secs(world.between(1..=1000)))
    });
    if edited.is_err() {
        return; // it is gone since the last look
    }
    world.note(format_args!("m{} has an edited {name}", machine.number));
    world.give_up(machine, name.as_str());
    world.allow(name, ResourceId::of(&fs::read(path).expect("a file in memory can be read")));
}
