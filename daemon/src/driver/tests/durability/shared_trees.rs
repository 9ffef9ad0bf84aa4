//! Crashes while a directory is shared: where it lies, and from elsewhere. What is visible is never a mix, and a second
//! attempt ends well.

use super::*;
use crate::inbox::{Command, ToShare};
use shared::rpc::control::{TaskId, TaskState};
use shared::tree::{Symlinks, TreeOptions};

/// From where a directory is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// It lies in the shared directory.
    Here,
    /// ttctl sends its tar.
    Elsewhere,
    /// The same, and its former version was shared before.
    OverOlder,
}

/// A directory that is shared on a machine that stops.
struct Sharing {
    bench: Bench,
    from: From,
}

impl Sharing {
    async fn new(from: From) -> Sharing {
        let mut sharing = Sharing { bench: Bench::new(tree), from };
        match from {
            From::Here => contents::lay(&sharing.bench.folder().join("x")),
            From::Elsewhere => {}
            From::OverOlder => {
                contents::lay_older(&sharing.bench.folder().join("x"));
                let mut life = sharing.bench.start(sharing.bench.disk()).expect("a good disk");
                sharing.begin(&mut life, From::Here).await.expect("it begins");
                let what = "the former version is shared";
                life.rig.until(what, |driver| driver.library.iter().next().is_some()).await;
                life.rig.driver.saver.idle().await;
                life.rig.driver.home.abandon();
                (sharing.bench.old, sharing.bench.old_bytes) = (Old::Replaced, contents::older_tree());
                sharing.bench.put_theirs();
            }
        }
        sharing
    }

    /// Begins to share it. Returns `None` if the disk has stopped before.
    async fn begin(&self, life: &mut Life, from: From) -> Option<TaskId> {
        let options = TreeOptions { symlinks: Symlinks::Inside, skip_special: false, has_times: true };
        // Everything before the sums' header is sent.
        let sums = self.bench.bytes.windows(12).rposition(|bytes| bytes == b".SHA256SUMS\0").unwrap();
        let bytes = if from == From::Here { 0 } else { sums as u64 };
        let request = ToShare {
            name: "x.tar".parse().unwrap(),
            trackers: vec!["tt://127.0.0.1:1".parse().unwrap()],
            replace: true,
            bytes,
            data_bytes: bytes,
            tree: Some(options),
            lost: Vec::new(),
            by: user(1000),
            to_be_signed: false,
        };
        if from == From::Here {
            return life.rig.ask(|reply| Command::Share { request, reply }).await.ok();
        }
        let wanted = request.clone();
        let (task, _handle) = life.rig.ask(|reply| Command::Import { request: wanted, reply }).await.ok()?;
        let mut import = life.rig.driver.home.import_tree(task.0, "x".parse().unwrap(), None).ok()?;
        for chunk in self.bench.bytes[..sums].chunks(CHUNK_BYTES as usize) {
            import.add(chunk).ok()?;
        }
        import.finish().ok()?;
        let import = Box::new(import);
        life.rig.ask(|reply| Command::ImportEnd { task, request, import, reply }).await.ok()?;
        Some(task)
    }

    /// Shares it until it is shared or that has failed.
    async fn share(&self, life: &mut Life) {
        let Some(task) = self.begin(life, self.from).await else { return };
        let begin = Instant::now();
        loop {
            assert!(begin.elapsed() < CAP, "it goes on for ever: {:?}", life.rig.driver.status(None));
            let state = life.rig.driver.tasks.get(task).map(|task| task.watch().borrow().clone());
            let has_failed = state.is_none_or(|state| matches!(state, TaskState::Failed(_)));
            if has_failed || is_seeding(&life.rig.driver, &self.bench.manifest) {
                return;
            }
            life.wait().await;
        }
    }

    /// What a user sees: the directory that lies here stays as it is, and nothing else appears but what is shared.
    fn check_visible(&self) {
        let folder = self.bench.folder();
        match self.from {
            From::Here => {
                assert!(contents::visible(&folder).unwrap() == self.bench.bytes);
                contents::check_top(&folder);
            }
            From::Elsewhere | From::OverOlder => self.bench.check_visible(),
        }
    }

