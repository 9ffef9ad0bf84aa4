//! A machine and a fleet on a bad day: long names, long reasons, a dead tracker.

use crate::fake::{Fake, State_, status};
use crate::pty::{Setting, TALL, Terminal};
use shared::chunk::ChunkCount;
use shared::id::{ListDigest, PeerId, ResourceId, SwarmKey};
use shared::rpc::control::{ErrorKind, ResourceStatus, TrackerStatus};
use shared::rpc::tracker::{FleetMachine, PeerEntry, Presence, ResourceEntry, Stage};
use shared::wanted::WantedBy;
use std::net::SocketAddr;
use std::path::PathBuf;
use tempfile::TempDir;

/// Names of 5 to 80 columns, in several scripts.
pub const NAMES: [&str; 7] = [
    "a.img",
    "forecast-2026.grib2",
    "lab-2026-debian-bookworm-desktop.img",
    "数据模型-气象预报-2026-11-26-00z.grib2",
    "lab-2026-debian-bookworm-desktop-with-all-the-tools-for-all-the-courses.img.zst",
    "fotos 👩‍👩‍👧‍👦 e\u{301}te\u{301}.zip",
    "w\u{443}\u{301}.tar.gz",
];

/// A fake daemon and a home directory for ttctl.
pub struct Machine {
    pub fake: Fake,
    pub home: TempDir,
    socket: String,
}

impl Machine {
    /// A machine without files.
    pub fn empty() -> Machine {
        let fake = Fake::start();
        fake.state().folder_told = Some(PathBuf::from("/srv/tinytorrent"));
        let socket = format!("{}/.tinytorrent/ttd.sock", fake.folder());
        Machine { fake, home: tempfile::tempdir().unwrap(), socket }
    }

    /// A machine with resources in all states and with all names.
    pub fn full() -> Machine {
        let machine = Machine::empty();
        let mut state = machine.fake.state();
        state.here = resources();
        state.published = NAMES.to_vec();
        state.published.sort_unstable(); // a tracker lists them sorted
        state.machines = machines();
        state.tracked_peers = machines().iter().map(peer_entry).collect();
        state.tracked_resources = NAMES.iter().map(|name| resource_entry(name)).collect();
        drop(state);
        machine
    }

    /// Runs a command line on a terminal of this width.
    pub fn run(&self, columns: u16, args: &[&str]) -> Terminal {
        self.run_with(columns, TALL, &[], args)
    }

    pub fn run_with(&self, columns: u16, rows: u16, env: &[(&str, &str)], args: &[&str]) -> Terminal {
        let env = [&[("TT_SOCKET", self.socket.as_str())], env].concat();
        Terminal::run(&Setting { columns, rows, home: self.home.path(), env: &env }, args)
    }

    /// Runs an interactive shell, whose ttctl talks to the fake daemon.
    pub fn shell(&self, program: &str, args: &[&str]) -> Terminal {
        let env = [("TT_SOCKET", self.socket.as_str()), ("PS1", "$ ")];
        let setting = Setting { columns: 100, rows: 60, home: self.home.path(), env: &env };
        Terminal::run_program(program, &setting, args)
    }
}

fn resources() -> Vec<ResourceStatus> {
    let states = [
        State_::Seeding,
        State_::Downloading,
        State_::Waiting,
        State_::Outdated,
        State_::Error,
        State_::Paused,
        State_::Checking,
    ];
    let all = NAMES.iter().zip(states).map(|(name, state)| resource(name, state));
    all.collect()
}

