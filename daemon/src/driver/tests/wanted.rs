//! Tests of requests from inside the daemon, and of who wants a name.

use super::*;
use crate::inbox::{Hit, Requests, TaskInput, ToShare};
use shared::rpc::control::TaskState;
use shared::wanted::WANTED_BY_MAX;
use std::fs;

impl Rig {
    async fn get_by(&mut self, manifest: &Manifest, by: WantedBy) -> Accepted {
        let wanted = Wanted::known(manifest.clone(), true, by);
        self.ask(|reply| Command::Get { wanted, reply }).await.unwrap()
    }

    async fn remove_by(&mut self, name: &str, by: WantedBy) -> usize {
        let what = name.to_owned();
        self.ask(|reply| Command::Remove { what, delete: true, by, reply }).await.unwrap().len()
    }
}

/// Who wants a name, as text; `None` if the name is not here.
fn wanted_by(driver: &Driver, name: &str) -> Option<Vec<String>> {
    let status = driver.status(Some(name)).ok()?;
    Some(status[0].wanted_by.iter().map(ToString::to_string).collect())
}

fn subscription(pattern: &str) -> WantedBy {
    WantedBy::Subscription(pattern.to_owned())
}

/// The same resource with another, false list of its chunks.
fn false_list(manifest: &Manifest) -> Manifest {
    let hashes = manifest.hashes().iter().map(|_| ChunkHash::of(b"something else")).collect();
    let (name, trackers) = (manifest.name().clone(), manifest.trackers().to_vec());
    Manifest::new(name, manifest.resource(), trackers, hashes).unwrap()
}

#[tokio::test]
async fn a_request_from_inside_does_what_a_callers_does() {
    for by in [user(1000), WantedBy::Watch] {
        let (mut rig, words) = (Rig::new(), Some(vec![by.to_string()]));
        let requests = Requests::new(&rig.driver.context);
        let (shared, fetched) = (bytes(1), bytes(2));
        let manifest = manifest_of("fetched", &fetched);

        fs::write(rig.file("shared"), &shared).unwrap();
        let (name, trackers) = ("shared".parse().unwrap(), manifest.trackers().to_vec());
        let request = ToShare { name, trackers, replace: true, bytes: 0, data_bytes: 0, tree: None, lost: Vec::new(), by: by.clone(), to_be_signed: false };
        let task = rig.answers(requests.share(request)).await.unwrap();
        let state = rig.answers(requests.task(task, CAP)).await.unwrap();
        assert!(matches!(state, TaskState::Shared(_)), "{state:?}");
        assert!(is_seeding(&rig.driver, &manifest_of("shared", &shared)));

        let wanted = Wanted::known(manifest.clone(), false, by.clone());
        let accepted = rig.answers(requests.get(wanted)).await.unwrap();
        assert!(!accepted.complete);
        rig.receive(&manifest, &fetched);
        rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
        let manner = Manner { replace: false, reuse: true, as_file: false, links_outside: false, is_copied: false, allows_older: false };
        let local = requests.find_locally("fetched".to_owned(), manner, by.clone());
        assert!(rig.answers(local).await.unwrap().complete);
        for name in ["shared", "fetched"] {
            assert_eq!(wanted_by(&rig.driver, name), words);
        }

        let what = || "fetched".to_owned();
        assert_eq!(rig.answers(requests.pause(what())).await.unwrap().len(), 1);
        let status = rig.answers(requests.status(Some(what()))).await.unwrap();
        assert_eq!(status[0].state, State::Paused);
        assert_eq!(rig.answers(requests.resume(what())).await.unwrap().len(), 1);
        let task = rig.answers(requests.verify(what())).await.unwrap();
        let state = rig.answers(requests.task(task, CAP)).await.unwrap();
        assert!(matches!(state, TaskState::Verified { chunks_good: 2, chunks_total: 2, .. }), "{state:?}");
        assert_eq!(rig.answers(requests.inspect(what())).await.unwrap()[0].state, State::Seeding);
        assert_eq!(rig.answers(requests.peers(what())).await.unwrap(), []);
        assert_eq!(rig.answers(requests.watch(None)).await.unwrap().resources.len(), 2);

        assert_eq!(rig.answers(requests.remove(what(), true, by)).await.unwrap().len(), 1);
        rig.driver.saver.idle().await;
        assert!(!rig.file("fetched").exists() && rig.file("shared").exists());
        let refused = rig.answers(requests.inspect(what())).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Unknown);
    }
}

