//! Scenarios for names: in all scripts, taken ones, and two for one content.

use cluster::clock::own_clock;
use cluster::fake_tracker::{FakeTracker, Manners, Says};
use cluster::files::{MIB, content, sha256};
use cluster::hostile::Publisher;
use cluster::{CAP, Daemon, Tracker, wait_until};
use shared::id::{ChunkHash, ResourceId};
use shared::manifest::Manifest;
use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

#[test]
fn names_may_be_of_any_script() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let long = "x".repeat(243);
    let names =
        ["two words", "modèle du jour.grib2", "模型.bin", "صورة", "-rf", ".hidden", "100% & 'quoted'", &long];
    for (seed, name) in names.into_iter().enumerate() {
        let bytes = content(50 + seed as u64, 1000 + seed);
        a.share_bytes(name, &bytes);
        b.get(name, &bytes);
    }
    let mut sorted: Vec<String> = names.map(str::to_owned).to_vec();
    sorted.sort();
    let listed: Vec<String> = b.statuses().iter().map(|status| status.text("name").to_owned()).collect();
    assert_eq!(listed, sorted);
}

#[test]
fn names_that_could_do_harm_are_refused() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    for name in ["line\nbreak", "x.tinytorrent", ".tinytorrent-notes", "back\\slash", &"x".repeat(244)] {
        let path = a.outside().join(name);
        fs::write(&path, "x").unwrap();
        a.ctl_code(4, &["share", path.to_str().unwrap()]);
    }
    assert_eq!(a.listing(), [""; 0]);
    assert!(a.statuses().is_empty());
}

#[test]
fn the_same_content_may_have_two_names() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(60, 2 * MIB + 9);
    let id = a.share_bytes("one", &bytes);
    assert_eq!(a.share_bytes("two", &bytes), id);
    b.get("one", &bytes);
    b.get("two", &bytes);
    // Two files, one swarm.
    assert_eq!(b.statuses().len(), 2);
    assert!(tracker.peers(&id).len() <= 2);

    b.ok(&["remove", "one", "--delete"]);
    assert!(!b.file("one").exists());
    b.check_file("two", &bytes);
    b.wait_seeding("two");
}

#[test]
fn a_name_whose_file_is_gone_says_so_while_the_other_name_is_served() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(66, MIB + 3);
    a.share_bytes("one", &bytes);
    a.share_bytes("two", &bytes);
    fs::remove_file(a.file("one")).unwrap();
    let output = a.ctl_code(4, &["verify", "one"]);
    assert!(output.stderr.contains(a.file("one").to_str().unwrap()), "{}", output.stderr);
    let status = a.wait_status("one", "its file is missed", |status| status.state() == "error");
    assert_eq!(
        status.reason(),
        "one was deleted from the shared directory; `ttctl get one` fetches it again"
    );
    a.wait_seeding("two");
    a.ok(&["verify", "two"]);
    assert_eq!(a.status("one").unwrap().state(), "error");
    b.get("two", &bytes);
    a.ok(&["remove", "one"]);
    a.wait_seeding("two");
}

#[test]
fn a_taken_name_is_not_given_other_content_unless_asked_for() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (mine, theirs) = (content(61, MIB), content(62, MIB + 1));
    a.share_bytes("config.tar", &mine);
    b.get("config.tar", &mine);
    let next = a.outside().join("config.tar");
    fs::write(&next, &theirs).unwrap();
    a.ok(&["share", "--replace", next.to_str().unwrap()]);

    // The name now means the content that was shared last.
    let output = b.ctl_code(4, &["get", "config.tar"]);
    assert!(output.stderr.contains("--replace"), "{}", output.stderr);
    b.check_file("config.tar", &mine);
    b.ok(&["get", "config.tar", "--replace"]);
    b.check_file("config.tar", &theirs);
    assert_eq!(b.statuses().len(), 1);
}

