//! Tests of what follows from a resource's phase and from the files that its names have.

use super::*;
use crate::store::NoRoom;
use shared::id::{ChunkHash, ResourceId};
use shared::wanted::Wanting;
use std::time::Duration;

/// Makes resources that have nothing on the disk.
pub(in crate::library) struct Maker {
    pub(in crate::library) folder: tempfile::TempDir,
    home: Home,
}

impl Maker {
    pub(in crate::library) fn new() -> Maker {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        Maker { folder, home }
    }

    /// The identity of some file.
    fn identity(&self) -> FileIdentity {
        FileIdentity::at(self.folder.path()).unwrap()
    }

    /// A resource of three chunks with this id, whose names have a file or wait for one.
    pub(in crate::library) fn resource(&self, id: u8, names: &[(&str, bool)], phase: Phase) -> Resource {
        let manifest = manifest(id, names[0].0);
        let mut record: Option<Record> = None;
        for (name, has_file) in names {
            let published = has_file.then(|| self.identity());
            let name = NameRecord::new(name.parse().unwrap(), published, Wanting::default());
            match &mut record {
                Some(record) => record.names.push(name),
                None => record = Some(Record::wanted(manifest.key(), None, 0, name)),
            }
        }
        let slot = self.home.slot(manifest.key());
        Resource::new(manifest, record.expect("there is a name"), slot, phase)
    }

    /// A phase in which it is served.
    pub(in crate::library) fn seeding(&self, id: u8) -> Phase {
        let (manifest, identity) = (manifest(id, "x"), self.identity());
        Phase::Seeding(Arc::new(PublishedFile {
            manifest,
            path: self.folder.path().into(),
            identity,
            tree: None,
        }))
    }
}

pub(in crate::library) fn manifest(id: u8, name: &str) -> Manifest {
    let trackers = vec!["tt://one".parse().unwrap()];
    Manifest::new(name.parse().unwrap(), ResourceId([id; 32]), trackers, vec![ChunkHash([id; 32]); 3])
        .unwrap()
}

fn failed(why: Why, retry_at: Option<Instant>) -> Phase {
    Phase::Failed(Failure { why, retry_at })
}

fn gone() -> Why {
    Why::Gone("a".parse().unwrap())
}

fn accepted() -> Phase {
    let why = Why::NoRoom(NoRoom::Unknown(None));
    Phase::Accepted(Blocked { why, retry_at: Instant::now(), probing: false })
}

/// Which file is read when a resource is checked. A `+` after a name says that it has a file, a `!` that the file has a
/// known problem.
#[test]
fn a_check_reads_the_wanted_file_or_else_a_good_one_or_else_the_download() {
    let maker = Maker::new();
    let cases = [
        ("a+ b+", None, Some("a")),
        ("a+ b+", Some("b"), Some("b")),
        ("a+! b+", None, Some("b")),
        ("a+! b+", Some("a"), Some("a")),
        ("a b+", None, Some("b")),
        ("a b+", Some("a"), Some("b")),
        ("a", None, None),
        ("a b+!", None, None),
        ("a+! b+!", None, Some("a")),
        ("a! b+!", None, Some("b")),
    ];
    for (names, wanted, expected) in cases {
        let names: Vec<&str> = names.split(' ').collect();
        let bare = |name: &&str| name.trim_end_matches(['+', '!']).to_owned();
        let bares: Vec<String> = names.iter().map(bare).collect();
        let files: Vec<(&str, bool)> =
            bares.iter().zip(&names).map(|(bare, name)| (bare.as_str(), name.contains('+'))).collect();
        let mut resource = maker.resource(1, &files, Phase::Checking(Checking::default()));
        for name in names.iter().filter(|name| name.contains('!')) {
            resource.troubles.insert(bare(name).parse().unwrap(), gone());
        }
        let wanted: Option<ResourceName> = wanted.map(|name| name.parse().unwrap());
        let found = resource.to_check(wanted.as_ref()).map(|record| record.name.as_str());
        assert_eq!(found, expected, "{names:?}, {wanted:?} is wanted");
    }
}

#[test]
fn a_list_of_chunks_is_unproven_until_the_resource_was_complete_once() {
    let maker = Maker::new();
    let checking = || Phase::Checking(Checking::default());
    assert!(maker.resource(1, &[("a", false)], checking()).is_unproven());
    assert!(!maker.resource(1, &[("a", false), ("b", true)], checking()).is_unproven(), "b has a file");
    assert!(!maker.resource(1, &[("a", false)], maker.seeding(1)).is_unproven(), "it is served");
}

