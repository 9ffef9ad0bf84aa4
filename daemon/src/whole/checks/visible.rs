//! Nothing wrong is ever visible: a file under a name has bytes that the name rightly meant, all of them are on the
//! disk or still can be, and no have map claims a chunk that is not there.

use super::all::Check;
use crate::driver::tests::contents::check_claims;
use crate::store::Home;
use crate::whole::machine::Machine;
use crate::whole::world::World;
use shared::id::ResourceId;
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;

/// What tells that a file is the one that was read: its inode, its size, and the times of its last changes.
type Version = (u64, u64, (i64, i64), (i64, i64));

/// Remembers which files it has read.
#[derive(Debug, Default)]
pub(super) struct Visible {
    read: BTreeMap<(u8, String), Version>,
}

impl Check for Visible {
    fn look(&mut self, world: &World) {
        for machine in world.machines() {
            self.look_at(world, &machine);
        }
    }

    fn died(&mut self, world: &World, machine: &Machine) {
        self.look_at(world, machine);
    }

    fn returns(&mut self, world: &World, machine: &Machine, home: &Home) {
        for content in world.contents() {
            let (manifest, slot) = (&content.manifest, home.slot(content.key()));
            if slot.part().exists()
                && let Ok(Some(have)) = slot.read_have(manifest.count())
            {
                // A world writes behind what arrived, and that may be what a power cut leaves.
                let ends_at = Some(content.bytes.len());
                check_claims(machine.dir(), manifest, &slot, &have, ends_at);
            }
            if let Some(shown) = home.shown(content.name()) {
                let right = world.right_contents(content.name().as_str());
                assert!(
                    right.contains(&shown.resource),
                    "m{}: a wrong manifest for {}",
                    machine.number,
                    content.name()
                );
            }
        }
    }

    fn end(&mut self, world: &World) {
        self.read.clear(); // also what was read before
        self.look(world);
    }
}

impl Visible {
    fn look_at(&mut self, world: &World, machine: &Machine) {
        let lost = machine.disk.lost();
        for entry in fs::read_dir(machine.dir()).expect("the shared directory is there") {
            let entry = entry.expect("the shared directory can be read");
            let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            if !metadata.is_file() || name.starts_with('.') || name.ends_with(".tinytorrent") {
                continue;
            }
            let at = format!("{name} of m{}", machine.number);
            assert!(!lost.contains(&metadata.ino()), "{at} is visible, and bytes of it are lost");
            let known = (machine.number, name);
            if self.read.get(&known) == Some(&version(&metadata)) {
                continue;
            }
            let found = ResourceId::of(&fs::read(&path).expect("a file in memory can be read"));
            let right = world.right_contents(&known.1);
            assert!(right.contains(&found), "{at} is visible with wrong bytes");
            self.read.insert(known, version(&metadata));
        }
    }
}

fn version(metadata: &Metadata) -> Version {
    let (modified, changed) =
        ((metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec()));
    (metadata.ino(), metadata.len(), modified, changed)
}
