//! Compares what users see of each command, at 80 and at 140 columns, with the files in `snapshots/`. CONTRIBUTING.md
//! says how to renew them after a change of words.

use crate::fake::{State_, accepted, refused};
use crate::fleet::{Machine, NAMES, resource, without_tracker};
use crate::pty::Shown;
use clap::CommandFactory;
use shared::id::ResourceId;
use shared::rpc::control::{ControlError, ErrorKind, Shared, TaskState};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

const WIDTHS: [u16; 2] = [80, 140];

/// Compares what a command line shows with its snapshot.
#[track_caller]
fn see(machine: &Machine, name: &str, columns: u16, args: &[&str]) {
    see_with(machine, name, columns, &[], args);
}

#[track_caller]
fn see_with(machine: &Machine, name: &str, columns: u16, env: &[(&str, &str)], args: &[&str]) {
    let ended = machine.run_with(columns, crate::pty::TALL, env, args).end();
    compare(&ended, name, columns, args, "");
}

/// Compares what is visible at the end and before.
#[track_caller]
fn compare((code, shown): &(i32, Arc<Mutex<Shown>>), name: &str, columns: u16, args: &[&str], before: &str) {
    let shown = shown.lock().unwrap().text();
    let text = format!("$ ttctl {}\n{before}{}\n\nexit code {code}", args.join(" "), steady(&shown));
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(format!("{name}-{columns}"), text));
}

