use super::*;
use crate::store::faulty::{DiskFault, Faulty};
use crate::store::root::Root;
use crate::store::{
    Disk, FileIdentity, Home, Import, Medium, Open, PublishError, PublishedFile, PublishedTree, Publisher,
    Step, System,
};
use shared::chunk::ChunkIndex;
use shared::host::hashing::Hashed;
use shared::id::{ChunkHash, ResourceId};
use shared::manifest::Manifest;
use shared::tree::{Entry, EntryKind, Sums, TreePath};
use std::fs::{self, File};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;

/// A tree with files of these sizes, and its tar.
fn tree(name: &str, sizes: &[u64]) -> (TreeLayout, Vec<u8>) {
    let (file, time) = (|bytes| EntryKind::File { bytes }, Some(7));
    let entry = |path, mode, kind| Entry { path, mode, time, kind };
    let names: Vec<String> = (0..sizes.len()).map(|at| format!("sub/{at:05}")).collect();
    let files = names.iter().zip(sizes);
    let mut entries: Vec<_> =
        files.map(|(name, bytes)| entry(TreePath::new(name).unwrap(), 0o640, file(*bytes))).collect();
    let path = |path| TreePath::new(path).unwrap();
    entries.push(entry(TreePath::TOP, 0o555, EntryKind::Directory));
    entries.push(entry(path("sub"), 0o750, EntryKind::Directory));
    entries.push(entry(path("link"), 0o777, EntryKind::Symlink { target: "sub/00000" }));
    let layout = TreeLayout::new(Listing::new(name.parse().unwrap(), entries).unwrap()).unwrap();
    let mut tar = vec![0; layout.bytes() as usize];
    layout.fill_synthetic(0, &mut tar);
    let mut sums = Sums::unknown(&layout);
    for index in layout.listing().indices() {
        let range = layout.content_range(index);
        let content = &mut tar[range.start as usize..range.end as usize];
        // Every third file is a hole, at least at its end.
        let data = if index.0 % 3 == 0 { content.len() / 2 } else { content.len() };
        content[..data].iter_mut().enumerate().for_each(|(at, byte)| *byte = (at * 7 + index.slot()) as u8);
        sums.set(index, ResourceId::of(content));
    }
    let range = layout.sums_range();
    tar[range.start as usize..range.end as usize].copy_from_slice(&sums.to_bytes(&layout));
    (layout, tar)
}

fn begin(home: &Home) -> Import {
    home.import_tree(1, "app".parse().unwrap(), None).unwrap()
}

/// What ttctl sends of a tar: everything before the sums' header.
fn sent<'a>(layout: &TreeLayout, tar: &'a [u8]) -> &'a [u8] {
    &tar[..layout.contents_end() as usize]
}

fn add(import: &mut Import, bytes: &[u8]) -> Result<(), StoreError> {
    bytes.chunks(MIB).try_for_each(|chunk| import.add(chunk))?;
    import.finish()
}

fn manifest(hashed: &Hashed) -> Manifest {
    let trackers = vec!["tt://t".parse().unwrap()];
    Manifest::new("app.tar".parse().unwrap(), hashed.resource, trackers, hashed.hashes.clone()).unwrap()
}

fn publish(home: &Home, import: &Import, replace: bool) -> Result<FileIdentity, PublishError> {
    let publisher = Publisher { mode: 0o644, group: None };
    publisher.publish_imported_tree(home, import, &manifest(&import.hashed()), replace, None)
}

/// The directories of our own in which something is left.
fn left(folder: &Path) -> Vec<&'static str> {
    let is_full =
        |name: &&str| fs::read_dir(folder.join(".tinytorrent").join(name)).unwrap().next().is_some();
    ["imports", "resources", "trash"].into_iter().filter(is_full).collect()
}