/// Shares content whose name another machine may use for other content.
#[track_caller]
fn share_over(daemon: &Daemon, name: &str, bytes: &[u8]) {
    let path = outside_file(daemon, name, bytes);
    daemon.ok(&["share", "--replace", &path]);
}

#[track_caller]
fn outside_file(daemon: &Daemon, name: &str, bytes: &[u8]) -> String {
    let path = daemon.outside().join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_name_that_another_machine_shares_is_not_taken_unless_asked_for() {
    let tracker = Tracker::start();
    let [a, b, c] = [(); 3].map(|()| Daemon::start(&tracker, &[]));
    let (theirs, mine) = (content(70, MIB + 1), content(71, 2 * MIB));
    let id = a.share_bytes("small.txt", &theirs);
    let path = outside_file(&b, "small.txt", &mine);
    fs::write(b.file("small.txt"), &mine).unwrap();
    let in_place = b.file("small.txt").to_str().unwrap().to_owned();
    for path in [&in_place, &path] {
        let refused = b.ctl_code(4, &["share", path]);
        let whose =
            format!("small.txt is published on {} with different content ({}…", tracker.url(), &id[..8]);
        assert!(refused.stderr.contains(&whose), "{}", refused.stderr);
        assert!(refused.stderr.contains(&format!("by {}, ", a.addr())), "{}", refused.stderr);
        assert!(refused.stderr.contains(" s ago)") && refused.stderr.contains("--replace"));
        assert!(b.status("small.txt").is_none(), "it was shared all the same");
        b.check_file("small.txt", &mine); // the local file is unchanged
    }
    fs::remove_file(&in_place).unwrap();
    assert_eq!(b.listing(), [""; 0], "the import left something behind");
    c.get("small.txt", &theirs);
    // the same content is no conflict
    b.share_bytes("small.txt", &theirs);
    b.ok(&["remove", "--delete", "small.txt"]);

    share_over(&b, "small.txt", &mine);
    c.ok(&["get", "--replace", "small.txt"]);
    c.check_file("small.txt", &mine);
    let told =
        a.wait_status("small.txt", "outdated", |status| status.reason().contains("has a newer version"));
    assert!(told.reason().contains(&format!("by {}", b.addr())), "{told:?}");
    assert!(told.reason().contains(&sha256(&mine)[..8]) && told.reason().contains("--replace"), "{told:?}");
    assert_eq!(told.state(), "outdated");
    assert_eq!(c.status("small.txt").unwrap().reason(), "", "it has the newest");
    // and it takes the name back
    a.ok(&["share", "--replace", a.file("small.txt").to_str().unwrap()]);
    a.wait_status("small.txt", "well", |status| status.reason().is_empty());
    b.wait_status("small.txt", "outdated", |status| status.state() == "outdated");
}

#[test]
fn a_machine_may_share_anew_what_it_shared_itself() {
    let tracker = Tracker::start();
    let [mut a, b] = [(); 2].map(|()| Daemon::start(&tracker, &[]));
    let (old, new) = (content(72, MIB + 1), content(73, MIB + 2));
    a.share_in_place("model.grib2", &old);
    b.get("model.grib2", &old); // it seeds the old content, and does not interfere
    a.share_in_place("model.grib2", &new);
    b.ok(&["get", "--replace", "model.grib2"]);
    b.check_file("model.grib2", &new);
    // also after a restart
    a.restart();
    a.wait_seeding("model.grib2");
    a.share_in_place("model.grib2", &old);
    b.ok(&["get", "--replace", "model.grib2"]);
    b.check_file("model.grib2", &old);
}

#[test]
fn a_refused_publication_is_told_by_share_and_by_status() {
    let says = Says { refuses_publications: true, ..Says::default() };
    let fake = FakeTracker::start(Manners::Says(says));
    let a = Daemon::start_on(Ipv4Addr::LOCALHOST.into(), &["--tracker", &fake.url()]);
    let path = outside_file(&a, "img", &content(74, 1000));
    let output = a.ctl_code(4, &["share", &path]);
    assert!(
        output.stderr.contains("it has enough") && output.stderr.contains(&fake.url()),
        "{}",
        output.stderr
    );
    let status = a.wait_status("img", "told", |status| status.reason().contains("it has enough"));
    assert_eq!(status.state(), "seeding", "it is shared all the same");
    // if another tracker has it, new machines find it there
    let tracker = Tracker::start();
    let trackers = ["--tracker", &fake.url(), "--tracker", &tracker.url()];
    let b = Daemon::start_on(Ipv4Addr::LOCALHOST.into(), &trackers);
    let path = outside_file(&b, "img", &content(74, 1000));
    let output = b.ok(&["share", &path]);
    assert!(
        output.stderr.contains("warning") && output.stderr.contains("it has enough"),
        "{}",
        output.stderr
    );
}

/// A manifest that nobody can serve.
fn invented(name: &str, seed: u32) -> Manifest {
    let hashes: Vec<ChunkHash> =
        (0..2_u32).map(|at| ChunkHash::of(&[seed, at].map(u32::to_be_bytes).concat())).collect();
    let trackers = vec!["tt://127.0.0.1:1".parse().unwrap()];
    Manifest::new(name.parse().unwrap(), ResourceId(hashes[0].0), trackers, hashes).unwrap()
}

#[test]
fn a_name_that_strangers_have_filled_takes_its_sharer() {
    let tracker = Tracker::start();
    let flood = (0..1500).map(|seed| invented("img", seed)).collect();
    let publisher = Publisher::start(&tracker, flood, Duration::from_secs(299));
    wait_until("the name is full", CAP, || publisher.rounds() == 1);
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(75, MIB + 5);
    share_over(&a, "img", &bytes);
    b.get("img", &bytes);
    assert_eq!(a.wait_seeding("img").reason(), "");
}

#[test]
fn a_date_that_is_still_to_come_wins_nothing() {
    let tracker = Tracker::start();
    let publisher = Publisher::start(&tracker, vec![invented("img", 1)], Duration::from_secs(299));
    wait_until("it has published", CAP, || publisher.rounds() == 1);
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(76, MIB + 5);
    share_over(&a, "img", &bytes);
    b.get("img", &bytes);
}

#[test]
fn a_clock_that_was_ahead_brings_no_old_version_back() {
    let Some(clock) = own_clock() else {
        return;
    };
    let mut tracker = Tracker::start();
    let (old, new) = (content(77, MIB + 1), content(78, MIB + 2));
    let mut a = Daemon::start(&tracker, &[]);
    let [b, c, d, e] = [(); 4].map(|()| Daemon::start(&tracker, &[]));
    // The whole machine is a day ahead, and then its clock is corrected.
    clock.set(24);
    a.share_bytes("img", &old);
    clock.set(0);
    a.wait_log("lies in the future");
    tracker.restart();
    wait_until("the old one is back", CAP, || !tracker.peers("img").is_empty());
    share_over(&b, "img", &new);
    c.get("img", &new);
    tracker.restart();
    wait_until("both are back", CAP, || {
        tracker.peers(&sha256(&old)).len() == 1 && tracker.peers(&sha256(&new)).len() == 2
    });
    wait_until("both are published", CAP, || tracker.meaning("img").is_some());
    d.get("img", &new);
    // A day later that date does not lie in the future any more.
    a.restart();
    clock.set(25);
    tracker.restart();
    wait_until("both are back", CAP, || {
        tracker.peers(&sha256(&old)).len() == 1 && tracker.peers(&sha256(&new)).len() == 3
    });
    wait_until("both are published", CAP, || tracker.meaning("img").is_some());
    e.get("img", &new);
}

#[test]
fn what_was_shared_here_is_not_replaced_by_get() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (mine, theirs) = (content(67, MIB), content(68, MIB + 1));
    a.share_bytes("config.tar", &mine);
    a.ok(&["get", "--replace", "config.tar"]); // the name means this content already, so nothing is done
    let other = b.outside().join("config.tar");
    fs::write(&other, &theirs).unwrap();
    b.ok(&["share", "--replace", other.to_str().unwrap()]);

    for args in [&["get", "config.tar"][..], &["get", "--replace", "config.tar"]] {
        let output = a.ctl_code(4, args);
        let first = format!("first `ttctl --directory {} remove config.tar`", a.folder().display());
        assert!(output.stderr.contains(&first), "{}", output.stderr);
        a.check_file("config.tar", &mine);
        a.wait_seeding("config.tar");
    }
    a.ok(&["remove", "config.tar"]);
    a.ok(&["get", "--replace", "config.tar"]);
    a.check_file("config.tar", &theirs);
}