#[tokio::test]
async fn a_request_for_what_no_tracker_knows_says_whether_chunks_may_be_reused() {
    for reuse in [true, false] {
        let (mut rig, content) = (Rig::new(), bytes(2));
        let requests = Requests::new(&rig.driver.context);
        let donor = [&content[..CHUNK_BYTES as usize], &content].concat();
        let (manifest, other) = (manifest_of("x", &content), manifest_of("y", &donor));
        rig.finished(&manifest, &content).await;
        rig.finished(&other, &donor).await;
        fs::remove_file(rig.file("x")).unwrap();
        let manner = Manner { replace: false, reuse, as_file: false, links_outside: false, is_copied: false, allows_older: false };
        let local = requests.find_locally("x".to_owned(), manner, user(1000));
        assert!(!rig.answers(local).await.unwrap().complete);
        if reuse {
            rig.until("it is made of the other file", |driver| is_seeding(driver, &manifest)).await;
            continue;
        }
        rig.until("it joins its swarm", |driver| driver.machine.status(manifest.key()).is_some()).await;
        assert!(rig.driver.library.get(manifest.key()).unwrap().record.no_reuse);
        assert_eq!(rig.driver.status(Some("x")).unwrap()[0].chunks_have, 0);
        rig.receive(&manifest, &content);
        rig.until("it is fetched", |driver| is_seeding(driver, &manifest)).await;
    }
}

#[tokio::test]
async fn who_wants_a_name_outlasts_a_restart() {
    let (mut rig, content) = (Rig::new(), bytes(2));
    let (one, two) = (manifest_of("one", &content), manifest_of("two", &content));
    rig.get_by(&one, WantedBy::User { uid: 1000, name: Some("alice".to_owned()) }).await;
    rig.get_by(&one, subscription("o*")).await;
    rig.get_by(&two, user(1234)).await;
    rig.receive(&one, &content);
    rig.until("it is published", |driver| is_seeding(driver, &one) && is_seeding(driver, &two)).await;
    rig.get_by(&two, WantedBy::Watch).await;
    rig.driver.saver.idle().await;
    let folder = rig.folder.clone();
    drop(rig);
    let rig = Rig::on(folder);
    let words = |words: [&str; 2]| Some(words.map(str::to_owned).to_vec());
    assert_eq!(wanted_by(&rig.driver, "one"), words(["alice", "subscription o*"]));
    assert_eq!(wanted_by(&rig.driver, "two"), words(["uid 1234", "directory watch"]));
}

#[tokio::test]
async fn however_many_want_a_name_few_are_remembered() {
    let (mut rig, bytes) = (Rig::new(), bytes(1));
    let manifest = manifest_of("x", &bytes);
    for uid in 0..3 * WANTED_BY_MAX as u32 {
        rig.get_by(&manifest, user(uid)).await;
    }
    let words = wanted_by(&rig.driver, "x").unwrap();
    assert_eq!(words.len(), WANTED_BY_MAX);
    assert_eq!((words[0].as_str(), words.last().unwrap().as_str()), ("uid 0", "others"));
}

#[tokio::test]
async fn a_name_goes_when_nobody_wants_it_any_more_or_a_user_says_so() {
    let (mut rig, bytes) = (Rig::new(), bytes(1));
    let manifest = manifest_of("x", &bytes);
    let all = [subscription("*"), subscription("x"), WantedBy::Watch];
    for by in &all {
        rig.get_by(&manifest, by.clone()).await;
    }
    rig.receive(&manifest, &bytes);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert_eq!(rig.remove_by("x", WantedBy::Found).await, 0);
    assert_eq!(rig.remove_by("x", all[0].clone()).await, 0);
    assert_eq!(rig.remove_by("x", all[2].clone()).await, 0);
    assert!(is_seeding(&rig.driver, &manifest) && rig.file("x").exists());
    assert_eq!(wanted_by(&rig.driver, "x"), Some(vec!["subscription x".to_owned()]));
    rig.driver.saver.idle().await;
    let loaded = rig.driver.home.slot(manifest.key()).load(&rig.driver.home).unwrap();
    assert_eq!(loaded.record.names[0].wanted_by.iter().count(), 1, "it is on disk");
    assert_eq!(rig.remove_by("x", all[1].clone()).await, 1);
    assert!(wanted_by(&rig.driver, "x").is_none() && !rig.file("x").exists());

    for by in &all {
        rig.get_by(&manifest, by.clone()).await;
    }
    assert_eq!(rig.remove_by("x", user(1000)).await, 1);
    assert_eq!(wanted_by(&rig.driver, "x"), None);
}

#[tokio::test]
async fn those_who_want_a_name_want_what_takes_its_place() {
    let (mut rig, old, new) = (Rig::new(), bytes(1), bytes(2));
    let (was, wanted) = (manifest_of("x", &old), manifest_of("x", &new));
    rig.finished(&was, &old).await;
    rig.get_by(&wanted, subscription("*")).await;
    let both = Some(vec!["uid 1000".to_owned(), "subscription *".to_owned()]);
    assert_eq!(wanted_by(&rig.driver, "x"), both);
    rig.until("it is fetched", |driver| {
        matches!(driver.library.get(wanted.key()).unwrap().phase, Phase::Fetching(_))
    })
    .await;
    rig.receive(&wanted, &new);
    rig.until("it is replaced", |driver| is_seeding(driver, &wanted)).await;
    assert_eq!(wanted_by(&rig.driver, "x"), both);
    assert_eq!(rig.remove_by("x", subscription("*")).await, 0, "a user wants it");
}