fn check(sizes: &[u64]) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Faulty::new(&folder.path().join("grave")));
    let folder = folder.path().join("shared");
    let home = Home::open_on(Disk::on(disk), &folder).unwrap();
    let (layout, tar) = tree("app", sizes);
    let mut import = begin(&home);
    add(&mut import, sent(&layout, &tar)).unwrap();
    let hashes = tar.chunks(MIB).map(ChunkHash::of).collect();
    let hashed = Hashed { resource: ResourceId::of(&tar), hashes, bytes: tar.len() as u64 };
    assert_eq!(import.hashed(), hashed, "{sizes:?}");
    publish(&home, &import, false).unwrap();
    drop(import);
    assert_eq!(left(&folder), ["resources"]);
    // It is served as what it is.
    let form = home.slot(manifest(&hashed).key()).tree();
    let app = PublishedTree::new(form);
    let identity = PublishedTree::identity_at(&folder.join("app"), hashed.bytes).unwrap();
    let app = PublishedFile::find(&manifest(&hashed), &folder.join("app"), identity, Some(app)).unwrap();
    assert_eq!(app.edited().unwrap(), None);
    for (at, chunk) in tar.chunks(MIB).enumerate() {
        assert!(app.read(ChunkIndex(at as u32)).unwrap()[..] == *chunk, "chunk {at}");
    }
    assert_eq!(fs::read_link(folder.join("app/link")).unwrap(), Path::new("sub/00000"));
}

#[test]
fn a_directory_is_made_of_its_tar_and_its_hash_is_that_of_the_tar() {
    check(&[0]);
    check(&[700, 0, 513]);
    check(&[300_000; 9]);
    check(&[3 << 20, 1 << 20, 5]);
    check(&[10; 14_000]); // a listing of more than a chunk
    // The entries end exactly where a chunk does.
    let end = tree("app", &[1, 0]).0.contents_end();
    check(&[1, 2 * MIB as u64 - end]);
}

/// The disk, which counts the bytes that are written.
#[derive(Debug, Default)]
struct Counting(AtomicU64);

impl Medium for Counting {
    fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        System.open(path, how)
    }

    fn open_below(&self, root: &Root, below: &str, how: Open) -> io::Result<File> {
        System.open_below(root, below, how)
    }

    fn perform(&self, step: Step<'_>) -> io::Result<()> {
        if let Step::Write { bytes, .. } = step {
            self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        System.perform(step)
    }
}

#[test]
fn every_byte_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Counting::default());
    let home = Home::open_on(Disk::on(disk.clone()), folder.path()).unwrap();
    let (layout, tar) = tree("app", &[40_000; 400]);
    let before = disk.0.load(Ordering::Relaxed);
    let mut import = begin(&home);
    add(&mut import, sent(&layout, &tar)).unwrap();
    publish(&home, &import, false).unwrap();
    let written = disk.0.load(Ordering::Relaxed) - before;
    let most = tar.len() as u64 + (1 << 20) + layout.listing().bytes() + layout.sums_bytes();
    assert!(written <= most, "{written} bytes were written for {}", tar.len());
}

#[test]
fn what_is_not_the_tar_of_the_directory_is_bad_data_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    let (layout, tar) = tree("app", &[300_000; 9]);
    let good = sent(&layout, &tar);
    let broken = |at: usize| {
        let mut tar = good.to_vec();
        tar[at] ^= 1;
        tar
    };
    let head =
        layout.content_range(layout.listing().find(TreePath::new("sub/00003").unwrap()).unwrap()).start;
    let other = tree("other", &[5]);
    let cases = [
        ("not a tar", vec![7; 5000]),
        ("short", good[..300].to_vec()),
        ("a byte of the first header", broken(100)),
        ("a byte of the listing", broken(600)),
        ("a byte of a header", broken(head as usize - 300)),
        ("without its end", good[..good.len() - 600].to_vec()),
        ("with sums", tar.clone()),
        ("another name", sent(&other.0, &other.1).to_vec()),
        ("less than its listing", good[..700].to_vec()),
    ];
    for (what, bytes) in cases {
        let mut import = begin(&home);
        let error = add(&mut import, &bytes).expect_err(what);
        assert!(error.is_bad_data(), "{what}: {error}");
        let good =
            Hashed { resource: ResourceId::of(&tar), hashes: Vec::from([ChunkHash::of(&tar)]), bytes: 0 };
        let publisher = Publisher { mode: 0o644, group: None };
        let published = publisher.publish_imported_tree(&home, &import, &manifest(&good), true, None);
        assert!(published.is_err(), "{what}");
        drop(import);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{what}");
        assert!(left(folder.path()).iter().all(|left| *left == "trash"), "{what}");
    }
}

