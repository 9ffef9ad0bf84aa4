//! Tests of what the status says about a resource.

use super::*;
use shared::rpc::control::{TaskId, TaskState};
use shared::swarm::{SwarmStatus, Time, Waiting};
use std::fs;
use std::sync::atomic::Ordering;

/// A daemon with a complete file of three chunks whose second one was damaged on disk, and checked since.
async fn damaged() -> Rig {
    let (mut rig, bytes) = (Rig::new(), bytes(3));
    rig.finished(&manifest_of("x", &bytes), &bytes).await;
    let file = fs::File::options().write(true).open(rig.file("x")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"wrong", u64::from(CHUNK_BYTES) + 99).unwrap();
    let verify = |reply| Command::Verify { what: "x".to_owned(), by: user(1000), reply };
    let task: TaskId = rig.ask(verify).await.unwrap();
    let mut state = rig.ask(|reply| Command::Task { task, reply }).await.unwrap();
    let over = state.wait_for(|state| !matches!(state, TaskState::Running { .. }));
    let over = rig.answers(async { over.await.unwrap().clone() }).await;
    assert!(matches!(over, TaskState::Verified { chunks_good: 2, chunks_total: 3, .. }), "{over:?}");
    rig
}

#[tokio::test]
async fn a_damaged_file_has_the_chunks_that_are_right() {
    let rig = damaged().await;
    let status = rig.driver.status(Some("x")).unwrap().remove(0);
    assert_eq!(status.state, State::Error);
    assert_eq!((status.chunks_have, status.chunks_total), (2, 3));
    let reason = status.reason.unwrap();
    assert!(reason.starts_with("x is damaged or was changed (1 of 3 chunks differs)"), "{reason}");
}

#[tokio::test]
async fn a_word_that_looks_like_the_beginning_of_an_id_is_told_how_long_that_must_be() {
    let rig = Rig::new();
    for (word, expected) in [
        ("4c47b3", "`ttctl list` shows what is here; an id needs at least 8 of its digits"),
        ("4c47b3e8", "`ttctl list` shows what is here"),
        ("lab.img", "`ttctl list` shows what is here"),
    ] {
        let error = rig.driver.status(Some(word)).unwrap_err();
        assert_eq!((error.kind, error.hint.as_deref()), (ErrorKind::Unknown, Some(expected)), "{word}");
    }
}

#[tokio::test]
async fn a_moment_between_two_requests_is_no_standstill() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    let told = |driver: &Driver, waiting: Waiting| {
        let swarm = SwarmStatus {
            have: 1,
            count: manifest.count(),
            in_flight: 0,
            verifying: 0,
            peers: 2,
            seeders: 1,
            asked: 0,
            moved_at: Time::default(),
            waiting: Some(waiting),
        };
        let resource = driver.library.get(manifest.key()).unwrap();
        let (state, reason, _) = driver.fetching_state(resource, Some(&swarm));
        (state, reason.here)
    };
    let moments = [Waiting::Busy { peers: 2 }, Waiting::Zone, Waiting::Turn];
    for waiting in moments.clone() {
        let (state, reason) = told(&rig.driver, waiting);
        assert!(state == State::Waiting && reason.is_some(), "nothing comes: {reason:?}");
    }
    let begin = Instant::now();
    rig.driver.library.sample(begin);
    let traffic = rig.driver.library.get(manifest.key()).unwrap().traffic.clone();
    traffic.received.fetch_add(u64::from(CHUNK_BYTES), Ordering::Relaxed);
    rig.driver.library.sample(begin + Duration::from_secs(1));
    for waiting in moments {
        assert_eq!(told(&rig.driver, waiting), (State::Downloading, None));
    }
    let (state, reason) = told(&rig.driver, Waiting::NoPeers { known: 1 });
    assert_eq!(state, State::Waiting, "what has come to an end is told at once");
    assert_eq!(reason.as_deref(), Some("the only known peer is unreachable"));
}
