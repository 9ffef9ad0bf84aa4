//! The damage that a slot survives; and the files of the current version, which later versions must be able to read.

use super::*;
use crate::store::Home;
use crate::store::disk::{Medium, Open, Step, System};
use crate::store::{FileIdentity, NameRecord};
use shared::chunk::ChunkIndex;
use shared::id::{ChunkHash, ResourceId};
use std::fs;
use std::io;

/// A shared directory as this version writes it.
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/state-v1");

fn content() -> Vec<u8> {
    (0..(2 << 20) + 5).map(|at| (at / 7 % 253) as u8).collect()
}

fn manifest() -> Manifest {
    let bytes = content();
    let hashes = bytes.chunks(1 << 20).map(ChunkHash::of).collect();
    let trackers = vec!["tt://tracker.example:7986".parse().unwrap()];
    Manifest::new("image.iso".parse().unwrap(), ResourceId::of(&bytes), trackers, hashes).unwrap()
}

fn record(manifest: &Manifest) -> Record {
    let second = NameRecord { name: "second".parse().unwrap(), ..Record::rebuilt(manifest).names[0].clone() };
    let mut record = Record::rebuilt(manifest);
    record.names.push(second);
    record.trackers = vec!["tt://[::1]:7986".parse().unwrap()];
    (record.shared_at_ms, record.paused) = (1_700_000_000_000, true);
    record
}

fn have(manifest: &Manifest) -> HaveMap {
    let mut have = HaveMap::empty(manifest.count());
    have.insert(ChunkIndex(0));
    have.insert(ChunkIndex(2));
    have
}

/// A slot with all its files, in a directory of its own.
fn filled() -> (tempfile::TempDir, Home, Slot) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    let manifest = manifest();
    let slot = home.slot(manifest.key());
    slot.create(&record(&manifest), &manifest).unwrap();
    slot.write_have(&have(&manifest)).unwrap();
    fs::write(slot.part(), content()).unwrap();
    (folder, home, slot)
}

#[test]
fn what_was_written_is_read_back() {
    let (_folder, home, slot) = filled();
    let loaded = slot.load(&home).unwrap();
    assert_eq!((loaded.record, loaded.rebuilt.is_none()), (record(&manifest()), true));
    assert_eq!(loaded.manifest.to_text(), manifest().to_text());
}

#[test]
fn whatever_one_small_file_has_become_the_rest_makes_up_for_it() {
    for file in ["state.toml", "manifest", "have"] {
        for damage in ["missing", "empty", "torn", "flipped"] {
            let (_folder, home, slot) = filled();
            fs::write(home.manifest_file(manifest().name()), manifest().to_text()).unwrap();
            let path = slot.folder.join(file);
            let mut bytes = fs::read(&path).unwrap();
            match damage {
                "missing" => fs::remove_file(&path).unwrap(),
                "empty" => fs::write(&path, b"").unwrap(),
                "torn" => fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
                _ => {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1;
                    fs::write(&path, bytes).unwrap();
                }
            }
            let mut loaded = home.remembered().unwrap();
            let loaded = loaded.remove(0).unwrap_or_else(|error| panic!("{file} {damage}: {error}"));
            assert_eq!(loaded.manifest.to_text(), manifest().to_text(), "{file} {damage}");
            assert_eq!(loaded.rebuilt.is_some(), file == "state.toml", "{file} {damage}");
            assert_eq!(loaded.record.key, manifest().key());
            let has_map = slot.read_have(manifest().count()).is_ok_and(|have| have.is_some());
            assert_eq!(has_map, file != "have", "{file} {damage}");
            assert!(slot.part().exists(), "the data is never touched");
        }
    }
}

#[test]
fn a_later_version_is_refused_and_left_as_it_is() {
    let later = [
        ("state.toml", "version = 2\nand what nobody knows yet\n"),
        ("manifest", "tt-manifest2\nand what nobody knows yet\n"),
    ];
    for (file, text) in later {
        let (_folder, home, slot) = filled();
        fs::write(slot.folder.join(file), text).unwrap();
        let error = home.remembered().unwrap().remove(0).unwrap_err();
        assert!(error.is_later_version(), "{error}");
        assert!(error.to_string().contains("format version 2"), "{error}");
        let error = slot.create(&record(&manifest()), &manifest()).unwrap_err();
        assert!(error.is_later_version(), "{error}");
        assert_eq!(fs::read_to_string(slot.folder.join(file)).unwrap(), text);
    }
    let (_folder, _home, slot) = filled();
    fs::write(slot.have(), "tt-have2 and what nobody knows yet").unwrap();
    assert!(slot.read_have(manifest().count()).unwrap_err().is_later_version());
}