#[test]
fn a_disk_that_refuses_at_any_step_refuses_the_import_and_nothing_is_left() {
    let (layout, tar) = tree("app", &[300, 0, 40_000, 2_000_000]);
    for fault in [DiskFault::Full, DiskFault::Broken] {
        for step in 1.. {
            let folder = tempfile::tempdir().unwrap();
            let disk = Arc::new(Faulty::new(&folder.path().join("grave")));
            let folder = folder.path().join("shared");
            let home = Home::open_on(Disk::on(disk.clone()), &folder).unwrap();
            disk.refuse_from(disk.steps() + step, fault);
            let import = home.import_tree(1, "app".parse().unwrap(), None);
            let imported = import.map_err(PublishError::from).and_then(|mut import| {
                add(&mut import, sent(&layout, &tar))?;
                publish(&home, &import, false)
            });
            if disk.refused() == 0 {
                imported.unwrap();
                break;
            }
            if let (DiskFault::Full, Err(PublishError::Store(error))) = (fault, &imported) {
                assert!(error.is_no_space(), "step {step}: {error}");
            }
            let is_published = folder.join("app").exists();
            assert!(imported.is_err() || is_published, "step {step}: {imported:?}");
            assert!(!is_published || fs::read(folder.join("app/sub/00003")).unwrap().len() == 2_000_000);
            disk.heal();
            drop(home);
            Home::open_on(Disk::system(), &folder).unwrap().remembered().unwrap();
            assert!(left(&folder).iter().all(|left| *left == "trash"), "{fault:?}, step {step}");
        }
    }
}

#[test]
fn a_name_that_is_taken_stays_and_is_replaced_only_if_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    let app = folder.path().join("app");
    fs::create_dir(&app).unwrap();
    fs::write(app.join("old"), "old").unwrap();
    let (layout, tar) = tree("app", &[10, 20]);
    let mut import = begin(&home);
    add(&mut import, sent(&layout, &tar)).unwrap();
    let taken = publish(&home, &import, false);
    assert!(matches!(taken, Err(PublishError::NameTaken(_))), "{taken:?}");
    assert_eq!(fs::read(app.join("old")).unwrap(), b"old");
    publish(&home, &import, true).unwrap();
    assert!(!app.join("old").exists() && app.join("sub/00001").exists());
    drop(import);
    assert!(!left(folder.path()).contains(&"imports"));
}

#[test]
fn a_directory_that_comes_after_the_import_began_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    let app = folder.path().join("app");
    let (layout, tar) = tree("app", &[10, 20]);
    let tells_birth = folder.path().metadata().unwrap().created().is_ok();
    if !tells_birth {
        eprintln!("skipped in part: the file system of {} tells no time of birth", folder.path().display());
    }
    for was_there in [false, true].into_iter().filter(|was_there| !was_there || tells_birth) {
        if was_there {
            fs::create_dir(&app).unwrap();
        }
        let mut import = begin(&home);
        add(&mut import, sent(&layout, &tar)).unwrap();
        if was_there {
            fs::remove_dir(&app).unwrap(); // the next one may get its inode
        }
        fs::create_dir(&app).unwrap();
        fs::write(app.join("mine"), "mine").unwrap();
        let taken = publish(&home, &import, true);
        assert!(matches!(taken, Err(PublishError::OtherDirectory(_))), "{taken:?}");
        assert_eq!(fs::read(app.join("mine")).unwrap(), b"mine");
        fs::remove_dir_all(&app).unwrap();
    }
}

