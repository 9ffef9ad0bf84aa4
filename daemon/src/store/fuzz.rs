//! Doors for tests/fuzz: bytes go into our own files, as a crash, a disk or a hand may have left them, and are read
//! as at a start. Each panics when something is wrong.

use super::{Home, Record, Slot, atomic, read_have, write_have};
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::id::{ChunkHash, ResourceId};
use shared::manifest::Manifest;
use std::fs;
use std::path::{Path, PathBuf};

/// A shared folder with one resource that is being fetched.
pub struct Folder {
    home: Home,
    slot: Slot,
    record: Record,
    manifest: Manifest,
    /// The resource's own files as they were written, in order of their names.
    files: Vec<(PathBuf, Vec<u8>)>,
}

/// What becomes of one of the files.
#[derive(Debug, Clone, Copy)]
pub struct Damage {
    /// Which file.
    pub file: u8,
    /// How many bytes at its beginning stay; the given ones follow.
    pub kept: u16,
    /// Whether it gets a right checksum afterwards.
    pub is_sealed: bool,
}

impl Folder {
    /// Makes the resource in an empty folder.
    pub fn new(folder: &Path) -> Folder {
        let home = Home::open(folder).expect("the folder is empty and can be written");
        let hashes = [b"a", b"b", b"c"].map(|bytes| ChunkHash::of(bytes)).to_vec();
        let trackers = vec!["tt://tracker.example".parse().expect("a URL")];
        let name = "name".parse().expect("a name");
        let manifest = Manifest::new(name, ResourceId([1; 32]), trackers, hashes).expect("a manifest");
        let text = format!(
            "version = 1\nresource = \"{}\"\ndigest = \"{}\"\ntrackers = []\nshared_at_ms = 1\norigin = false\n\
             paused = false\n[[names]]\nname = \"name\"\n",
            manifest.resource(),
            manifest.digest()
        );
        let record = Record::from_toml(text.as_bytes()).expect("a record");
        let slot = home.slot(manifest.key());
        let mut folder = Folder { home, slot, record, manifest, files: Vec::new() };
        folder.restore();
        folder.files = folder.read_files();
        folder
    }

    /// Damages one file and starts.
    pub fn start(&mut self, damage: Damage, bytes: &[u8]) {
        let (path, content) = &self.files[usize::from(damage.file) % self.files.len()];
        let kept = &content[..content.len().min(damage.kept.into())];
        let mut damaged = [kept, bytes].concat();
        if damage.is_sealed {
            damaged = atomic::seal(&damaged);
        }
        fs::write(path, damaged).expect("the folder can be written");
        for (record, manifest) in
            self.home.remembered().expect("the folder can be read").into_iter().flatten()
        {
            assert_eq!(record.key, manifest.key(), "what is remembered belongs together");
        }
        if let Ok(Some(have)) = read_have(&self.slot.have(), self.manifest.count()) {
            assert_eq!(have.count(), self.manifest.count());
        }
        self.restore();
    }

    /// Writes everything as it shall be.
    fn restore(&self) {
        self.slot.create(&self.record, &self.manifest).expect("the folder can be written");
        let mut have = HaveMap::empty(self.manifest.count());
        have.insert(ChunkIndex(1));
        write_have(&self.slot.have(), &have).expect("the folder can be written");
    }

    fn read_files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let have = self.slot.have();
        let folder = have.parent().expect("the have map is in the resource's folder");
        let entries = fs::read_dir(folder).expect("the folder can be read");
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths.into_iter().map(|path| (path.clone(), fs::read(path).expect("the file can be read"))).collect()
    }
}

/// A record's text. If it is one, it means the same after it was written and read again.
pub fn record(text: &[u8]) {
    let Ok(record) = Record::from_toml(text) else { return };
    let again = Record::from_toml(record.to_toml().as_bytes()).expect("what was written can be read");
    assert_eq!(record, again);
}

/// A have map's file with a right checksum. If it is one of `count` chunks, it stays the same.
pub fn have_file(path: &Path, count: ChunkCount, content: &[u8]) {
    fs::write(path, atomic::seal(content)).expect("the folder can be written");
    if let Ok(Some(have)) = read_have(path, count) {
        write_have(path, &have).expect("the folder can be written");
        assert_eq!(read_have(path, count).expect("what was written can be read"), Some(have));
    }
}
