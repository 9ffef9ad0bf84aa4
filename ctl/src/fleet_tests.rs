//! The output of `ttctl fleet` for people and for scripts.

use super::*;
use crate::cli::{Cli, Command};
use crate::tests::Sink;
use clap::Parser;
use shared::chunk::ChunkCount;
use shared::id::{ListDigest, PeerId, ResourceId, SwarmKey};

fn machine(number: u8, presence: Presence, have: u32, rate: Option<u64>, still_s: u64) -> FleetMachine {
    FleetMachine {
        peer_id: PeerId([0; 16]),
        addr: SocketAddr::from(([10, 0, 0, number], 7987)),
        key: SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([2; 32]) },
        zone: if number.is_multiple_of(2) { "north".to_owned() } else { String::new() },
        presence,
        have,
        count: ChunkCount::new(400).unwrap(),
        bytes_per_s: rate,
        seen_ms: 2500,
        still_ms: still_s * 1000,
        host: if number == 2 { "pc-2".to_owned() } else { String::new() },
        node: None,
    }
}

fn machines() -> Vec<FleetMachine> {
    vec![
        machine(1, Presence::Here, 400, None, 900),
        machine(2, Presence::Here, 100, Some(5 << 20), 1),
        machine(3, Presence::Here, 399, Some(0), 61),
        machine(4, Presence::Left, 10, None, 300),
        machine(5, Presence::Here, 100, Some(4 << 20), 1),
        machine(6, Presence::Lost, 400, None, 300),
    ]
}

async fn expected() -> Vec<Expected> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "10.0.0.5\n10.0.0.77 # new\n10.0.0.1:7987\n").unwrap();
    expect::read(file.path()).await.unwrap()
}

/// A tracker's answer for a resource with these machines.
fn fleet(machines: &[FleetMachine]) -> Fleet {
    let resource = Some(ResourceId([1; 32]));
    Fleet { resource, shared_ago_ms: Some(720_000), machines: machines.to_vec(), ..Fleet::default() }
}

fn args(flags: &[&str]) -> FleetArgs {
    let line = ["ttctl", "fleet", "lab.img"].iter().chain(flags);
    match Cli::try_parse_from(line).unwrap().command {
        Command::Fleet(args) => args,
        _ => unreachable!("it is fleet"),
    }
}

const HOSTS: [&str; 2] = ["--expect", "dir/hosts.txt"];

fn shown(machines: &[FleetMachine], expected: &[Expected], flags: &[&str], json: bool) -> String {
    let output = Output::to(Sink::default(), &Global { json, ..Global::default() });
    let args = args(flags);
    let mut shown = Shown::new(&args, expected.to_vec());
    shown.answered("tt://t:7986", fleet(machines));
    match args.watch || json {
        true => shown.lines(&output).unwrap().join("\n"),
        false => shown.text(&output).join("\n"),
    }
}

#[tokio::test]
async fn the_slowest_come_first() {
    assert_eq!(
        shown(&machines(), &expected().await, &HOSTS, false),
        "\
HOST           ADDRESS        STATE        DONE       RATE  ZONE      SEEN  NOTE
10.0.0.77                     never seen
               10.0.0.4:7987  left          2 %             north  2 s ago  not listed
               10.0.0.3:7987  stuck        99 %      0 B/s         2 s ago  not listed
10.0.0.5       10.0.0.5:7987  running      25 %  4.0 MiB/s         2 s ago
pc-2           10.0.0.2:7987  running      25 %  5.0 MiB/s  north  2 s ago  not listed
               10.0.0.6:7987  lost        100 %             north  2 s ago  not listed
10.0.0.1:7987  10.0.0.1:7987  done        100 %                    2 s ago
7 machines: 1 done, 2 running, 1 stuck, 2 gone, 1 never seen"
    );
    assert_eq!(
        shown(&machines(), &expected().await, &[&HOSTS[..], &["--only-expected"]].concat(), false),
        "\
HOST           ADDRESS        STATE        DONE       RATE     SEEN
10.0.0.77                     never seen
10.0.0.5       10.0.0.5:7987  running      25 %  4.0 MiB/s  2 s ago
10.0.0.1:7987  10.0.0.1:7987  done        100 %             2 s ago
3 machines: 1 done, 1 running, 0 stuck, 1 never seen"
    );
}

