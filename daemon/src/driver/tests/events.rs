//! Tests of the events that followers receive, and of the date when a name was added.

use super::*;
use shared::rpc::control::{FileEvent, Happening};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The events after this one, as words: "accepted x".
async fn events(driver: &Driver, after: u64) -> Vec<String> {
    let page = driver.context.events.read(Some(after), Duration::ZERO).await;
    let word = |event: &Happening| match event {
        Happening::File { name, what: FileEvent::Complete { bytes, received, sources, .. }, .. } => {
            format!("complete {name}: {received} of {bytes} B from {sources}")
        }
        Happening::File { name, what, .. } => format!("{what:?} {name}").to_lowercase(),
        Happening::Tracker { what, .. } => format!("{what:?}"),
    };
    page.events.iter().map(|happened| word(&happened.event)).collect()
}

#[tokio::test]
async fn a_download_and_what_becomes_of_it_is_told_also_when_nobody_reads_snapshots() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    assert_eq!(rig.driver.context.snapshots.receiver_count(), 0);
    rig.get(&manifest, false).await.unwrap();
    assert!(rig.driver.next_snapshot_at(Instant::now()).is_some(), "the loop makes one by itself");
    rig.driver.show_news();
    assert_eq!(events(&rig.driver, 0).await, ["accepted x"]);
    rig.receive(&manifest, &bytes);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    rig.driver.show_news();
    let complete = format!("complete x: {0} of {0} B from 1", bytes.len());
    assert_eq!(events(&rig.driver, 1).await, [complete]);
    rig.ask(|reply| Command::Pause { what: "x".to_owned(), reply }).await.unwrap();
    rig.driver.show_news();
    rig.ask(|reply| Command::Resume { what: "x".to_owned(), reply }).await.unwrap();
    rig.driver.show_news();
    let (what, by) = ("x".to_owned(), user(1000));
    rig.ask(|reply| Command::Remove { what, delete: true, by, reply }).await.unwrap();
    rig.driver.show_news();
    assert_eq!(events(&rig.driver, 2).await, ["paused x", "resumed x", "removed x"]);
}

#[tokio::test]
async fn when_a_name_was_added_is_known_after_a_restart_which_is_no_event() {
    let (mut rig, bytes) = (Rig::new(), bytes(1));
    let manifest = manifest_of("x", &bytes);
    rig.finished(&manifest, &bytes).await;
    let added = rig.driver.status(Some("x")).unwrap()[0].added_at_ms;
    assert!(added.is_some());
    let Rig { driver, folder, .. } = rig;
    driver.end().await;
    let mut rig = Rig::on(folder);
    rig.until("it is served again", |driver| is_seeding(driver, &manifest)).await;
    assert_eq!(rig.driver.status(Some("x")).unwrap()[0].added_at_ms, added);
    rig.driver.show_news();
    assert!(events(&rig.driver, 0).await.is_empty());
}

#[tokio::test]
async fn what_was_received_of_removed_files_stays_in_the_totals() {
    let (mut rig, bytes) = (Rig::new(), bytes(1));
    let manifest = manifest_of("x", &bytes);
    rig.finished(&manifest, &bytes).await;
    let traffic = rig.driver.library.get(manifest.key()).unwrap().traffic.clone();
    traffic.received.fetch_add(70, Ordering::Relaxed);
    traffic.sent.fetch_add(7, Ordering::Relaxed);
    let overview = rig.driver.overview();
    assert_eq!((overview.traffic, overview.states), ((70, 7), vec![(State::Seeding, 1)]));
    let (what, by) = ("x".to_owned(), user(1000));
    rig.ask(|reply| Command::Remove { what, delete: true, by, reply }).await.unwrap();
    let overview = rig.driver.overview();
    assert_eq!((overview.traffic, overview.states), ((70, 7), Vec::new()));
}

/// Sets the time at which the only name of a resource was added.
fn added_at_ms(rig: &mut Rig, manifest: &Manifest, added_at_ms: u64) {
    let resource = rig.driver.library.get_mut(manifest.key()).unwrap();
    resource.record.names[0].added_at_ms = added_at_ms;
    rig.driver.saver.save(&resource.slot, &resource.record);
}

#[tokio::test]
async fn what_a_former_run_had_is_no_event_even_if_the_clock_was_ahead_then() {
    let (mut rig, bytes) = (Rig::new(), bytes(1));
    let manifest = manifest_of("x", &bytes);
    rig.finished(&manifest, &bytes).await;
    added_at_ms(&mut rig, &manifest, u64::MAX);
    let Rig { driver, folder, .. } = rig;
    driver.end().await;
    let mut rig = Rig::on(folder);
    rig.until("it is served again", |driver| is_seeding(driver, &manifest)).await;
    rig.driver.show_news();
    assert!(events(&rig.driver, 0).await.is_empty());
}