#[tokio::test]
async fn what_nobody_asked_for_was_found_in_the_folder() {
    let root = Arc::new(tempfile::tempdir().unwrap());
    let home = Home::open(root.path()).unwrap();
    let (bytes, manifest) = (bytes(1), manifest_of("x", &bytes(1)));
    fs::write(home.file(manifest.name()), &bytes).unwrap();
    fs::write(home.manifest_file(manifest.name()), manifest.to_text()).unwrap();
    let mut rig = Rig::with(root, home);
    rig.driver.shown(Ok(vec![manifest.name().clone()]));
    rig.until("it is served", |driver| is_seeding(driver, &manifest)).await;
    assert_eq!(wanted_by(&rig.driver, "x"), Some(vec!["found in the shared directory".to_owned()]));
}

/// The trackers named the true list of a resource that was fetched with another one.
fn named(rig: &mut Rig, was: &Manifest, manifest: &Manifest) {
    let (shared_at_ms, tracker) = (5, manifest.trackers()[0].clone());
    let hit = Hit { manifest: manifest.clone(), shared_at_ms, tracker, signature: None };
    rig.driver.another(was.key(), Some(Box::new(hit)));
}

#[tokio::test]
async fn another_list_takes_the_place_of_a_false_one_for_those_who_want_the_name() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    let was = false_list(&manifest);
    rig.get_by(&was, user(1234)).await;
    named(&mut rig, &was, &manifest);
    rig.until("it takes the place", |driver| {
        let resource = driver.library.get(manifest.key());
        resource.is_some_and(|resource| matches!(resource.phase, Phase::Fetching(_)))
    })
    .await;
    assert!(rig.driver.library.get(was.key()).is_none());
    assert_eq!(wanted_by(&rig.driver, "x"), Some(vec!["uid 1234".to_owned()]));
}

#[tokio::test]
async fn what_was_removed_while_another_list_was_looked_at_does_not_come_back() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    let was = false_list(&manifest);
    rig.get_by(&was, user(1234)).await;
    named(&mut rig, &was, &manifest);
    let (what, by) = ("x".to_owned(), user(1234));
    let (reply, removed) = oneshot::channel();
    rig.driver.handle(Input::Command(Command::Remove { what, delete: false, by, reply }));
    let looked_at = async {
        loop {
            let input = rig.inputs.recv().await.unwrap();
            let is_last = matches!(input, Input::Task(TaskInput::Asked { .. }));
            rig.driver.handle(input);
            if is_last {
                return;
            }
        }
    };
    tokio::time::timeout(CAP, looked_at).await.expect("it is looked at");
    assert_eq!(removed.await.unwrap().unwrap().len(), 1);
    rig.driver.saver.idle().await;
    let place = rig.driver.home.slot(manifest.key()).part();
    assert!(!place.parent().unwrap().exists(), "what was removed is fetched again");
}

/// A download whose list turned out to be false, while another list is being looked for.
async fn disproved(rig: &mut Rig, manifest: &Manifest) -> Manifest {
    let was = false_list(manifest);
    rig.get_by(&was, user(1234)).await;
    rig.driver.fail_resource(was.key(), Why::FalseManifest);
    assert!(rig.driver.lists.begin(was.key(), Instant::now()));
    was
}

#[tokio::test]
async fn whoever_waits_does_not_see_an_error_while_another_list_takes_the_place_of_a_false_one() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    let was = disproved(&mut rig, &manifest).await;
    named(&mut rig, &was, &manifest);
    rig.until("it takes the place", |driver| {
        let state = driver.status(Some("x")).unwrap()[0].state;
        assert_ne!(state, State::Error);
        driver.library.get(manifest.key()).is_some() && !driver.lists.is_looking(manifest.resource())
    })
    .await;
}

#[tokio::test]
async fn a_list_that_was_to_give_way_keeps_its_name_when_the_other_one_may_not_come() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    let was = disproved(&mut rig, &manifest).await;
    let long_ago = Instant::now() - Duration::from_secs(10);
    rig.driver.folder.asked(1, long_ago);
    assert!(rig.driver.must_answer().is_err(), "nothing new begins");
    named(&mut rig, &was, &manifest);
    assert!(rig.driver.library.get(was.key()).unwrap().gives_way);
    rig.until("it was refused", |driver| !driver.lists.is_looking(manifest.resource())).await;
    assert!(!rig.driver.library.get(was.key()).unwrap().gives_way);
}