/// A typical resource in this state.
pub fn resource(name: &str, state: State_) -> ResourceStatus {
    let mut resource = ResourceStatus {
        chunks_have: 2048,
        chunks_total: 4096,
        bytes_have: 2 << 30,
        wanted_by: vec![WantedBy::User { uid: 1000, name: Some("alice".to_owned()) }].into(),
        added_at_ms: Some(1_772_348_759_123),
        path: Some(format!("/srv/tinytorrent/{name}").into()),
        ..status(name, ResourceId::of(name.as_bytes()), state)
    };
    match state {
        State_::Seeding | State_::Outdated => {
            (resource.chunks_have, resource.bytes_have) = (4096, 4 << 30);
            resource.bytes_total = Some(4 << 30);
            (resource.upload_bytes_per_s, resource.upload_peers, resource.peers) = (111 << 20, 31, 0);
            resource.uploaded_bytes = 9 << 30;
            if state == State_::Outdated {
                resource.reason = Some(format!(
                    "tt://tracker.example:7986 has a newer version of {name}: 4c47b3e8…, by 10.20.130.1:7987, 2 h ago; \
                     fetch it with `ttctl get --replace {name}`"
                ));
            }
        }
        State_::Downloading => {
            (resource.download_bytes_per_s, resource.downloaded_bytes) = (14 << 20, 2 << 30);
            (resource.eta_s, resource.peers) = (Some(146), 12);
        }
        State_::Waiting => {
            let why = "the only useful peer has sent nothing for 14 s; the download limit is 10 kB/s";
            resource.reason = Some(why.to_owned());
        }
        State_::Error => {
            let why = "cannot write /srv/tinytorrent/.tinytorrent/resources/f263e27ea551aa92e85e24021775945c151fe393f9b4\
                       87adef316b0b63b20016-f263e27ea551aa92/data.part: no space left on device";
            (resource.reason, resource.kind) = (Some(why.to_owned()), Some(ErrorKind::NoSpace));
        }
        State_::Paused => resource.reason = Some("paused by a user".to_owned()),
        State_::Checking => resource.reason = Some("checking 42 %".to_owned()),
    }
    resource.reason_here = resource.reason.clone();
    resource
}

/// Makes the resource's tracker a dead one.
pub fn without_tracker(resource: &mut ResourceStatus) {
    let url = "tt://tracker.example:7986".parse().unwrap();
    let (trouble, trouble_s) = (Some("connection refused".to_owned()), Some(42));
    let lasting = Some("unreachable for 42 s (connection refused)".to_owned());
    let why = "tracker tt://tracker.example:7986 unreachable for 42 s (connection refused)";
    resource.reason = Some(match &resource.reason_here {
        Some(here) => format!("{here}; {why}"),
        None => format!("new machines cannot find it: {why}"),
    });
    resource.trackers = vec![TrackerStatus { url, trouble, trouble_s, lasting }];
}

fn key(name: &str) -> SwarmKey {
    SwarmKey { resource: ResourceId::of(name.as_bytes()), digest: ListDigest([7; 32]) }
}

fn machines() -> Vec<FleetMachine> {
    let machine = |number: u8, presence, have, rate: Option<u64>| FleetMachine {
        peer_id: PeerId([number; 16]),
        addr: match number {
            3 => "[2001:db8:1234:5678:9abc:def0:1234:5678]:17987".parse().unwrap(),
            _ => SocketAddr::from(([10, 20, 130, number], 7987)),
        },
        // a former version
        key: key(if number == 3 { NAMES[1] } else { NAMES[0] }),
        zone: if number.is_multiple_of(2) { "building-north-2nd-floor".to_owned() } else { String::new() },
        presence,
        have,
        count: ChunkCount::new(400).unwrap(),
        bytes_per_s: rate,
        host: if number == 1 { String::new() } else { format!("lab-pc-{number}.building-north.example") },
        seen_ms: u64::from(number) * 100_000,
        still_ms: 1000,
        node: (number == 4).then(|| "lab-pc-4".parse().unwrap()),
    };
    vec![
        machine(1, Presence::Here, 400, None),
        machine(2, Presence::Here, 100, Some(1023 << 10)),
        machine(3, Presence::Here, 399, Some(0)),
        machine(4, Presence::Left, 10, None),
        machine(5, Presence::Lost, 400, None),
    ]
}

fn peer_entry(machine: &FleetMachine) -> PeerEntry {
    PeerEntry {
        peer_id: machine.peer_id,
        addr: machine.addr,
        key: machine.key,
        stage: if machine.have == 400 { Stage::Seeding } else { Stage::Leeching },
        have: machine.have,
        count: machine.count,
        zone: machine.zone.clone(),
        host: machine.host.clone(),
        node: machine.node.clone(),
    }
}

fn resource_entry(name: &str) -> ResourceEntry {
    ResourceEntry {
        key: key(name),
        name: Some(name.parse().unwrap()),
        stage: Stage::Seeding,
        have: 400,
        count: ChunkCount::new(400).unwrap(),
    }
}