    /// A second life, in which it is shared once more if it is not, and a third one.
    async fn finish(&self) {
        let mut life = self.bench.start(self.bench.disk()).expect("a good disk");
        self.check_visible();
        if !is_seeding(&life.rig.driver, &self.bench.manifest) {
            self.share(&mut life).await;
        }
        // The start may have found the directory itself while it was shared once more.
        life.rig.until("the share has ended", |driver| driver.noting.is_empty()).await;
        life.rig.until("it is shared", |driver| is_seeding(driver, &self.bench.manifest)).await;
        life.rig.driver.saver.idle().await;
        let home = life.rig.driver.home.clone();
        let places = home.places().unwrap();
        assert_eq!(places.len(), 1, "{places:?}");
        assert!(!places[0].is_untidy() && !places[0].part().exists(), "something is left");
        assert!(fs::read_dir(self.bench.folder().join(".tinytorrent/imports")).unwrap().next().is_none());
        life.disk.stop_at(0, false);
        home.abandon();
        drop(life);
        let life = self.bench.start(self.bench.disk()).expect("a good disk");
        assert!(is_seeding(&life.rig.driver, &self.bench.manifest), "{:?}", life.rig.driver.status(None));
        assert!(contents::visible(&self.bench.folder()).unwrap() == self.bench.bytes);
        contents::check_top(&self.bench.folder());
        self.bench.check_theirs();
    }
}

/// Stops the machine before each `every`th step of sharing.
async fn check_the_steps_of_sharing(from: From, every: u64, stop: impl Fn(u64) -> Stop) {
    let mut step = first_of(every);
    loop {
        let (sharing, how) = (Sharing::new(from).await, stop(step));
        eprintln!("{from:?}: stopped before step {step}: {how:?}");
        let disk = sharing.bench.disk();
        let mut life = sharing.bench.start(disk.clone()).expect("a good disk");
        disk.stop_at(disk.steps() + step, matches!(how, Stop::Tear));
        sharing.share(&mut life).await;
        life.rig.driver.saver.idle().await;
        let has_stopped = disk.has_stopped();
        life.end(how);
        sharing.check_visible();
        sharing.finish().await;
        if !has_stopped {
            break;
        }
        step += every;
    }
    assert!(step > 15, "{from:?}: there are more steps than {step}");
    eprintln!("{from:?}: {} steps", step - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_crash_before_any_step_of_sharing_a_directory_where_it_lies_touches_nothing() {
    check_the_steps_of_sharing(From::Here, 1, |_| Stop::Tear).await;
    check_the_steps_of_sharing(From::Here, 3, Stop::CutSome).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_crash_before_any_step_of_sharing_a_directory_from_elsewhere_shows_no_part_of_it() {
    check_the_steps_of_sharing(From::Elsewhere, 2, |_| Stop::Tear).await;
    check_the_steps_of_sharing(From::Elsewhere, 4, |step| {
        if step % 2 == 0 { Stop::Cut } else { Stop::CutSome(step) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_crash_before_any_step_of_sharing_a_new_version_shows_the_old_one_or_the_new_one() {
    check_the_steps_of_sharing(From::OverOlder, 4, |step| match step % 3 {
        0 => Stop::Tear,
        1 => Stop::Cut,
        _ => Stop::CutSome(step),
    })
    .await;
}

/// The disk refuses from a step on. The share fails, says why, and leaves nothing; then it succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn sharing_a_directory_on_a_disk_that_refuses_fails_and_leaves_nothing() {
    for from in [From::Here, From::Elsewhere, From::OverOlder] {
        for refusal in [DiskFault::Full, DiskFault::WriteBack] {
            const EVERY: u64 = 7;
            let mut step = first_of(EVERY);
            loop {
                let sharing = Sharing::new(from).await;
                eprintln!("{from:?}: refused from step {step} on: {refusal:?}");
                let disk = sharing.bench.disk();
                let mut life = sharing.bench.start(disk.clone()).expect("a good disk");
                disk.refuse_from(disk.steps() + step, refusal);
                sharing.share(&mut life).await;
                life.rig.driver.saver.idle().await;
                sharing.check_visible();
                let has_refused = disk.refused() > 0;
                disk.heal();
                life.rig.driver.save_again();
                life.rig.driver.saver.idle().await;
                if !is_seeding(&life.rig.driver, &sharing.bench.manifest) {
                    sharing.share(&mut life).await;
                }
                assert!(is_seeding(&life.rig.driver, &sharing.bench.manifest));
                life.rig.driver.saver.idle().await;
                life.end(Stop::Cut);
                sharing.finish().await;
                if !has_refused {
                    break;
                }
                step += EVERY;
            }
            assert!(step > 5, "{from:?}, {refusal:?}: there are more steps than {step}");
        }
    }
}