#[test]
fn an_original_that_its_owner_changes_is_not_put_back_by_get() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (first, second) = (content(69, MIB), content(79, MIB + 1));
    a.share_in_place("config.tar", &first);
    b.get("config.tar", &first);
    fs::write(a.file("config.tar"), &second).unwrap();
    let output = a.ctl_code(4, &["get", "--replace", "config.tar"]);
    assert!(output.stderr.contains("share it again"), "{}", output.stderr);
    a.check_file("config.tar", &second);
    // A removed resource is nobody's original any more.
    fs::remove_file(a.file("config.tar")).unwrap();
    a.get("config.tar", &first);
}

/// A list of chunks that claims to be the resource's and is not.
fn false_list(of: &[u8], tracker: &Tracker, name: &str) -> Manifest {
    let hashes = of.chunks(MIB).map(|chunk| ChunkHash::of(&[chunk, b"false"].concat())).collect();
    let trackers = vec![tracker.url().parse().unwrap()];
    Manifest::new(name.parse().unwrap(), ResourceId::of(of), trackers, hashes).unwrap()
}

/// A client that dials all the time is the first at a tracker that comes back.
#[test]
fn a_false_list_that_is_first_keeps_nobody_from_the_true_one() {
    let mut tracker = Tracker::start();
    let [a, b, c] = [(); 3].map(|()| Daemon::start(&tracker, &[]));
    let bytes = content(79, 2 * MIB + 5);
    let id = a.share_bytes("img", &bytes);
    let publisher = Publisher::start(&tracker, vec![false_list(&bytes, &tracker, "img")], Duration::ZERO);
    wait_until("it has published", CAP, || publisher.rounds() == 1);
    tracker.restart();
    wait_until("both are known", CAP, || publisher.rounds() == 2 && tracker.peers(&id).len() == 2);
    b.get("img", &bytes);
    assert_eq!(a.wait_seeding("img").state(), "seeding");
    c.ok(&["get", &id]);
    c.check_file("img", &bytes);
}

