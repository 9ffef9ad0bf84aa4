//! Tests of what trackers say of newer versions and of sizes. These are claims of strangers: they change what the
//! status shows, and nothing else.

use super::*;
use crate::inbox::Found;
use shared::rpc::control::ResourceStatus;
use shared::rpc::tracker::Namesake;

/// What a tracker answers to an announce of this resource.
fn found(manifest: &Manifest, newer: Vec<Namesake>, bytes: Option<u64>) -> Input {
    Input::Found(Found {
        key: manifest.key(),
        peers: Vec::new(),
        seeds: true,
        conflict: false,
        newer,
        bytes,
        shared_at_ms: None,
        tracker: manifest.trackers()[0].clone(),
    })
}

/// A version of a name that was shared 12 minutes ago.
fn version(name: &str, number: u8) -> Namesake {
    Namesake {
        name: name.parse().unwrap(),
        resource: ResourceId([number; 32]),
        by: "10.0.0.1:7987".parse().unwrap(),
        shared_ago_ms: Some(720_000),
    }
}

fn status(rig: &Rig, name: &str) -> ResourceStatus {
    rig.driver.status(Some(name)).unwrap().remove(0)
}

#[tokio::test]
async fn a_complete_file_is_outdated_while_its_tracker_has_a_newer_version_of_its_name() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.finished(&manifest, &bytes).await;
    rig.driver.handle(found(&manifest, vec![version("x", 0x4c)], None));
    let told = status(&rig, "x");
    assert_eq!(told.state, State::Outdated);
    let reason = told.reason.unwrap();
    for part in
        ["tt://127.0.0.1:1 has a newer version of x: 4c4c4c4c…", "12 min ago", "`ttctl get --replace x`"]
    {
        assert!(reason.contains(part), "{part} is not in {reason}");
    }
    assert!(rig.driver.machine.status(manifest.key()).is_some(), "it is served as before");
    // another one, and then none
    rig.driver.handle(found(&manifest, vec![version("x", 0x5d)], None));
    assert!(status(&rig, "x").reason.unwrap().contains("5d5d5d5d…"));
    rig.driver.handle(found(&manifest, Vec::new(), None));
    assert_eq!(status(&rig, "x").state, State::Seeding);
    assert!(status(&rig, "x").reason.is_none_or(|reason| !reason.contains("newer")));
}

#[tokio::test]
async fn words_about_names_that_are_not_here_count_for_nothing() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.finished(&manifest, &bytes).await;
    let same = Namesake { resource: manifest.resource(), ..version("x", 1) };
    rig.driver.handle(found(&manifest, vec![version("another", 1), same], None));
    assert_eq!(status(&rig, "x").state, State::Seeding);
    assert!(rig.driver.library.get(manifest.key()).unwrap().newer.is_empty());
}

#[tokio::test]
async fn a_size_that_was_told_is_shown_until_the_true_one_is_known() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    for (told, shown) in [
        (Some(u64::MAX), None),
        (Some(1 << 20), None),
        (Some((1 << 20) + 1), Some((1 << 20) + 1)), // false, and it fits
        (None, Some((1 << 20) + 1)),
    ] {
        rig.driver.handle(found(&manifest, Vec::new(), told));
        let status = status(&rig, "x");
        assert_eq!((status.bytes_told, status.bytes_total), (shown, None), "{told:?}");
    }
    rig.receive(&manifest, &bytes);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    let status = status(&rig, "x");
    assert_eq!((status.bytes_told, status.bytes_total), (None, Some(bytes.len() as u64)));
}
