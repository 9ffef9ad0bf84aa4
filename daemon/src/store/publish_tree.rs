//! Gives a complete tree, in one step, its name. Readers see the former directory or the new one, never a mix; programs
//! that run from the former one keep what they have open.

use super::disk::Disk;
use super::dress_tree::Dresser;
use super::group::TreeGroup;
use super::leaving::is_at;
use super::mode::{dress_top, let_move};
use super::publish::must_be_free_for_tree;
use super::root::Root;
use super::staging::StagingTree;
use super::tree_form::{TreeForm, TreeIdentities};
use super::{At, FileIdentity, Home, PartFile, PublishError, Publisher, Slot, StoreError};
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::id::ChunkHash;
use shared::manifest::Manifest;
use shared::tree::{BadSums, EntryIndex, SumsCheck, TreeLayout};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The bytes of the sums that are checked at once. The sums of a million files have 100 MB.
const SUMS_BLOCK_BYTES: u64 = 256 << 10;

impl Publisher {
    /// Publishes a complete tree. `failed_before` is as in [`PartFile::sync`]. `replaces` is the directory that may lose
    /// the name to it, which is in the slot afterwards, until [`Slot::tidy`].
    ///
    /// # Errors
    /// When anything else is in its place, when the sums are not those of a tree, or when the disk fails. In
    /// the last case the tree may have its name already; publishing it again makes that durable.
    pub fn publish_tree(
        &self,
        home: &Home,
        slot: &Slot,
        part: &PartFile,
        failed_before: u64,
        manifest: &Manifest,
        replaces: Option<FileIdentity>,
    ) -> Result<FileIdentity, PublishError> {
        let Some(tree) = part.tree() else { return Err(PublishError::Damaged(part.path().to_owned())) };
        let (staging, form) = (&tree.staging, slot.tree());
        let made = MadeTree { disk: staging.disk(), root: staging.root(), layout: staging.layout() };
        let to = made.place(home, manifest)?;
        // A download that does not know of a failed sync must not end the writing, and what is read after one may be
        // other bytes than were written.
        staging.complete(|| part.own().must_have_synced(failed_before)).map_err(PublishError::NotSynced)?;
        must_have_sums(part, staging, manifest)?;
        let make_durable = || {
            let dresser = Dresser::new(made.disk, made.root, TreeGroup::new(self.group, home.folder()));
            let identities = dresser.dress(made.layout.listing(), |index| staging.dressed(index))?;
            part.sync_all(failed_before).map_err(PublishError::NotSynced)?;
            Ok(identities)
        };
        let known = slot.older().tree();
        let former = Former { lies: &form, replaces, known: Some(&known) };
        self.give_name(home, &made, &form, &to, manifest, &former, &make_durable)
    }

    /// Gives a tree its name, after `make_durable` has. `slot` is where its listing is.
    #[expect(clippy::too_many_arguments, reason = "two callers, which have them from different places")]
    pub(super) fn give_name(
        &self,
        home: &Home,
        made: &MadeTree<'_>,
        slot: &TreeForm,
        to: &Path,
        manifest: &Manifest,
        former: &Former<'_>,
        make_durable: &dyn Fn() -> Result<TreeIdentities, PublishError>,
    ) -> Result<FileIdentity, PublishError> {
        let Former { lies, replaces, known } = *former;
        let taken = || PublishError::OtherDirectory(to.to_owned());
        // From an earlier call that could not sync the directory, or whose end a crash prevented.
        let ours = made.root.directory().metadata().at("access", made.root.path())?.ino();
        let is_there = fs::symlink_metadata(to).is_ok_and(|there| there.ino() == ours);
        if !is_there && fs::symlink_metadata(to).is_ok() && !is_at(to, replaces) {
            return Err(taken());
        }
        if !is_there {
            // Somebody may have moved the directory away that got its name in an earlier call.
            let lies_there = |there: fs::Metadata| there.ino() == ours;
            if !fs::symlink_metadata(lies.staging()).is_ok_and(lies_there) {
                return Err(PublishError::Damaged(lies.staging()));
            }
            let identities = make_durable()?;
            slot.write_identities(&identities)?;
            let or_taken = |error: StoreError| match error.source.kind() {
                io::ErrorKind::AlreadyExists => taken(),
                _ => error.into(),
            };
            let noted = replaces.filter(|_| fs::symlink_metadata(to).is_ok());
            if noted.is_some() {
                // Of a directory that nobody knows, the files are replaced that the new one has, too.
                let ours = known.filter(|known| known.knows(to)).unwrap_or(slot);
                lies.prepare_to_leave((to, noted), ours, Some(slot)).map_err(or_taken)?;
            }
            self.show_manifest(home, manifest)?;
            switch(made.disk, lies, to, noted).map_err(or_taken)?;
        }
        // Not what has the name now: that could be another directory already.
        let top = made.root.moved_to(to).at("access", to)?;
        let entry = made.layout.listing().entry(EntryIndex::TOP);
        dress_top(made.disk, &top, &entry)?;
        home.sync()?;
        let metadata = top.directory().metadata().at("access", to)?;
        Ok(FileIdentity::of_tree(&metadata, made.layout.bytes()))
    }
}

