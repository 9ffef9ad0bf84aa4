//! Tests that idle resources cost nothing, however many there are.

use super::*;
use crate::inbox::Requests;
use crate::library::Resource;
use crate::store::{FileIdentity, NameRecord, PublishedFile, Record};
use crate::watch::SLICE_MAX;
use shared::chunk::ChunkIndex;
use shared::swarm::Event;

#[tokio::test]
async fn a_finished_resource_comes_to_rest_and_stirs_when_it_is_wanted() {
    let mut rig = Rig::new();
    let bytes = bytes(2);
    let manifest = manifest_of("x", &bytes);
    rig.finished(&manifest, &bytes).await;
    let later = Instant::now() + Duration::from_secs(60);
    let sample = |driver: &mut Driver, s| driver.library.sample(later + Duration::from_secs(s));
    sample(&mut rig.driver, 0);
    assert!(!sample(&mut rig.driver, 4), "nothing moves");
    assert_eq!(rig.driver.library.stirring().count(), 0);

    rig.driver.serve(AskId(7), manifest.key(), ChunkIndex(0));
    assert_eq!(rig.driver.library.stirring().count(), 1);
    let traffic = rig.driver.library.get(manifest.key()).unwrap().traffic.clone();
    sample(&mut rig.driver, 5);
    traffic.sent.fetch_add(4000, std::sync::atomic::Ordering::Relaxed);
    assert!(sample(&mut rig.driver, 7), "it is uploaded");
    assert_eq!(rig.driver.status(None).unwrap()[0].upload_bytes_per_s, 2000);
    sample(&mut rig.driver, 60);
    sample(&mut rig.driver, 90);
    assert_eq!(rig.driver.library.stirring().count(), 1, "a chunk is still on its way");
    assert_eq!(rig.driver.status(None).unwrap()[0].upload_bytes_per_s, 0);
    drop(traffic);
    sample(&mut rig.driver, 120);
    assert_eq!(rig.driver.library.stirring().count(), 0, "the chunk was sent");
}

#[tokio::test]
async fn a_request_whose_end_comes_before_it_is_not_remembered() {
    let mut rig = Rig::new();
    let bytes = bytes(1);
    let manifest = manifest_of("x", &bytes);
    rig.finished(&manifest, &bytes).await;
    rig.driver.ask_ended(AskId(7), AskEnd::TakenBack);
    let (answer, gone) = tokio::sync::oneshot::channel();
    drop(gone);
    let peer = "127.0.0.1:2".parse().unwrap();
    let event = Event::ChunkAsked { ask: AskId(7), peer, key: manifest.key(), index: ChunkIndex(0) };
    rig.driver.handle(Input::Ask { ask: AskId(7), event, answer });
    rig.driver.serve(AskId(7), manifest.key(), ChunkIndex(0));
    assert_eq!(rig.driver.uploads.unanswered(), 0);
}

#[tokio::test]
async fn files_that_are_served_are_looked_at_a_slice_at_a_time_and_all_of_them() {
    let (mut rig, count) = (Rig::new(), SLICE_MAX + 300);
    for at in 0..count {
        let manifest = manifest_of(&format!("gone-{at}"), &at.to_le_bytes());
        let identity = FileIdentity::at(rig.folder.path()).unwrap();
        let name = NameRecord::new(manifest.name().clone(), Some(identity), Default::default());
        let key = manifest.key();
        let record = Record { origin: true, ..Record::wanted(key, None, 1, name) };
        let path = rig.file(manifest.name().as_str());
        let phase = Phase::Seeding(Arc::new(PublishedFile {
            manifest: manifest.clone(),
            path,
            identity,
            tree: None,
        }));
        let slot = rig.driver.home.slot(key);
        rig.driver.library.insert(Resource::new(manifest, record, slot, phase));
    }
    let found = |driver: &Driver| {
        let gone = |resource: &Resource| !matches!(resource.phase, Phase::Seeding(_));
        driver.library.iter().filter(|(_, resource)| gone(resource)).count()
    };
    rig.driver.look_at_files();
    rig.until("a slice was looked at", |driver| found(driver) == SLICE_MAX).await;
    rig.driver.look_at_files();
    rig.until("all were looked at", |driver| found(driver) == count).await;
    assert_eq!(rig.driver.slices.last(), None, "and again from the first one on");
}