#[tokio::test]
async fn what_this_run_began_is_an_event_even_if_the_clock_was_put_back_since() {
    let (mut rig, bytes) = (Rig::new(), bytes(1));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    added_at_ms(&mut rig, &manifest, 1);
    rig.driver.show_news();
    assert_eq!(events(&rig.driver, 0).await, ["accepted x"]);
}

#[tokio::test]
async fn of_a_download_over_a_restart_only_what_came_since_is_counted() {
    let (mut rig, bytes) = (Rig::new(), bytes(3));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    let chunk = |index: usize| bytes.chunks(CHUNK_BYTES as usize).nth(index).unwrap().to_vec().into();
    let take = |rig: &mut Rig, index: usize| {
        let (download, place) = (rig.download(manifest.key()), ChunkIndex(index as u32));
        download.store(place, chunk(index)).unwrap();
        rig.driver.handle(taken(&download, place));
    };
    take(&mut rig, 0);
    let Rig { driver, folder, .. } = rig;
    driver.end().await;
    let mut rig = Rig::on(folder);
    let waited = Instant::now();
    // bytes that are on their way or came in vain are traffic, and nothing that was fetched
    rig.driver.library.get(manifest.key()).unwrap().traffic.received.store(1 << 40, Ordering::Relaxed);
    take(&mut rig, 1);
    take(&mut rig, 2);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    rig.driver.show_news();
    let came = bytes.len() - CHUNK_BYTES as usize;
    assert_eq!(events(&rig.driver, 0).await, [format!("complete x: {came} of {} B from 1", bytes.len())]);
    let fetched = rig.driver.library.get(manifest.key()).unwrap().fetched.clone().unwrap();
    assert!(fetched.took > Duration::ZERO && fetched.took <= waited.elapsed(), "{fetched:?}");
}

#[tokio::test]
async fn a_file_that_is_only_compared_is_not_told_to_be_complete() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    std::fs::write(rig.file("x"), "something else").unwrap();
    rig.get(&manifest, true).await.unwrap();
    rig.driver.show_news();
    assert_eq!(events(&rig.driver, 0).await, ["accepted x"]);
    let is_fetching =
        |driver: &Driver| matches!(driver.library.get(manifest.key()).unwrap().phase, Phase::Fetching(_));
    rig.until("it is fetched", is_fetching).await;
    rig.receive(&manifest, &bytes);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    rig.driver.show_news();
    assert_eq!(events(&rig.driver, 1).await, [format!("complete x: {0} of {0} B from 1", bytes.len())]);
}

#[tokio::test]
async fn a_copy_under_another_name_was_not_fetched() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let [one, two] = ["one", "two"].map(|name| manifest_of(name, &bytes));
    rig.finished(&one, &bytes).await;
    rig.driver.show_news();
    rig.get(&two, false).await.unwrap();
    rig.until("the copy is there", |driver| is_seeding(driver, &two)).await;
    rig.driver.show_news();
    let all = bytes.len();
    let told = [
        "accepted one".to_owned(),
        format!("complete one: {all} of {all} B from 1"),
        "accepted two".to_owned(),
        format!("complete two: 0 of {all} B from 0"),
    ];
    assert_eq!(events(&rig.driver, 0).await, told);
}

#[tokio::test]
async fn a_file_that_is_made_again_from_a_copy_was_not_fetched_again() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let [one, two] = ["one", "two"].map(|name| manifest_of(name, &bytes));
    rig.finished(&one, &bytes).await;
    rig.get(&two, false).await.unwrap();
    rig.until("the copy is there", |driver| is_seeding(driver, &two)).await;
    std::fs::remove_file(rig.file("one")).unwrap();
    rig.driver.check(one.key());
    rig.until("it is missed", |driver| driver.status(Some("one")).unwrap()[0].state == State::Error).await;
    rig.until("the other one is served", |driver| is_seeding(driver, &two)).await;
    rig.driver.show_news();
    let before = rig.driver.context.events.read(None, Duration::ZERO).await.newest;
    let (wanted, (reply, _)) = (Wanted::known(one.clone(), false, user(1000)), oneshot::channel());
    rig.driver.handle(Input::Command(Command::Get { wanted, reply }));
    while !is_seeding(&rig.driver, &one) {
        // The events are found by comparing what is shown, so each state is shown.
        let input = tokio::time::timeout(CAP, rig.inputs.recv()).await.expect("it is there again").unwrap();
        rig.driver.handle(input);
        rig.driver.show_news();
    }
    let told = events(&rig.driver, before).await;
    assert!(told.contains(&format!("complete one: 0 of {} B from 0", bytes.len())), "{told:?}");
}