#[test]
fn a_place_appears_whole_and_what_a_crash_left_is_taken_away() {
    let (_folder, home, slot) = filled();
    let half = Slot::new(&slot.disk, &slot.trash, with_suffix(&slot.folder, HALF));
    fs::create_dir(&half.folder).unwrap();
    fs::write(half.record(), "version = 1").unwrap();
    assert_eq!(home.remembered().unwrap().len(), 1);
    assert!(!half.folder.exists());
    // A removal that was interrupted after the first two files.
    fs::remove_file(slot.record()).unwrap();
    fs::remove_file(slot.manifest()).unwrap();
    assert!(home.remembered().unwrap().is_empty());
    assert!(!slot.folder.exists());
}

#[test]
fn a_place_that_was_there_survives_a_failure_to_write_it_anew() {
    let (_folder, home, slot) = filled();
    fs::create_dir(slot.folder.join("manifest.new")).unwrap(); // blocks the next one
    slot.create(&record(&manifest()), &manifest()).unwrap_err();
    assert_eq!(slot.load(&home).unwrap().record, record(&manifest()));
}

/// Update the fixture with `TT_UPDATE=1 cargo test -p daemon fixture`, only for a new version and in a directory of
/// that version.
#[test]
fn the_fixture_of_this_version_is_read() {
    let manifest = manifest();
    let fixture = Path::new(FIXTURE);
    let name = Slot::name(manifest.key());
    if std::env::var_os("TT_UPDATE").is_some() {
        let (folder, _home, slot) = filled();
        let mut record = record(&manifest);
        record.names[1].published = Some(FileIdentity::FOR_A_FIXTURE);
        slot.save(&record).unwrap();
        let _ = fs::remove_dir_all(fixture);
        fs::create_dir_all(fixture.join(&name)).unwrap();
        for file in ["state.toml", "manifest", "have"] {
            fs::copy(slot.folder.join(file), fixture.join(&name).join(file)).unwrap();
        }
        fs::copy(folder.path().join(".tinytorrent/folder"), fixture.join("folder")).unwrap();
    }

    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join(".tinytorrent");
    let place = ours.join("resources").join(&name);
    fs::create_dir_all(&place).unwrap();
    fs::copy(fixture.join("folder"), ours.join("folder")).unwrap();
    for file in ["state.toml", "manifest", "have"] {
        fs::copy(fixture.join(&name).join(file), place.join(file)).unwrap();
    }
    let home = Home::open(folder.path()).unwrap();
    assert_eq!(fs::read(ours.join("folder")).unwrap(), fs::read(fixture.join("folder")).unwrap());
    let loaded = home.remembered().unwrap().remove(0).unwrap();
    assert!(loaded.rebuilt.is_none());
    let mut expected = record(&manifest);
    expected.names[1].published = Some(FileIdentity::FOR_A_FIXTURE);
    assert_eq!(loaded.record, expected);
    assert_eq!(loaded.manifest.to_text(), manifest.to_text());
    assert_eq!(home.slot(manifest.key()).read_have(manifest.count()).unwrap(), Some(have(&manifest)));
}

/// A disk whose file system is mounted after the first few reads. Until then none of our files exist.
#[derive(Debug)]
struct MountedLate(std::sync::atomic::AtomicU32);

impl Medium for MountedLate {
    fn open(&self, path: &Path, how: Open) -> io::Result<fs::File> {
        System.open(path, how)
    }

    fn perform(&self, step: Step<'_>) -> io::Result<()> {
        System.perform(step)
    }

    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        use std::sync::atomic::Ordering;
        let is_early = |left: u32| left.checked_sub(1);
        match self.0.try_update(Ordering::Relaxed, Ordering::Relaxed, is_early) {
            Ok(_) => Err(io::ErrorKind::NotFound.into()),
            Err(_) => System.read(path, bytes_max),
        }
    }
}

#[test]
fn a_place_is_not_taken_away_when_the_folder_comes_back_while_it_is_looked_at() {
    let (folder, home, _) = filled();
    drop(home);
    let disk = Disk::on(std::sync::Arc::new(MountedLate(2.into())));
    let home = Home::open_on(disk, folder.path()).unwrap();
    let slot = home.slot(manifest().key());
    let recalled = slot.recall(&home).expect("it is whole").unwrap();
    assert_eq!(recalled.record, record(&manifest()));
    assert_eq!(fs::read(slot.part()).unwrap(), content());
}

/// After a restart only the length of the part file says how long the last chunk is.
#[test]
fn a_part_file_that_ends_outside_of_its_last_chunk_has_another_size() {
    let (_folder, _home, slot) = filled();
    let part = slot.open_part(ChunkCount::new(2).unwrap()).unwrap();
    let whole = [(1 << 20, false), ((1 << 20) + 1, true), (2 << 20, true), ((2 << 20) + 1, false)];
    for (bytes, is_right) in whole {
        fs::File::options().write(true).open(slot.part()).unwrap().set_len(bytes).unwrap();
        part.forget_last();
        assert_eq!(
            (part.find_last().is_ok(), part.bytes()),
            (is_right, is_right.then_some(bytes)),
            "{bytes}"
        );
    }
}
