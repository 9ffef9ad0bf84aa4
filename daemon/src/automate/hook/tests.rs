//! Hooks that are real programs, and what goes wrong with them.

use super::environment::Arrived;
use super::queue::{Outcome, Version};
use super::run::{Ended, Order, run};
use shared::id::{ListDigest, ResourceId, SwarmKey};
use std::fs;
use std::future::{pending, ready};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a test waits at most.
const CAP: Duration = Duration::from_secs(60);

/// A script that /bin/sh runs.
struct Script {
    folder: TempDir,
    order: Order,
}

impl Script {
    fn new(text: &str) -> Script {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hook.sh");
        fs::write(&path, text).unwrap();
        let key = SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([2; 32]) };
        let version = Version { name: "app.img".parse().unwrap(), key };
        let arrived = Arrived { version, path: folder.path().join("app.img"), signed_by: None };
        let order = Order {
            argv: vec!["/bin/sh".into(), path.into()],
            directory: folder.path().to_owned(),
            arrived,
            time_max: CAP,
            grace: CAP,
        };
        Script { folder, order }
    }

    fn for_at_most(mut self, time_max: Duration, grace: Duration) -> Script {
        (self.order.time_max, self.order.grace) = (time_max, grace);
        self
    }

    async fn run(&self) -> Ended {
        tokio::time::timeout(CAP, run(self.order.clone(), pending())).await.expect("a hook has an end")
    }

    fn written(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// Waits until the hook has written a file.
    async fn wait_for(&self, name: &str) -> String {
        let begun = Instant::now();
        loop {
            let written = self.written(name);
            if written.ends_with('\n') {
                return written.trim().to_owned();
            }
            assert!(begun.elapsed() < CAP, "no {name}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the process whose number the hook has written is gone.
    async fn wait_for_the_end_of(&self, name: &str) {
        let process = format!("/proc/{}", self.wait_for(name).await);
        let begun = Instant::now();
        let is_there = || {
            let status = fs::read_to_string(Path::new(&process).join("stat")).unwrap_or_default();
            !status.is_empty() && !status.contains(") Z ")
        };
        while is_there() {
            assert!(begun.elapsed() < CAP, "{process} is still there");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn a_hook_is_told_what_has_arrived_and_its_exit_code_is_the_outcome() {
    let script = Script::new(
        "env | sort >env; pwd >where; cat >input; ps -o pgid= -p $$ >group; echo $$ >pid; exit 0\n",
    );
    let ended = script.run().await;
    assert_eq!(ended.outcome, Outcome::Done);
    let path = script.folder.path().join("app.img");
    let told = script.written("env");
    for line in ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TT_NAME=app.img", "TT_SIGNED_BY="] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
    assert!(told.contains(&format!("TT_PATH={}\n", path.display())));
    let names = told.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
    // The shell sets the others itself.
    let foreign: Vec<&str> = names
        .filter(|name| !name.starts_with("TT_") && !["PATH", "PWD", "OLDPWD", "SHLVL", "_"].contains(name))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    assert_eq!(Path::new(script.written("where").trim()), script.folder.path().canonicalize().unwrap());
    assert_eq!(script.written("input"), "", "there is no input");
    assert_eq!(script.written("group").trim(), script.written("pid").trim(), "it leads its group");
    assert_eq!(Script::new("exit 7\n").run().await.outcome, Outcome::Failed(7));
    assert_eq!(Script::new("kill -9 $$\n").run().await.outcome, Outcome::Signal(9));
}

#[tokio::test]
async fn a_hook_that_hangs_is_ended_after_its_time_with_all_of_its_group() {
    let script =
        Script::new("sleep 1000 & echo $! >below; trap 'echo bye >end' TERM; echo $$ >pid; wait; exit 0\n");
    let ended = script.for_at_most(Duration::from_millis(500), CAP);
    assert_eq!(ended.run().await.outcome, Outcome::TimedOut);
    assert_eq!(ended.wait_for("end").await, "bye", "it was told");
    ended.wait_for_the_end_of("below").await;
}

#[tokio::test]
async fn a_hook_that_ignores_term_is_killed() {
    let script = Script::new("trap '' TERM; echo $$ >pid; while :; do sleep 1; done\n");
    let script = script.for_at_most(Duration::from_millis(300), Duration::from_millis(300));
    assert_eq!(script.run().await.outcome, Outcome::TimedOut);
    script.wait_for_the_end_of("pid").await;
}

#[tokio::test]
async fn a_hook_that_floods_is_read_and_its_bytes_are_counted() {
    let script = Script::new("head -c 1073741824 /dev/zero; echo end >&2\n");
    let ended = script.run().await;
    assert_eq!((ended.outcome, ended.output_bytes), (Outcome::Done, (1 << 30) + 4));
    let binary = Script::new("head -c 100000 /dev/urandom; printf '\\033[31mred'\n").run().await;
    assert_eq!((binary.outcome, binary.output_bytes), (Outcome::Done, 100_008));
}

#[tokio::test]
async fn processes_that_a_hook_leaves_behind_hold_nobody_up() {
    // One stays in the group, and ends with the hook.
    let script = Script::new("sleep 1000 & echo $! >below; exit 0\n");
    assert_eq!(script.run().await.outcome, Outcome::Done);
    script.wait_for_the_end_of("below").await;
    // One leaves the group, keeps the pipe open and writes to it for ever. It ends when nobody reads any more.
    let text = "setsid sh -c 'echo $$ >away; while :; do echo noise; done' & \
                while ! [ -s away ]; do sleep 0.1; done; exit 3\n";
    let script = Script::new(text);
    assert_eq!(script.run().await.outcome, Outcome::Failed(3));
    script.wait_for_the_end_of("away").await;
}

#[tokio::test]
async fn when_ttd_ends_its_hook_ends_too() {
    let script = Script::new("echo $$ >pid; sleep 1000; exit 0\n");
    let pid = async { drop(script.wait_for("pid").await) };
    let ended = tokio::time::timeout(CAP, run(script.order.clone(), pid)).await.unwrap();
    assert_eq!(ended.outcome, Outcome::Interrupted);
    script.wait_for_the_end_of("pid").await;
    // Also where nobody waits for it any more.
    let script = Script::new("sleep 1000 & echo $! >below; echo $$ >pid; wait\n");
    tokio::select! {
        _ = run(script.order.clone(), pending()) => panic!("it has ended"),
        _ = script.wait_for("pid") => {}
    }
    script.wait_for_the_end_of("pid").await;
    script.wait_for_the_end_of("below").await;
    let never = tokio::time::timeout(CAP, run(Script::new("sleep 1000\n").order, ready(()))).await.unwrap();
    assert_eq!(never.outcome, Outcome::Interrupted);
}

#[tokio::test]
async fn a_script_that_is_replaced_while_it_runs_runs_to_its_end_and_the_next_run_is_the_new_one() {
    let text = "printf 'exit 5\\n' >new; mv new hook.sh; echo moved >moved; exit 0\n";
    let script = Script::new(text);
    assert_eq!(script.run().await.outcome, Outcome::Done);
    assert_eq!(script.wait_for("moved").await, "moved");
    assert_eq!(script.run().await.outcome, Outcome::Failed(5));
}

#[tokio::test]
async fn what_cannot_be_run_is_not_started_and_told() {
    let told = async |script: &Script| match script.run().await.outcome {
        Outcome::NotStarted(why) => why,
        outcome => panic!("{outcome:?}"),
    };
    let mut script = Script::new("");
    script.order.argv.clear();
    assert_eq!(told(&script).await, "no program is configured");
    for (program, expected) in [
        ("bin/sh", "bin/sh is not an absolute path; begin it with /"),
        ("/no/such", "/no: No such file or directory"),
        ("/usr", "/usr is a directory; name a program"),
        ("/etc/passwd", "/etc/passwd cannot be executed by ttd's user"),
        ("/dev/null", "/dev/null"),
    ] {
        script.order.argv = vec![program.into()];
        let why = told(&script).await.to_lowercase();
        assert!(why.starts_with(&expected.to_lowercase()), "{program}: {why}");
    }
    // Its directory is writable by everybody, or belongs to a user who could replace it.
    let open = script.folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    fs::copy("/bin/true", open.join("true")).unwrap();
    script.order.argv = vec![open.join("true").into()];
    let why = told(&script).await;
    assert!(why.contains("writable by everybody") || why.contains("could replace the hook"), "{why}");
    let mut script = Script::new("exit 0\n");
    script.order.directory = "/no/such".into();
    assert!(told(&script).await.contains("the directory in which it begins does not exist"));
}