#[test]
fn a_manifest_is_disproved_by_the_content_alone_and_only_if_no_name_has_a_file() {
    let maker = Maker::new();
    let is_disproved = |has_file, phase| maker.resource(1, &[("a", has_file)], phase).is_disproved();
    assert!(is_disproved(false, failed(Why::FalseManifest, None)));
    assert!(!is_disproved(true, failed(Why::FalseManifest, None)));
    assert!(!is_disproved(false, failed(gone(), None)));
    assert!(!is_disproved(false, Phase::Checking(Checking::default())));
}

/// The others cost nothing until something happens to them.
#[test]
fn what_waits_for_a_moment_or_makes_progress_is_looked_at_again() {
    let maker = Maker::new();
    let checking = |step| Phase::Checking(Checking::new(step));
    let cases = [
        (accepted(), true),
        (failed(gone(), Some(Instant::now())), true),
        (failed(gone(), None), false),
        (checking(CheckStep::Hashes), true),
        (checking(CheckStep::Waits), false),
        (checking(CheckStep::Looks), false),
        (Phase::Opening(Opening::default()), false),
        (maker.seeding(1), false),
    ];
    for (phase, expected) in cases {
        let resource = maker.resource(1, &[("a", true)], phase);
        assert_eq!(resource.is_due_some_time(), expected, "{:?}", resource.phase);
    }
    let mut refused = maker.resource(1, &[("a", true)], maker.seeding(1));
    refused.republish_at = Some(Instant::now() + Duration::from_secs(60));
    assert!(refused.is_due_some_time(), "a name is to be published again");
}

#[test]
fn a_result_counts_only_for_the_check_and_the_opening_that_it_was_made_for() {
    let maker = Maker::new();
    let checking = Checking::default();
    let check = checking.check.clone();
    let resource = maker.resource(1, &[("a", true)], Phase::Checking(checking));
    assert!(resource.is_in(&check) && !resource.is_in(&Check::default()));
    let opening = Opening::default();
    assert!(!resource.is_opening(&opening));
    let resource = maker.resource(1, &[("a", true)], Phase::Opening(opening.clone()));
    assert!(resource.is_opening(&opening) && !resource.is_opening(&Opening::default()));
    assert!(!resource.is_in(&check));
}

#[test]
fn it_is_announced_to_each_of_its_trackers_once() {
    let maker = Maker::new();
    let mut resource = maker.resource(1, &[("a", false)], accepted());
    let urls = |urls: &[&str]| urls.iter().map(|url| url.parse().unwrap()).collect::<Vec<TrackerUrl>>();
    resource.record.trackers = urls(&["tt://one", "tt://two"]);
    assert_eq!(resource.trackers(), urls(&["tt://one", "tt://two"]));
}

#[test]
fn it_has_all_chunks_while_it_is_served_and_none_before_it_is_fetched() {
    let maker = Maker::new();
    assert_eq!(maker.resource(1, &[("a", false)], accepted()).have(), 0);
    assert_eq!(maker.resource(1, &[("a", true)], maker.seeding(1)).have(), 3);
}

#[test]
fn a_directory_has_the_path_of_a_directory() {
    let maker = Maker::new();
    let mut resource = maker.resource(1, &[("app.tar", true), ("b", true)], maker.seeding(1));
    let name = |at: usize| resource.record.names[at].name.clone();
    let (tree, file) = (name(0), name(1));
    let path = |resource: &Resource, name| resource.path(&maker.home, name);
    assert_eq!(
        path(&resource, &tree),
        maker.folder.path().join("app.tar"),
        "it is not known to be a directory"
    );
    resource.is_tree = true;
    assert_eq!(path(&resource, &tree), maker.folder.path().join("app"));
    assert_eq!(path(&resource, &file), maker.folder.path().join("b"), "no directory has this name");
    let files: Vec<_> = resource.published_files(&maker.home).collect();
    assert!(files.len() == 2 && files.iter().all(|file| file.tree.is_some()));
    let served = resource.served_file(&maker.home, &file, maker.identity());
    assert_eq!((served.manifest.name(), served.path), (&tree, maker.folder.path().join("b")));
}