#[tokio::test]
async fn a_snapshot_shows_what_was_done_before_it_and_is_shared_for_a_while() {
    let mut rig = Rig::new();
    let bytes = bytes(1);
    rig.finished(&manifest_of("one", &bytes), &bytes).await;
    let first = rig.driver.snapshot_for(None).unwrap();
    let again = rig.driver.snapshot_for(None).unwrap();
    assert!(Arc::ptr_eq(&first, &again), "nothing has changed");
    rig.get(&manifest_of("two", &[7; 100]), false).await.unwrap();
    let second = rig.driver.snapshot_for(None).unwrap();
    assert_eq!(second.of(None).len(), 2, "what somebody did is seen by whoever asks afterwards");
    assert_eq!(second.of(None), rig.driver.status(None).unwrap());
    assert!(second.is_news(Some("two"), first.number()));
    assert!(!second.is_news(Some("one"), first.number()));
    rig.driver.remove("two", false, &user(1000)).unwrap();
    assert!(rig.driver.snapshot_for(Some("two")).is_err());
    assert_eq!(rig.driver.snapshot_for(None).unwrap().of(None), rig.driver.status(None).unwrap());
}

#[tokio::test]
async fn snapshots_are_published_soon_while_somebody_reads_and_once_per_second_otherwise() {
    let mut rig = Rig::new();
    rig.get(&manifest_of("one", &[7; 100]), false).await.unwrap();
    let number = |rig: &Rig| rig.driver.context.snapshots.borrow().number();
    let made = Instant::now();
    rig.driver.publish_news(made);
    assert_eq!(number(&rig), 1, "for the sake of the events");
    rig.driver.resume("one").unwrap();
    rig.driver.pause("one").unwrap();
    rig.driver.publish_news(made + Duration::from_millis(950));
    assert_eq!(number(&rig), 1, "nobody reads");
    let mut reader = rig.driver.context.snapshots.subscribe();
    rig.driver.publish_news(made + Duration::from_millis(950));
    assert_eq!(number(&rig), 2, "somebody reads");
    rig.driver.resume("one").unwrap();
    rig.driver.publish_news(Instant::now() + CAP / 2);
    assert_eq!(reader.borrow_and_update().of(None), rig.driver.status(None).unwrap());
    rig.driver.publish_news(Instant::now() + CAP);
    assert!(!reader.has_changed().unwrap(), "nothing has changed");
    rig.driver.pause("one").unwrap();
    rig.driver.publish_news(Instant::now() + CAP);
    assert_eq!(reader.borrow_and_update().of(Some("one"))[0].state, State::Paused);
    rig.driver.remove("one", false, &user(1000)).unwrap();
    rig.driver.publish_news(Instant::now() + 2 * CAP);
    assert!(reader.borrow_and_update().of(None).is_empty());
}

#[tokio::test]
async fn a_name_that_gets_another_resource_does_not_leave_the_snapshots_in_between() {
    let mut rig = Rig::new();
    for name in ["one", "two"] {
        rig.get(&manifest_of(name, name.as_bytes()), false).await.unwrap();
    }
    let mut reader = rig.driver.context.snapshots.subscribe();
    rig.driver.snapshot_for(None).unwrap();
    rig.driver.forget_name(&"one".parse().unwrap(), None);
    rig.driver.snapshot_for(Some("two")).unwrap();
    assert_eq!(reader.borrow_and_update().of(Some("one")).len(), 1, "no snapshot was due");
    rig.get(&manifest_of("one", b"other content"), false).await.unwrap();
    rig.driver.publish_news(Instant::now() + CAP);
    assert_eq!(reader.borrow_and_update().of(Some("one")).len(), 1);
    rig.driver.forget_name(&"one".parse().unwrap(), None);
    rig.driver.publish_news(Instant::now() + 2 * CAP);
    assert!(reader.borrow_and_update().of(Some("one")).is_empty());
}

#[tokio::test]
async fn whoever_watches_what_is_in_no_snapshot_yet_waits_for_it_and_is_not_told_that_it_is_gone() {
    let mut rig = Rig::new();
    rig.get(&manifest_of("one", b"one"), false).await.unwrap();
    let reader = rig.driver.context.snapshots.subscribe();
    let seen = rig.driver.snapshot_for(None).unwrap().number();
    let manifest = manifest_of("two", b"two");
    rig.get(&manifest, false).await.unwrap();
    let requests = Requests::new(&rig.driver.context);
    for what in ["two".to_owned(), manifest.resource().to_string()] {
        assert!(reader.borrow().of(Some(&what)).is_empty(), "no snapshot was due since");
        for wait in [Duration::ZERO, Duration::from_millis(1)] {
            let watched = requests.watch(reader.clone(), Some(what.clone()), seen, wait);
            assert_eq!(rig.answers(watched).await.unwrap().resources.len(), 1);
        }
    }
    rig.driver.remove("two", false, &user(0)).unwrap();
    let watched = requests.watch(reader.clone(), Some("two".to_owned()), seen, Duration::ZERO);
    assert!(rig.answers(watched).await.is_err());
}
