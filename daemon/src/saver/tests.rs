//! Tests of the order of jobs, also when one panics.

use super::*;
use crate::store::Disk;
use crate::store::faulty::{DiskFault, Faulty};
use shared::id::{ChunkHash, ResourceId};
use std::collections::BTreeSet;
use std::sync::mpsc;

fn manifest(bytes: &[u8]) -> Manifest {
    let trackers = vec!["tt://tracker.example".parse().unwrap()];
    Manifest::new("x".parse().unwrap(), ResourceId::of(bytes), trackers, vec![ChunkHash::of(bytes)]).unwrap()
}

fn record(manifest: &Manifest) -> Record {
    Record {
        key: manifest.key(),
        trackers: Vec::new(),
        shared_at_ms: 0,
        origin: false,
        claims: BTreeSet::new(),
        undated: BTreeSet::new(),
        paused: false,
        no_reuse: false,
        takes_from_older: false,
        as_file: false,
        links_outside: false,
        names: Vec::new(),
    }
}

fn shelf(home: &Home, manifest: Manifest) -> Shelf {
    Shelf { slot: home.slot(manifest.key()), record: record(&manifest), manifest, show: None }
}

#[test]
fn jobs_are_handed_over_in_the_order_in_which_they_were_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let home = Arc::new(Home::open(folder.path()).unwrap());
    let manifest = manifest(b"x");
    let (key, slot) = (manifest.key(), home.slot(manifest.key()));
    let (jobs, received) = mpsc::channel();
    let line = Line::start("saver", move |job| jobs.send(job).unwrap()).unwrap();
    let saver = Saver { line, unsaved: Unsaved::default() };
    let identity = FileIdentity::at(folder.path()).unwrap();
    let _shelved = saver.shelve(shelf(&home, manifest.clone()));
    saver.forget_have(&slot);
    saver.save(&slot, &record(&manifest));
    saver.tidy(&slot);
    let _idle = saver.idle();
    saver.hide_manifest(home.clone(), manifest);
    saver.remove_file(home.clone(), "x".parse().unwrap(), identity);
    saver.forget(key, &slot);
    drop(saver);
    let jobs: Vec<Job> = received.into_iter().collect();
    assert!(
        matches!(
            jobs.as_slice(),
            [
                Job::Shelve { .. },
                Job::ForgetHave { .. },
                Job::Save { .. },
                Job::Tidy { .. },
                Job::Answer { .. },
                Job::HideManifest { .. },
                Job::RemoveFile { .. },
                Job::Forget { key: forgotten, .. },
            ] if *forgotten == key
        ),
        "{jobs:?}"
    );
}

#[tokio::test]
async fn a_job_that_panics_keeps_none_of_the_others_from_being_done() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let disk = Arc::new(Faulty::new(&root.path().join("grave")));
    let home = Home::open_on(Disk::on(disk.clone()), &folder).unwrap();
    let (first, second) = (manifest(b"first"), manifest(b"second"));
    let saver = Saver::start();
    saver.shelve(shelf(&home, first.clone())).await.unwrap().unwrap();
    // It panics when it syncs the folder, which is gone.
    disk.refuse_from(disk.steps() + 1, DiskFault::Panic);
    saver.forget(first.key(), &home.slot(first.key()));
    saver.idle().await;
    assert_eq!(disk.refused(), 1);
    saver.shelve(shelf(&home, second.clone())).await.unwrap().unwrap();
    // A record that panics while it is written is remembered as unsaved, until it is written.
    disk.refuse_from(disk.steps() + 1, DiskFault::Panic);
    saver.save(&home.slot(second.key()), &record(&second));
    saver.idle().await;
    assert_eq!((disk.refused(), saver.unsaved()), (2, vec![second.key()]));
    saver.save(&home.slot(second.key()), &record(&second));
    saver.idle().await;
    assert_eq!(saver.unsaved(), []);
    saver.end().await;
}