/// The directory that may lose its name to a tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Former<'a> {
    /// Where the tree lies, and that directory afterwards.
    pub(super) lies: &'a TreeForm,
    /// Which directory it is; any other one stays.
    pub(super) replaces: Option<FileIdentity>,
    /// What is known of it, if something is.
    pub(super) known: Option<&'a TreeForm>,
}

/// A tree whose files are complete, and that has no name yet.
pub(super) struct MadeTree<'a> {
    pub(super) disk: &'a Disk,
    /// Its top directory.
    pub(super) root: &'a Root,
    pub(super) layout: &'a TreeLayout,
}

impl MadeTree<'_> {
    /// The path that it gets.
    ///
    /// # Errors
    /// When its name is not that of a directory, or something else than a directory is there.
    pub(super) fn place(&self, home: &Home, manifest: &Manifest) -> Result<PathBuf, PublishError> {
        let name = manifest.name();
        let to = home.tree(name).ok_or_else(|| PublishError::NoDirectoryName(name.clone()))?;
        must_be_free_for_tree(home, name, &to)?;
        Ok(to)
    }
}

/// Checks that the sums are those of the tree. Before the author is blamed for that, the disk is: what it says now is compared
/// with the hashes once more.
fn must_have_sums(part: &PartFile, staging: &StagingTree, manifest: &Manifest) -> Result<(), PublishError> {
    let (file, path) = staging.sums();
    let Err(why) = check_sums(staging.layout(), file).at("read", path)? else { return Ok(()) };
    let range = staging.layout().sums_range();
    let has_sums = |index: &ChunkIndex| {
        index.offset() < range.end && range.start < index.offset() + u64::from(CHUNK_BYTES)
    };
    for index in manifest.count().indices().filter(has_sums) {
        if manifest.hash(index) != Some(&ChunkHash::of(&part.read(index)?)) {
            return Err(PublishError::Damaged(path.to_owned()));
        }
    }
    Err(PublishError::NoTree(why.to_string()))
}

/// The error if something has the name that may not be replaced.
fn taken(to: &Path) -> Result<(), StoreError> {
    Err(io::Error::from(io::ErrorKind::AlreadyExists)).at("publish", to)
}

/// Whether a file has the form of the sums of a tree.
fn check_sums(layout: &TreeLayout, file: &File) -> io::Result<Result<(), BadSums>> {
    let (mut check, mut at, end) = (SumsCheck::new(layout), 0, layout.sums_bytes());
    let mut block = vec![0; end.min(SUMS_BLOCK_BYTES) as usize];
    while at < end {
        block.truncate((end - at).min(SUMS_BLOCK_BYTES) as usize);
        file.read_exact_at(&mut block, at)?;
        if let Err(why) = check.push(&block) {
            return Ok(Err(why));
        }
        at += block.len() as u64;
    }
    Ok(check.finish())
}