/// Adds a machine with other content under the name, and one that reports a strange host name.
#[test]
fn outdated_machines_say_which_version_they_have() {
    let resource = ResourceId([0xab; 32]);
    let former = |number, have| {
        let host = "pc\u{1b}[2J".to_owned();
        let machine = machine(number, Presence::Here, have, Some(1 << 20), 900);
        FleetMachine { key: SwarmKey { resource, ..machine.key }, host, ..machine }
    };
    let machines = [machine(1, Presence::Here, 400, None, 900), former(3, 400), former(5, 7)];
    assert_eq!(
        shown(&machines, &[], &[], false),
        "\
HOST         ADDRESS        STATE      DONE     SEEN  HAS
pc\\u{1b}[2J  10.0.0.3:7987  outdated         2 s ago  abababab…
pc\\u{1b}[2J  10.0.0.5:7987  outdated         2 s ago  abababab…
             10.0.0.1:7987  done      100 %  2 s ago
3 machines: 1 done, 0 running, 0 stuck, 2 outdated; lab.img is 01010101…, shared 12 min 00 s ago"
    );
    let lines = shown(&machines, &[], &["--watch"], false);
    assert!(lines.starts_with("pc\\u{1b}[2J 10.0.0.3:7987: outdated, has abababab…\n"), "{lines}");
    let document = shown(&machines, &[], &[], true);
    for part in [
        "\"state\":\"outdated\",\"percent\":null,\"chunks_have\":400,".to_owned(),
        format!("\"expected\":null,\"resource\":\"{resource}\",\"node\":null}}"),
        "\"outdated\":2},\"shared_ago_ms\":720000}".to_owned(),
    ] {
        assert!(document.contains(&part), "{part} is not in {document}");
    }
}

#[test]
fn in_a_pipe_a_watched_fleet_is_a_line_per_machine() {
    assert_eq!(
        shown(&machines()[1..3], &[], &["--watch"], false),
        "\
10.0.0.3:7987: stuck 99 %, 0 B/s
pc-2 10.0.0.2:7987: running 25 %, 5.0 MiB/s, zone north
2 machines: 0 done, 1 running, 1 stuck"
    );
    assert_eq!(shown(&[], &[], &[], false), "0 machines: 0 done, 0 running, 0 stuck");
}

#[tokio::test]
async fn the_document_keeps_its_names_and_their_order() {
    let text = shown(&machines()[1..2], &expected().await[1..2], &HOSTS, true);
    let resource = ResourceId([1; 32]);
    assert_eq!(
        text,
        format!(
            "{{\"schema_version\":1,\"tracker\":\"tt://t:7986\",\"resource\":\"{resource}\",\"machines\":[\
             {{\"host\":\"10.0.0.77\",\"addr\":null,\"state\":\"never_seen\",\"percent\":null,\
             \"chunks_have\":null,\"chunks_total\":null,\"bytes_per_s\":null,\"zone\":null,\"seen_ms\":null,\
             \"still_ms\":null,\"expected\":true,\"resource\":null,\"node\":null}},\
             {{\"host\":\"pc-2\",\"addr\":\"10.0.0.2:7987\",\"state\":\"running\",\"percent\":25,\
             \"chunks_have\":100,\"chunks_total\":400,\"bytes_per_s\":5242880,\"zone\":\"north\",\
             \"seen_ms\":2500,\"still_ms\":1000,\"expected\":false,\"resource\":\"{resource}\",\"node\":null}}],\
             \"summary\":{{\"machines\":2,\"done\":0,\"running\":1,\"stuck\":0,\"gone\":0,\"never_seen\":1,\"outdated\":0}},\
             \"shared_ago_ms\":720000}}"
        )
    );
}
