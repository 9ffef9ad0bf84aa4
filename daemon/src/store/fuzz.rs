//! Entry points for tests/fuzz. Bytes are put into our own files, as a crash, a disk or a user may have left them, and
//! read as at a start. Each function panics when something is wrong.

use super::{Disk, Home, Loaded, Record, atomic, have_file};
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::id::{ChunkHash, ResourceId, SwarmKey};
use shared::manifest::Manifest;
use std::fs;
use std::path::{Path, PathBuf};

/// A shared directory with one resource that is being fetched.
pub struct Folder {
    home: Home,
    key: SwarmKey,
    count: ChunkCount,
    /// The resource's files with their original content, in order of their names.
    files: Vec<(PathBuf, Vec<u8>)>,
}

/// The damage to one of the files.
#[derive(Debug, Clone, Copy)]
pub struct Damage {
    /// The index of the file.
    pub file: u8,
    /// How many bytes at its beginning stay. The given bytes follow them.
    pub kept: u16,
    /// Whether it gets a correct checksum afterwards.
    pub is_sealed: bool,
}

impl Folder {
    /// Makes the resource in an empty directory.
    pub fn new(folder: &Path) -> Folder {
        let home = Home::open(folder).expect("the folder is empty and can be written");
        let hashes = [b"a", b"b", b"c"].map(|bytes| ChunkHash::of(bytes)).to_vec();
        let trackers = vec!["tt://tracker.example".parse().expect("a URL")];
        let name = "name".parse().expect("a name");
        let manifest = Manifest::new(name, ResourceId([1; 32]), trackers, hashes).expect("a manifest");
        let (key, count) = (manifest.key(), manifest.count());
        let (trackers, names) = (Vec::new(), Vec::new());
        let record = Record {
            key,
            trackers,
            shared_at_ms: 1,
            origin: false,
            claims: Default::default(),
            undated: Default::default(),
            paused: false,
            no_reuse: false,
            takes_from_older: false,
            as_file: false,
            links_outside: false,
            names,
        };
        home.slot(key).create(&record, &manifest).expect("the folder can be written");
        let mut have = HaveMap::empty(count);
        have.insert(ChunkIndex(1));
        home.slot(key).write_have(&have).expect("the folder can be written");
        let part = home.slot(key).part();
        let files = read_files(part.parent().expect("it is in the resource's folder"));
        Folder { home, key, count, files }
    }

    /// Damages one file and reads everything as at a start.
    pub fn start(&self, damage: Damage, bytes: &[u8]) {
        let (path, content) = &self.files[usize::from(damage.file) % self.files.len()];
        let kept = &content[..content.len().min(damage.kept.into())];
        let mut damaged = [kept, bytes].concat();
        if damage.is_sealed {
            damaged = atomic::seal(&damaged);
        }
        fs::write(path, damaged).expect("the folder can be written");
        for Loaded { record, manifest, .. } in
            self.home.remembered().expect("the folder can be read").into_iter().flatten()
        {
            assert!(record.key == self.key && manifest.key() == self.key, "it is of another resource");
        }
        if let Ok(Some(have)) = self.home.slot(self.key).read_have(self.count) {
            assert_eq!(have.count(), self.count);
        }
        self.restore();
    }

    /// Restores all files.
    fn restore(&self) {
        for (path, content) in &self.files {
            let folder = path.parent().expect("they are in a folder");
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(path, content))
                .expect("the folder can be written");
        }
    }
}

fn read_files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).expect("the file can be read"))).collect()
}

/// Checks the text of a record with a correct checksum: if it is valid, it means the same after it was written and read
/// again.
pub fn record(text: &[u8]) {
    let Ok(record) = Record::from_bytes(&atomic::seal(text)) else { return };
    let again = Record::from_bytes(&record.to_bytes()).expect("what was written can be read");
    assert_eq!(record, again);
}

/// Checks a have map's file with a correct checksum: if it is one of `count` chunks, it stays the same.
pub fn have_file(path: &Path, count: ChunkCount, content: &[u8]) {
    fs::write(path, atomic::seal(content)).expect("the folder can be written");
    if let Ok(Some(have)) = have_file::read(&Disk::system(), path, count) {
        have_file::write(&Disk::system(), path, &have).expect("the folder can be written");
        assert_eq!(
            have_file::read(&Disk::system(), path, count).expect("what was written can be read"),
            Some(have)
        );
    }
}