#[test]
fn whoever_began_with_a_false_list_may_get_the_true_one() {
    let tracker = Tracker::start();
    let [a, b] = [(); 2].map(|()| Daemon::start(&tracker, &[]));
    let bytes = content(80, 2 * MIB + 5);
    a.share_bytes("img", &bytes);
    let path = b.outside().join("img.tinytorrent");
    let mut text = String::new();
    false_list(&bytes, &tracker, "img").text_parts().for_each(|part| text.push_str(&part));
    fs::write(&path, text).unwrap();
    b.ok(&["get", "--detach", path.to_str().unwrap()]);
    b.wait_status("img", "waiting", |status| status.state() == "waiting");
    fs::copy(a.file("img.tinytorrent"), &path).unwrap();
    b.ok(&["get", path.to_str().unwrap()]);
    b.check_file("img", &bytes);
    assert_eq!(b.statuses().len(), 1);
}

#[test]
fn an_outside_file_does_not_take_the_place_of_a_resource_unless_asked_for() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let (first, second) = (content(63, MIB), content(64, 3));
    a.share_bytes("config.tar", &first);
    let path = a.outside().join("config.tar");
    fs::write(&path, &second).unwrap();

    let output = a.ctl_code(4, &["share", path.to_str().unwrap()]);
    assert!(output.stderr.contains("--replace"), "{}", output.stderr);
    a.check_file("config.tar", &first);
    a.ok(&["share", "--replace", path.to_str().unwrap()]);
    a.check_file("config.tar", &second);
    // The same content again is no conflict.
    a.ok(&["share", path.to_str().unwrap()]);
}

