//! Tests of what is found in the library, and of what its resources cost when they are at rest.

use super::super::resource::tests::{Maker, manifest};
use super::*;
use crate::library::{CheckStep, Checking, Why};
use shared::wanted::Wanting;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A library with finished resources: each has an id and its names.
fn library(maker: &Maker, resources: &[(u8, &[&str])]) -> Library {
    let mut library = Library::default();
    for (id, names) in resources {
        let names: Vec<(&str, bool)> = names.iter().map(|name| (*name, true)).collect();
        library.insert(maker.resource(*id, &names, maker.seeding(*id)));
    }
    library
}

fn name(name: &str) -> ResourceName {
    name.parse().unwrap()
}

fn key(id: u8) -> SwarmKey {
    manifest(id, "x").key()
}

/// What a user finds with this word.
fn found(library: &Library, what: &str) -> Vec<(String, SwarmKey)> {
    library.find(what).into_iter().map(|(name, key)| (name.as_str().to_owned(), key)).collect()
}

#[test]
fn a_user_finds_a_resource_by_its_name_its_id_or_the_name_of_its_directory() {
    let maker = Maker::new();
    let mut library = library(&maker, &[(1, &["a", "b"]), (2, &["app.tar"]), (3, &["file.tar"])]);
    library.get_mut(key(2)).unwrap().is_tree = true;
    assert_eq!(found(&library, "b"), [("b".to_owned(), key(1))]);
    assert_eq!(
        found(&library, &key(1).resource.to_string()),
        [("a".to_owned(), key(1)), ("b".to_owned(), key(1))]
    );
    assert_eq!(found(&library, &key(9).resource.to_string()), []);
    assert_eq!(found(&library, "app"), [("app.tar".to_owned(), key(2))]);
    assert_eq!(found(&library, "file"), [], "it is no directory");
    assert_eq!(found(&library, "nothing"), []);
    assert_eq!((library.called(key(1)), library.called(key(9))), ("a", ""));
}

#[test]
fn another_list_of_the_same_resource_is_found_and_no_other_resource() {
    let maker = Maker::new();
    let mut library = library(&maker, &[(1, &["a"]), (2, &["b"]), (3, &["c"])]);
    assert_eq!(library.other_list(key(2)), None);
    for byte in [0, 255] {
        let other = SwarmKey { digest: ListDigest([byte; 32]), ..key(2) };
        let mut resource = maker.resource(2, &[("d", true)], maker.seeding(2));
        resource.record.key = other;
        library.insert(resource);
        assert_eq!((library.other_list(key(2)), library.other_list(other)), (Some(other), Some(key(2))));
        library.remove_name(&name("d"));
    }
}

#[test]
fn a_resource_goes_with_its_last_name_and_its_traffic_stays() {
    let maker = Maker::new();
    let mut library = library(&maker, &[(1, &["a", "b"]), (2, &["c"])]);
    for (id, received, sent) in [(1, 10, 200), (2, 3_000, 40_000)] {
        let traffic = &library.get(key(id)).unwrap().traffic;
        traffic.received.store(received, Ordering::Relaxed);
        traffic.sent.store(sent, Ordering::Relaxed);
    }
    assert!(library.remove_name(&name("a")).is_none(), "it has another name");
    let names =
        |library: &Library| library.names().map(|(name, _)| name.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!((names(&library), library.names_len()), (vec!["b".to_owned(), "c".to_owned()], 2));
    for (id, gone) in [(1, "b"), (2, "c")] {
        assert_eq!(library.remove_name(&name(gone)).map(|resource| resource.key()), Some(key(id)));
        assert_eq!(library.traffic(), (3_010, 40_200));
    }
    assert_eq!((library.iter().count(), library.stirring().count(), library.names_len()), (0, 0, 0));
}

#[test]
fn a_name_that_is_added_again_replaces_its_record_and_its_trouble() {
    let maker = Maker::new();
    let mut library = library(&maker, &[(1, &["a", "b"])]);
    library.get_mut(key(1)).unwrap().troubles.insert(name("a"), Why::Gone(name("a")));
    library.add_name(key(1), NameRecord::new(name("a"), None, Wanting::default()));
    let resource = library.get(key(1)).unwrap();
    let names: Vec<(&str, bool)> = resource
        .record
        .names
        .iter()
        .map(|record| (record.name.as_str(), record.published.is_some()))
        .collect();
    assert_eq!((names, resource.troubles.len()), (vec![("b", true), ("a", false)], 0));
    assert_eq!(library.key_of(&name("a")), Some(key(1)));
}

#[test]
fn all_are_walked_through_in_slices() {
    let maker = Maker::new();
    let library = library(&maker, &[(1, &["a"]), (2, &["b"]), (3, &["c"])]);
    let after = |last| library.after(last).map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(library.iter().map(|(key, _)| key).collect::<Vec<_>>(), after(None));
    assert_eq!(after(None), [key(1), key(2), key(3)]);
    assert_eq!(after(Some(key(1))), [key(2), key(3)]);
    assert_eq!(after(Some(key(3))), []);
}

#[test]
fn only_what_stirs_is_touched_and_once_more_after_it_came_to_rest() {
    let maker = Maker::new();
    let mut library = library(&maker, &[(1, &["a"]), (2, &["b"])]);
    let start = Instant::now();
    let touched = |library: &mut Library| {
        library.take_touched().iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert!(!library.sample(start));
    assert_eq!(touched(&mut library), ["a", "b"]);
    let traffic = library.get(key(2)).unwrap().traffic.clone(); // a chunk of it is on its way
    assert!(!library.sample(start + Duration::from_secs(4)));
    assert_eq!(touched(&mut library), ["a", "b"], "a came to rest just now");
    assert_eq!(touched(&mut library), ["b"]);
    traffic.sent.store(1_000_000, Ordering::Relaxed);
    assert!(library.sample(start + Duration::from_secs(5)), "b is sent");
    drop(traffic);
    for s in [9, 13] {
        library.sample(start + Duration::from_secs(s));
    }
    assert_eq!((touched(&mut library), touched(&mut library)), (vec!["b".to_owned()], Vec::new()));
    [1, 9].into_iter().for_each(|id| library.stir(key(id)));
    assert_eq!(touched(&mut library), ["a"]);
    library.get_mut(key(2));
    assert_eq!(touched(&mut library), ["a", "b"]);
}

#[test]
fn what_is_due_some_time_does_not_come_to_rest() {
    let maker = Maker::new();
    let mut library = Library::default();
    let hashes = Phase::Checking(Checking::new(CheckStep::Hashes));
    library.insert(maker.resource(1, &[("a", true)], hashes));
    let start = Instant::now();
    (0..20).for_each(|s| _ = library.sample(start + Duration::from_secs(s)));
    assert_eq!(library.stirring().count(), 1);
}
