//! Crashes and faults while a directory replaces an older version of it, while one with many files is fetched, and while
//! one is removed.

use super::*;
use crate::inbox::Command;
use std::path::Path;

impl Bench {
    /// Puts a file of somebody else into the directory that is replaced.
    pub(super) fn put_theirs(&mut self) {
        contents::put_theirs(&self.folder());
        self.has_theirs = true;
    }

    /// Checks that the file of somebody else is where its owner finds it.
    pub(super) fn check_theirs(&self) {
        if self.has_theirs {
            let path = contents::theirs(&self.folder());
            assert!(path.to_str().is_some_and(|path| path.starts_with("x.kept")), "{path:?}");
            assert!(path.ends_with("deep/mine"), "{path:?}");
            let kept = self.folder().join(path.components().next().unwrap());
            // If a crash came before it was noted what is ours, more is kept than must be, and never less.
            let is_allowed = |path: &PathBuf| *path == Path::new("deep/mine") || *path == Path::new("gone");
            assert!(contents::paths(&kept).iter().all(is_allowed), "{:?}", contents::paths(&kept));
        }
    }
}

/// A fetch of a directory that replaces an older one. With or without a file system that can exchange two directories.
async fn over_an_older_one(exchanges: bool) -> Bench {
    let (old, mut bench) = (contents::older_tree(), Bench::new(tree));
    bench.exchanges = exchanges;
    bench.finish_first(&manifest_of("x.tar", &old), &old).await;
    (bench.old, bench.old_bytes) = (Old::Replaced, old);
    bench.put_theirs();
    bench
}

/// Stops the machine before each `every`th step of the switch.
async fn check_the_steps_of_a_switch(exchanges: bool, every: u64, stop: impl Fn(u64) -> Stop) {
    let mut step = first_of(every);
    while check_bench(over_an_older_one(exchanges).await, step, stop(step)).await {
        step += every;
    }
    assert!(step > 60, "the switch of a directory has more steps than {step}");
    eprintln!("{} steps", step - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_process_killed_before_any_step_shows_the_old_directory_or_the_new_one() {
    check_the_steps_of_a_switch(true, 1, |_| Stop::Tear).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_power_cut_before_any_step_shows_the_old_directory_or_the_new_one() {
    check_the_steps_of_a_switch(true, 3, |step| if step % 2 == 0 { Stop::Cut } else { Stop::CutSome(step) })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_an_exchange_a_crash_before_any_step_shows_no_mix_and_the_new_directory_in_the_end() {
    check_the_steps_of_a_switch(false, 2, |step| match step % 3 {
        0 => Stop::Tear,
        1 => Stop::Cut,
        _ => Stop::CutSome(step),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_old_directory_stays_while_the_disk_refuses_the_new_one() {
    for (exchanges, refusal) in [
        (true, DiskFault::Full),
        (true, DiskFault::WriteBack),
        (true, DiskFault::Broken),
        (false, DiskFault::Broken),
    ] {
        const EVERY: u64 = 4;
        let mut step = first_of(EVERY);
        while check_refusal(over_an_older_one(exchanges).await, step, refusal).await {
            step += EVERY;
        }
        assert!(step > 20, "the switch of a directory has more steps than {step}");
        eprintln!("{} steps", step - 1);
    }
}

/// More files than are synced one by one. There are hundreds of steps; a part of them is taken at each run.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_crash_or_a_failed_sync_while_many_files_are_written_loses_nothing() {
    const EVERY: u64 = 37;
    let mut step = first_of(EVERY);
    while check_bench(Bench::new(contents::many), step, Stop::CutSome(step)).await {
        step += EVERY;
    }
    assert!(step > 300, "{step}");
    let mut step = first_of(EVERY);
    while check_refusal(Bench::new(contents::many), step, DiskFault::WriteBack).await {
        step += EVERY;
    }
}

/// Has a directory removed on a disk that stops before a step. Returns what runs, and whether the disk has stopped.
async fn remove(bench: &Bench, stop: Stop, step: u64) -> (Life, bool) {
    let disk = bench.disk();
    let mut life = bench.start(disk.clone()).expect("a good disk");
    disk.stop_at(disk.steps() + step, matches!(stop, Stop::Tear));
    let (what, by) = ("x.tar".to_owned(), user(1000));
    life.rig.ask(|reply| Command::Remove { what, delete: true, by, reply }).await.unwrap();
    life.rig.driver.saver.idle().await;
    (life, disk.has_stopped())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_directory_that_is_removed_is_there_completely_or_not_at_all() {
    for stop in [Stop::Tear, Stop::Cut] {
        let mut step = 1;
        loop {
            eprintln!("stopped before step {step}: {stop:?}");
            let bench = Bench::new(tree);
            bench.finish_first(&bench.manifest, &bench.bytes).await;
            let (life, has_stopped) = remove(&bench, stop, step).await;
            bench.stop(life, stop);
            let found = contents::visible(&bench.folder());
            assert!(found.is_none_or(|found| found == bench.bytes), "a part of it is there");
            // Nothing of it stays where nobody finds it.
            let life = bench.start(bench.disk()).expect("a good disk");
            let is_known = life.rig.driver.library.get(bench.manifest.key()).is_some();
            let home = &life.rig.driver.home;
            assert_eq!(is_known, !home.places().unwrap().is_empty());
            assert!(fs::read_dir(bench.folder().join(".tinytorrent/imports")).unwrap().next().is_none());
            if !has_stopped {
                assert!(!is_known, "it is known");
                // After a power cut it may be back, as with `rm`.
                let is_there = contents::visible(&bench.folder()).is_some();
                assert!(!is_there || matches!(stop, Stop::Cut), "it is there");
                break;
            }
            step += 1;
        }
        assert!(step > 4, "a removal has more steps than {step}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_file_of_somebody_else_outlives_a_crash_before_any_step_of_removing_its_directory() {
    for stop in [Stop::Tear, Stop::Cut, Stop::CutSome(1), Stop::CutSome(2)] {
        let mut step = 1;
        loop {
            eprintln!("stopped before step {step}: {stop:?}");
            let bench = Bench::new(tree);
            bench.finish_first(&bench.manifest, &bench.bytes).await;
            contents::put_theirs(&bench.folder());
            let (life, has_stopped) = remove(&bench, stop, step).await;
            life.end(stop);
            contents::theirs(&bench.folder());
            let life = bench.start(bench.disk()).expect("a good disk");
            assert_eq!(contents::theirs(&bench.folder()), Path::new("x/deep/mine"));
            assert!(fs::read_dir(bench.folder().join(".tinytorrent/imports")).unwrap().next().is_none());
            let is_known = life.rig.driver.library.get(bench.manifest.key()).is_some();
            if !has_stopped {
                assert!(!is_known, "it is known");
                let left = contents::paths(&bench.folder().join("x"));
                // After a power cut all of it may be back, as with `rm`.
                assert!(left == [Path::new("deep/mine")] || !matches!(stop, Stop::Tear), "{left:?}");
                break;
            }
            step += 1;
        }
        assert!(step > 10, "a removal has more steps than {step}");
    }
}