/// Gives the tree its name. The directory that has it now, and which must be `replaces`, takes its place in the slot. What
/// is ours in that one is noted already.
fn switch(disk: &Disk, form: &TreeForm, to: &Path, replaces: Option<FileIdentity>) -> Result<(), StoreError> {
    if fs::symlink_metadata(to).is_err() {
        return disk.rename(&form.staging(), to).at("publish", to);
    }
    if !is_at(to, replaces) {
        return taken(to);
    }
    let former = Root::open(to).at("open", to)?;
    let mode = let_move(disk, &former)?;
    let switched = match disk.exchange(&form.staging(), to) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => switch_in_steps(disk, form, to, replaces),
        // Somebody may have moved another directory there meanwhile.
        Ok(()) if !is_at(&form.staging(), replaces) => {
            disk.exchange(&form.staging(), to).at("move back", to).and_then(|()| taken(to))
        }
        exchanged => exchanged.at("publish", to),
    };
    if let (true, Some(mode)) = (switched.is_err(), mode) {
        let _ = disk.set_mode(former.directory(), to, mode); // it stays there; the error that is reported is the first
    }
    switched
}

/// The same on a file system that cannot exchange two directories.
fn switch_in_steps(
    disk: &Disk,
    form: &TreeForm,
    to: &Path,
    replaces: Option<FileIdentity>,
) -> Result<(), StoreError> {
    tracing::warn!(path = %to.display(), "this file system cannot exchange directories in one step: for a moment the directory is missing");
    let former = form.former();
    disk.rename(to, &former).at("move away", to)?;
    let published = match is_at(&former, replaces) {
        true => disk.rename(&form.staging(), to).at("publish", to),
        false => taken(to),
    };
    if published.is_err()
        && let Err(error) = disk.rename(&former, to)
    {
        tracing::error!(path = %to.display(), %error, "cannot move the former directory back");
    }
    published
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::ResourceId;
    use shared::tree::{Entry, EntryKind, Listing, Sums, TreePath};
    use std::os::unix::fs::symlink;
    use std::time::{Duration, Instant};

    const CONTENT: &[u8] = b"ours";

    /// A directory with a file and a link in a directory, and its tar.
    fn app() -> (TreeLayout, Vec<u8>) {
        let entry = |path, kind: EntryKind<'static>| {
            let mode = if matches!(kind, EntryKind::Symlink { .. }) { 0o777 } else { 0o500 };
            Entry { path: TreePath::new(path).unwrap(), mode, time: Some(7), kind }
        };
        let entries = [
            entry("", EntryKind::Directory),
            entry("d", EntryKind::Directory),
            entry("d/file", EntryKind::File { bytes: CONTENT.len() as u64 }),
            entry("d/link", EntryKind::Symlink { target: "file" }),
            entry("d/sub", EntryKind::Directory),
        ];
        let layout = TreeLayout::new(Listing::new("app".parse().unwrap(), entries).unwrap()).unwrap();
        let mut tar = vec![0; layout.bytes() as usize];
        layout.fill_synthetic(0, &mut tar);
        let range = layout.content_range(EntryIndex(2));
        tar[range.start as usize..range.end as usize].copy_from_slice(CONTENT);
        let mut sums = Sums::unknown(&layout);
        sums.set(EntryIndex(2), ResourceId::of(CONTENT));
        let range = layout.sums_range();
        tar[range.start as usize..range.end as usize].copy_from_slice(&sums.to_bytes(&layout));
        (layout, tar)
    }

    /// What is in a directory of somebody else: for each path its mode, its time and its content.
    fn state(of: &Path) -> Vec<(std::path::PathBuf, u32, i64, Vec<u8>)> {
        let mut paths: Vec<_> = fs::read_dir(of).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.push(of.to_owned());
        paths.sort();
        let state = |path: std::path::PathBuf| {
            let metadata = fs::symlink_metadata(&path).unwrap();
            let content = fs::read(&path).unwrap_or_default();
            (path, metadata.mode(), metadata.mtime(), content)
        };
        paths.into_iter().map(state).collect()
    }

    /// Puts a link to something outside in the place of something in a tree.
    fn swap(tree: &Path, what: &str, outside: &Path) {
        let _ = fs::remove_dir_all(tree.join("gone"));
        fs::rename(tree.join(what), tree.join("gone")).unwrap();
        symlink(outside, tree.join(what)).unwrap();
    }

    #[test]
    fn nothing_outside_is_touched_whatever_is_swapped_for_a_link() {
        let (layout, tar) = app();
        for (what, target, is_before) in [
            ("d", "", true),
            ("d/file", "file", true),
            ("d/sub", "", true),
            ("d", "", false),
            ("d/file", "file", false),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (shared, outside) = (folder.path().join("shared"), folder.path().join("outside"));
            fs::create_dir(&outside).unwrap();
            fs::write(outside.join("file"), "theirs").unwrap();
            let before = state(&outside);
            let home = Home::open(&shared).unwrap();
            let manifest = Manifest::new(
                "app.tar".parse().unwrap(),
                ResourceId::of(&tar),
                vec!["tt://t".parse().unwrap()],
                tar.chunks(CHUNK_BYTES as usize).map(ChunkHash::of).collect(),
            )
            .unwrap();
            let slot = home.slot(manifest.key());
            slot.make_folder().unwrap();
            let part = slot.open_empty_part(manifest.count()).unwrap();
            part.begin_tree(slot.tree().create(layout.clone(), &|| true, &|_| Ok(())).unwrap().unwrap());
            part.write(ChunkIndex(0), &tar).unwrap();
            let publisher = Publisher { mode: 0o644, group: None };
            let publish = || publisher.publish_tree(&home, &slot, &part, 0, &manifest, None);
            let (staging, top) = (slot.tree().staging(), shared.join("app"));
            if is_before {
                swap(&staging, what, &outside.join(target));
                publish().unwrap_err();
                assert!(!top.exists(), "{what}: it has its name");
                home.disk().remove_all(&staging).unwrap();
            } else {
                publish().unwrap();
                let published = super::super::PublishedTree::new(slot.tree());
                published.read(&top, 0, &mut vec![0; tar.len()]).expect("it is served");
                swap(&top, what, &outside.join(target));
                assert!(published.read(&top, 0, &mut vec![0; tar.len()]).is_none(), "{what} is served");
                assert!(!published.body(&top).unwrap().is_as_hashed, "{what}");
                let identity = FileIdentity::of_tree(&top.metadata().unwrap(), 0);
                home.remove_tree(manifest.name(), &identity, &slot, None).unwrap();
                let trash = shared.join(".tinytorrent/trash");
                let until = Instant::now() + Duration::from_secs(20);
                while fs::read_dir(&trash).unwrap().next().is_some() {
                    assert!(Instant::now() < until, "{what}: the trash is not emptied");
                    std::thread::yield_now();
                }
                // The link is not ours, and what was moved aside is not where the listing says.
                assert!(fs::symlink_metadata(top.join(what)).unwrap().is_symlink(), "{what}");
                assert!(top.join("gone").exists() && !top.join("d/link").is_symlink(), "{what}");
            }
            assert_eq!(state(&outside), before, "{what}");
        }
    }

    /// A shared directory with the directory of [`app`] under its name.
    struct Published {
        _folder: tempfile::TempDir,
        home: Home,
        manifest: Manifest,
        slot: Slot,
        top: PathBuf,
        tar: Vec<u8>,
    }

    impl Published {
        fn new() -> Published {
            let (folder, (layout, tar)) = (tempfile::tempdir().unwrap(), app());
            let home = Home::open(&folder.path().join("shared")).unwrap();
            let hashes = tar.chunks(CHUNK_BYTES as usize).map(ChunkHash::of).collect();
            let trackers = vec!["tt://t".parse().unwrap()];
            let id = ResourceId::of(&tar);
            let manifest = Manifest::new("app.tar".parse().unwrap(), id, trackers, hashes).unwrap();
            let (slot, top) = (home.slot(manifest.key()), folder.path().join("shared/app"));
            slot.make_folder().unwrap();
            let part = slot.open_empty_part(manifest.count()).unwrap();
            part.begin_tree(slot.tree().create(layout, &|| true, &|_| Ok(())).unwrap().unwrap());
            part.write(ChunkIndex(0), &tar).unwrap();
            let published = Published { _folder: folder, home, manifest, slot, top, tar };
            published.publish(&part).unwrap();
            published
        }

        fn publish(&self, part: &PartFile) -> Result<FileIdentity, PublishError> {
            let publisher = Publisher { mode: 0o644, group: None };
            let replaces = FileIdentity::of_directory_at(&self.top);
            publisher.publish_tree(&self.home, &self.slot, part, 0, &self.manifest, replaces)
        }

        /// Edits the file of the directory.
        fn edit(&self) {
            let file = self.top.join("d/file");
            fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            fs::write(file, "edit").unwrap();
        }
    }

    #[test]
    fn an_edited_directory_that_is_made_anew_does_not_count_as_the_new_one() {
        let it = Published::new();
        assert!(it.slot.tree().published_at(&it.top).is_some());
        it.edit();
        assert!(it.slot.tree().published_at(&it.top).is_none(), "it was edited");
        let it = Published::new();
        let part = it.slot.open_part(it.manifest.count()).unwrap();
        assert!(part.is_tree());
        assert!(it.slot.tree().published_at(&it.top).is_none(), "another one is being made in its slot");
    }

    #[test]
    fn the_sums_of_a_directory_stay_when_it_is_made_anew() {
        let it = Published::new();
        let before = fs::read(it.slot.tree().sums()).unwrap();
        assert!(before.ends_with(b"  app/d/file\n"));
        it.slot.open_part(it.manifest.count()).unwrap();
        assert_eq!(fs::read(it.slot.tree().sums()).unwrap(), before);
    }

    #[test]
    fn what_a_switch_left_in_the_slot_is_not_the_download() {
        let it = Published::new();
        // As after an exchange: the former directory lies where the download was, and chunks are claimed.
        let staging = it.slot.tree().staging();
        fs::create_dir_all(staging.join("d")).unwrap();
        fs::write(staging.join("d/file"), "old!").unwrap();
        let mut have = shared::have::HaveMap::empty(it.manifest.count());
        have.insert(ChunkIndex(0));
        it.slot.write_have(&have).unwrap();
        let part = it.slot.open_part(it.manifest.count()).unwrap();
        assert!(it.slot.read_have(it.manifest.count()).unwrap().is_none(), "nothing of it is here");
        assert!(!staging.join("d/file").exists(), "it is a new one");
        // Nobody knows whose the former one was.
        let (kept, until) = (it.top.with_file_name("app.kept"), Instant::now() + Duration::from_secs(20));
        while !kept.join("d/file").exists() {
            assert!(Instant::now() < until, "it is not kept");
            std::thread::yield_now();
        }
        part.write(ChunkIndex(0), &it.tar).unwrap();
        drop(part);
        it.slot.open_part(it.manifest.count()).unwrap();
        assert_eq!(fs::read(staging.join("d/file")).unwrap(), CONTENT, "it is opened again");
    }

    #[test]
    fn a_directory_that_was_moved_away_after_the_switch_is_not_replaced_by_the_former_one() {
        let it = Published::new();
        let part = it.slot.open_part(it.manifest.count()).unwrap();
        part.write(ChunkIndex(0), &it.tar).unwrap();
        it.publish(&part).unwrap();
        fs::rename(&it.top, it.top.with_file_name("moved")).unwrap();
        assert!(it.slot.tree().staging().exists(), "the former one lies there");
        assert!(matches!(it.publish(&part), Err(PublishError::Damaged(_))));
        assert!(!it.top.exists());
    }

    #[test]
    fn a_switch_that_was_cut_in_two_is_undone() {
        let it = Published::new();
        let former = it.slot.tree().former();
        fs::rename(&it.top, &former).unwrap();
        it.slot.tree().move_former_back(&it.top).unwrap();
        assert!(it.top.is_dir() && !former.exists());
        fs::create_dir(&former).unwrap();
        it.slot.tree().move_former_back(&it.top).unwrap();
        assert!(former.is_dir(), "the name is taken");
    }
}