#[test]
fn a_file_that_is_in_the_way_is_not_overwritten() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(65, MIB);
    a.share_bytes("notes", &bytes);
    // Nobody has shared this file; it is in the folder anyway.
    fs::write(b.file("notes"), "mine").unwrap();
    b.ctl_code(4, &["get", "notes"]);
    b.check_file("notes", b"mine");
    b.ok(&["get", "--replace", "notes"]);
    b.check_file("notes", &bytes);
}

/// The text of all records that the daemon has on its disk.
fn records(daemon: &Daemon) -> String {
    let slots = fs::read_dir(daemon.file(".tinytorrent/resources")).unwrap();
    slots.filter_map(|slot| fs::read_to_string(slot.unwrap().path().join("state.toml")).ok()).collect()
}

/// Two trackers. At the second one only, another machine shares other content under the name.
struct TwoTrackers {
    first: Tracker,
    second: Tracker,
    id: String,
    other: Daemon,
    daemon: Daemon,
}

impl TwoTrackers {
    fn start() -> TwoTrackers {
        let (first, second) = (Tracker::start(), Tracker::start());
        let other = Daemon::start(&second, &[]);
        let id = other.share_bytes("img", &content(94, MIB + 1));
        let trackers = ["--tracker", &first.url(), "--tracker", &second.url()];
        let daemon = Daemon::start_on(Ipv4Addr::LOCALHOST.into(), &trackers);
        TwoTrackers { first, second, id, other, daemon }
    }

    /// Shares other content under the name while no tracker can say that it is taken.
    fn share_while_the_second_is_down(&mut self) {
        self.second.kill();
        let path = outside_file(&self.daemon, "img", &content(95, 1000));
        self.daemon.ok(&["share", &path]);
    }

    /// Waits until the second tracker is back with both of them and says who has the name.
    fn check_that_nothing_is_taken(&mut self) {
        self.second.restart();
        let both = [&sha256(&content(94, MIB + 1)), &sha256(&content(95, 1000))].map(String::clone);
        wait_until("both are back", CAP, || both.iter().all(|id| !self.second.peers(id).is_empty()));
        // Called newer if both were shared within the second by which clocks may differ, otherwise different.
        let whose = [self.second.url(), self.id[..8].to_owned(), format!("by {}", self.other.addr())];
        self.daemon.wait_status("img", "it says whose the name is", |status| {
            whose.iter().all(|part| status.reason().contains(part))
        });
        let listed = self.second.list();
        assert!(
            listed.iter().any(|entry| entry.publication.key.resource.to_string() == self.id),
            "{listed:?}"
        );
    }
}

#[test]
fn a_name_is_not_taken_by_a_machine_that_is_started_again_before_it_was_told() {
    let mut two = TwoTrackers::start();
    two.share_while_the_second_is_down();
    two.daemon.restart();
    two.check_that_nothing_is_taken();
}

#[test]
fn a_name_is_not_taken_where_another_tracker_was_told_before() {
    let mut two = TwoTrackers::start();
    two.share_while_the_second_is_down();
    wait_until("the first has it", CAP, || two.first.meaning("img").is_some());
    two.daemon.ok(&["pause", "img"]);
    two.daemon.ok(&["resume", "img"]);
    two.check_that_nothing_is_taken();
    // and not when all announce again in any order. The restart kills the daemon, which saves what it was told
    // soon after it shows that.
    let refused_by = format!("undated = [\"{}\"]", two.second.url());
    wait_until("the refusal is in the record", CAP, || records(&two.daemon).contains(&refused_by));
    two.daemon.restart();
    two.check_that_nothing_is_taken();
}