/// The disk, while somebody moves directories.
#[derive(Debug)]
struct Meddling {
    app: PathBuf,
    when: When,
    exchanges: AtomicU64,
}

/// When somebody moves what.
#[derive(Debug)]
enum When {
    /// Right before the exchange another directory comes in the place of the one that is replaced. It cannot be moved back.
    BeforeTheExchange,
    /// The directory that is replaced was away, and comes back when the manifest is shown.
    WithTheManifest,
}

impl Meddling {
    fn away(&self) -> PathBuf {
        self.app.with_file_name("away")
    }

    fn meddle(&self, step: &Step<'_>) -> io::Result<()> {
        match (&self.when, step) {
            (When::BeforeTheExchange, Step::Exchange { .. }) => {
                if self.exchanges.fetch_add(1, Ordering::Relaxed) > 0 {
                    return Err(rustix::io::Errno::IO.into());
                }
                fs::rename(&self.app, self.away())?;
                fs::create_dir(&self.app)?;
                fs::write(self.app.join("mine"), "mine")
            }
            (When::WithTheManifest, Step::Replace { to, .. }) if to.ends_with("app.tar.tinytorrent") => {
                fs::rename(self.away(), &self.app)
            }
            _ => Ok(()),
        }
    }
}

impl Medium for Meddling {
    fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        System.open(path, how)
    }

    fn perform(&self, step: Step<'_>) -> io::Result<()> {
        self.meddle(&step)?;
        System.perform(step)
    }
}

/// Imports a directory over one that somebody moves meanwhile. Returns the answer, and the shared directory.
fn import_while(when: When) -> (tempfile::TempDir, Result<FileIdentity, PublishError>) {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("app");
    let is_away = matches!(when, When::WithTheManifest);
    let disk = Arc::new(Meddling { app: app.clone(), when, exchanges: AtomicU64::new(0) });
    let home = Home::open_on(Disk::on(disk.clone()), folder.path()).unwrap();
    fs::create_dir(&app).unwrap();
    fs::write(app.join("old"), "old").unwrap();
    let (layout, tar) = tree("app", &[10, 20]);
    let mut import = begin(&home);
    add(&mut import, sent(&layout, &tar)).unwrap();
    if is_away {
        fs::rename(&app, disk.away()).unwrap();
    }
    let published = publish(&home, &import, true);
    drop(import);
    wait_for_the_trash(folder.path());
    (folder, published)
}

fn wait_for_the_trash(folder: &Path) {
    let until = Instant::now() + Duration::from_secs(20);
    while left(folder).contains(&"trash") {
        assert!(Instant::now() < until, "the trash is not emptied");
        std::thread::yield_now();
    }
}

#[test]
fn another_directory_that_cannot_be_moved_back_is_kept() {
    let (folder, published) = import_while(When::BeforeTheExchange);
    published.unwrap_err();
    assert_eq!(fs::read(folder.path().join("app.kept/mine")).unwrap(), b"mine");
    assert_eq!(fs::read(folder.path().join("away/old")).unwrap(), b"old");
    assert!(folder.path().join("app/sub/00001").exists(), "the exchange was not undone");
}

#[test]
fn a_directory_of_which_nothing_was_noted_is_not_exchanged() {
    let (folder, published) = import_while(When::WithTheManifest);
    assert!(matches!(published, Err(PublishError::OtherDirectory(_))), "{published:?}");
    assert_eq!(fs::read(folder.path().join("app/old")).unwrap(), b"old");
    assert!(!folder.path().join("app.kept").exists());
}

#[test]
fn a_former_directory_of_which_nothing_was_noted_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    let import = begin(&home);
    let former = import.tree().unwrap().form().former();
    fs::create_dir(&former).unwrap();
    fs::write(former.join("mine"), "mine").unwrap();
    drop(import);
    wait_for_the_trash(folder.path());
    assert_eq!(fs::read(folder.path().join("directory.kept/mine")).unwrap(), b"mine");
}