/// Replaces what differs at each run or on each machine: durations, the version, the disk and the process that listens.
fn steady(text: &str) -> String {
    let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let mut of_machine = false;
    let lines = text.lines().filter(|line| {
        let goes_on = !line.starts_with(['o', 'w', 'f']); // ok, warning, failure
        of_machine =
            ["file system", "peer port"].iter().any(|check| line.contains(check)) || of_machine && goes_on;
        !of_machine || line.contains(" checks, ")
    });
    let lines = lines.map(|line| match (line.find(" in "), line.ends_with("/s)")) {
        (Some(at), true) => format!("{} in TIME, RATE)", &line[..at]),
        _ if line.contains(" checks, ") => "N checks".to_owned(),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_here() {
    for columns in WIDTHS {
        let machine = Machine::full();
        see(&machine, "status", columns, &["status"]);
        see(&machine, "list", columns, &["list"]);
        see(&machine, "list-long", columns, &["list", "--long"]);
        see(&machine, "info", columns, &["info"]);
        see(&machine, "events", columns, &["events", "--no-follow"]);
        for (place, name) in NAMES.iter().enumerate() {
            see(&machine, &format!("status-{place}"), columns, &["status", name]);
        }
        see(&machine, "subscriptions", columns, &["subscriptions"]);
        see(&machine, "peers", columns, &["peers"]);
        see(&machine, "peers-of-one", columns, &["peers", "a.img"]);
        see(&machine, "peers-uploads", columns, &["peers", "--uploads"]);
        let states = [State_::Seeding, State_::Waiting, State_::Seeding];
        let mut here: Vec<_> = NAMES.iter().zip(states).map(|(name, state)| resource(name, state)).collect();
        here.iter_mut().for_each(without_tracker);
        machine.fake.state().here = here;
        see(&machine, "status-without-tracker", columns, &["status"]);
        see(&Machine::empty(), "status-of-nothing", columns, &["status"]);
        see(&Machine::empty(), "list-of-nothing", columns, &["list"]);
    }
}

#[test]
fn several_names() {
    for columns in WIDTHS {
        let machine = Machine::full();
        see(&machine, "status-several", columns, &["status", "a.img", "nothing.img", NAMES[2]]);
        see(&machine, "status-pattern", columns, &["status", "lab-*"]);
        see(&machine, "error-pattern", columns, &["status", "b*.img"]);
        see(&machine, "get-pattern", columns, &["get", "b*.img"]);
        see(&machine, "remove-pattern", columns, &["remove", "b*.img"]);
        see(&machine, "events-unknown", columns, &["events", "--no-follow", "lab-*", "nothing.img"]);
        for (answer, name) in [("n\n", "remove-refused"), ("y\n", "remove-confirmed")] {
            let args = ["remove", "lab-*"];
            let terminal = machine.run(columns, &args);
            terminal.wait_until("a question", |shown| shown.text().ends_with("? [y/N]"));
            terminal.type_in(answer);
            compare(&terminal.end(), name, columns, &args, "");
        }
        let id = ResourceId::of(b"a.img");
        machine.fake.state().accepted = Some(Ok(accepted("a.img", id, true)));
        see(&machine, "get-several", columns, &["get", "a.img", NAMES[1]]);
    }
}

#[test]
fn what_a_tracker_knows() {
    for columns in WIDTHS {
        let machine = Machine::full();
        std::fs::write(machine.home.path().join("hosts.txt"), "10.20.130.1\n10.20.130.99\n").unwrap();
        see(&machine, "tracker-list", columns, &["tracker", "list"]);
        see(&machine, "tracker-peers", columns, &["tracker", "peers", "a.img"]);
        see(&machine, "tracker-resources", columns, &["tracker", "resources", "10.20.130.1"]);
        see(&machine, "fleet", columns, &["fleet", "a.img"]);
        see(&machine, "fleet-expect", columns, &["fleet", "a.img", "--expect", "hosts.txt"]);
        see(&machine, "wait-peers", columns, &["wait", "a.img", "--peers", "3"]);
    }
}

#[test]
fn what_is_done() {
    for columns in WIDTHS {
        let machine = Machine::full();
        let home = machine.home.path();
        std::fs::write(home.join("lab.img"), vec![7; 3 << 20]).unwrap();
        for verb in ["pause", "resume", "remove", "unpublish"] {
            see(&machine, verb, columns, &[verb, "a.img", NAMES[1]]);
        }
        machine.fake.state().tasks =
            [TaskState::Verified { chunks_good: 4096, chunks_total: 4096, edited: None }].into();
        see(&machine, "verify", columns, &["verify", "a.img"]);
        see(&machine, "limit", columns, &["limit"]);
        see(&machine, "limit-save", columns, &["limit", "--upload", "20 MB/s", "--save"]);
        see(&machine, "wait", columns, &["wait", "a.img"]);
        let tracker = "tt://tracker.example";
        see(&machine, "create", columns, &["create", "lab.img", "--tracker", tracker]);
        see(&machine, "check", columns, &["check", "lab.img.tinytorrent"]);
        let shared = Shared {
            name: "lab.img".parse().unwrap(),
            resource: ResourceId::of(b"lab"),
            manifest: "/srv/tinytorrent/lab.img.tinytorrent".into(),
            warnings: vec!["tt://tracker.example was not reached: connection refused".to_owned()],
            refused: Vec::new(),
        };
        machine.fake.state().tasks = [TaskState::Shared(shared)].into();
        see(&machine, "share", columns, &["share", "lab.img"]);
        machine.fake.state().here.clear();
        machine.fake.state().listener = Some(TcpListener::bind("127.0.0.1:0").unwrap());
        see(&machine, "doctor", columns, &["doctor"]);
    }
}

#[test]
fn what_is_fetched() {
    for columns in WIDTHS {
        let machine = Machine::empty();
        let id = ResourceId::of(NAMES[2].as_bytes());
        machine.fake.state().accepted = Some(Ok(accepted(NAMES[2], id, true)));
        see(&machine, "get-complete", columns, &["get", NAMES[2]]);
        machine.fake.state().accepted = Some(Ok(accepted(NAMES[2], id, false)));
        see(&machine, "get-detach", columns, &["get", NAMES[2], "--detach"]);
        let mut done = resource("a.img", State_::Seeding);
        done.downloaded_bytes = 4 << 30;
        machine.fake.state().watched = [resource("a.img", State_::Checking), done].into();
        machine.fake.state().accepted = Some(Ok(accepted("a.img", id, false)));
        see(&machine, "get", columns, &["get", "a.img"]);
        machine.fake.state().accepted = Some(Ok(accepted(NAMES[2], id, false)));
        machine.fake.state().watched = [resource(NAMES[2], State_::Waiting)].into();
        see(&machine, "get-timeout", columns, &["get", NAMES[2], "--timeout", "400 ms"]);
        machine.fake.state().watched = [resource(NAMES[2], State_::Error)].into();
        see(&machine, "get-no-space", columns, &["get", NAMES[2]]);
        machine.fake.state().watched = [resource(NAMES[2], State_::Downloading)].into();
        let terminal = machine.run_with(columns, 24, &[], &["get", NAMES[2]]);
        terminal.wait_until("a bar", |shown| shown.text().contains("50 %"));
        let bar = terminal.shown().text();
        terminal.type_in("\x03");
        compare(&terminal.end(), "get-interrupted", columns, &["get", NAMES[2]], &format!("{bar}\n^C\n"));
    }
}

#[test]
fn what_goes_wrong() {
    for columns in WIDTHS {
        let machine = Machine::full();
        let no_ttd = [("TT_SOCKET", "nowhere/ttd.sock")];
        see_with(&machine, "error-no-ttd", columns, &no_ttd, &["status"]);
        see(&machine, "error-unknown", columns, &["status", "nothing"]);
        see(&machine, "error-usage", columns, &["get", "x", "--timeout", "soon"]);
        see(&machine, "error-no-verb", columns, &["fetch", "x"]);
        see(&machine, "error-no-file", columns, &["share", "nothing.img"]);
        see(&machine, "error-refused", columns, &["get", "x"]);
        machine.fake.state().accepted = Some(Err(refused("x is taken by other content (07070707)")));
        see(&machine, "error-taken", columns, &["get", "x"]);
        let message = "cannot reach the tracker tt://tracker.example: connection refused".to_owned();
        let hint = Some("is tt-tracker running there, and its port open?".to_owned());
        machine.fake.state().no_tracker = Some(ControlError { kind: ErrorKind::Unreachable, message, hint });
        see(&machine, "error-no-tracker", columns, &["tracker", "list"]);
        see_with(&machine, "error-no-ttd-json", columns, &no_ttd, &["status", "--json"]);
        see(&machine, "error-unknown-json", columns, &["status", "nothing", "--json"]);
        see(&machine, "error-usage-json", columns, &["get", "x", "--timeout", "soon", "--json"]);
    }
}

#[test]
fn what_shells_are_told() {
    let machine = Machine::full();
    for shell in ["bash", "zsh", "fish"] {
        see(&machine, &format!("completions-{shell}"), 140, &["completions", shell]);
    }
    let asks = [("TTCTL_COMPLETE", "fish")];
    for (name, line) in [
        ("verbs", &["--", "ttctl", ""][..]),
        ("names", &["--", "ttctl", "status", ""]),
        ("begun-name", &["--", "ttctl", "status", "lab-2026-debian-bookworm-desktop."]),
        ("options", &["--", "ttctl", "status", "--w"]),
        ("published", &["--", "ttctl", "fleet", "f"]),
    ] {
        see_with(&machine, &format!("complete-{name}"), 140, &asks, line);
    }
}

#[test]
fn who_this_machine_is() {
    const TOKEN: &str = "tt1.edmqgx35cnq20rksehjq683fcr.csmqcs9n.c4g76sb3e9jq8839egg6jws0447v";
    let name_taken = || {
        let hint = "choose another name, or revoke the other key (`ttctl ca revoke web-1`)";
        ControlError {
            hint: Some(hint.to_owned()),
            ..refused("tt://hub.example: web-1 belongs to another key")
        }
    };
    for columns in WIDTHS {
        let machine = Machine::empty();
        see(&machine, "identity", columns, &["identity"]);
        std::fs::write(machine.home.path().join("token"), TOKEN).unwrap();
        let path = machine.home.path().join("token");
        let join = ["join", "--token-file", path.to_str().unwrap(), "--tracker", "tt://hub.example"];
        let ended = machine.run_with(columns, crate::pty::TALL, &[], &join).end();
        compare(
            &ended,
            "join",
            columns,
            &["join", "--token-file", "token", "--tracker", "tt://hub.example"],
            "",
        );
        machine.fake.state().identity = Some(Err(name_taken()));
        let ended = machine.run_with(columns, crate::pty::TALL, &[], &join).end();
        compare(
            &ended,
            "join-taken",
            columns,
            &["join", "--token-file", "token", "--tracker", "tt://hub.example"],
            "",
        );
    }
}

#[test]
fn the_help_of_each_verb() {
    let machine = Machine::empty();
    let ttctl = ctl::cli::Cli::command();
    for columns in WIDTHS {
        see(&machine, "help", columns, &["--help"]);
        for verb in ttctl.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let name = verb.get_name();
            see(&machine, &format!("help-{name}"), columns, &[name, "--help"]);
            for below in verb.get_subcommands() {
                let below = below.get_name();
                see(&machine, &format!("help-{name}-{below}"), columns, &[name, below, "--help"]);
            }
        }
    }
}
