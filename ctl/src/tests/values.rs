//! Values that the fake daemon answers with, and that tests begin from.

use shared::chunk::ChunkCount;
use shared::id::{ListDigest, PeerId, ResourceId, SwarmKey};
use shared::identity::Role;
use shared::name::ResourceName;
use shared::rpc::PROTOCOL_VERSION;
pub use shared::rpc::control::State as State_;
use shared::rpc::control::{
    Accepted, Certificate, ControlError, DaemonInfo, Direction, ErrorKind, FileEvent, FollowedTracker,
    Happened, Happening, IdentityOrigin, IdentityReport, Limit, Limits, ModeOrigin, NewestVersion, Overview,
    PeerInfo, ResourceStatus, SubscriptionStatus, TlsState, TrackerEvent, TrackerStatus, Unpublished,
};
use shared::rpc::tracker::{ListEntry, Publication};
use shared::tls_mode::TlsMode;
use shared::token::Pin;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A status that tests can change.
pub fn status(name: &str, resource: ResourceId, state: State_) -> ResourceStatus {
    ResourceStatus {
        chunks_have: 1,
        chunks_total: 2,
        bytes_have: 1 << 20,
        peers: 3,
        ..ResourceStatus::new(name.parse().unwrap(), resource, state)
    }
}

pub fn accepted(name: &str, resource: ResourceId, complete: bool) -> Accepted {
    Accepted {
        name: name.parse().unwrap(),
        resource,
        count: ChunkCount::new(2).unwrap(),
        complete,
        is_tree: false,
        comparing: None,
    }
}

pub fn refused(message: &str) -> ControlError {
    ControlError { kind: ErrorKind::Refused, message: message.to_owned(), hint: None }
}

/// Who a machine is that joined a fleet.
pub fn identity() -> IdentityReport {
    IdentityReport {
        origin: IdentityOrigin::Joined,
        mode: TlsMode::Require,
        mode_origin: ModeOrigin::Joined,
        file: Some("/var/lib/ttd/identity/identity.pem".into()),
        certificate: Some(Certificate {
            node: "web-1".parse().unwrap(),
            roles: vec![Role::Peer],
            groups: vec!["web".parse().unwrap()],
            not_before_s: 1_800_000_000,
            not_after_s: 1_807_776_000,
        }),
        authorities: vec![Pin(*b"sixteen bytes of")],
        tracker: Some("tt://hub.example".parse().unwrap()),
        renewal_s: Some(1_805_184_000),
        revoked_list: Some(3),
        now_s: 1_800_086_400,
        fault: None,
        hint: None,
    }
}

/// An entry of a tracker's list.
pub fn listed(name: &str) -> ListEntry {
    let key = SwarmKey { resource: ResourceId::of(name.as_bytes()), digest: ListDigest([0; 32]) };
    let (name, count) = (name.parse().unwrap(), ChunkCount::new(1).unwrap());
    let publication =
        Publication { name, key, count, trackers: Vec::new(), shared_at_ms: 0, bytes: None, signature: None };
    ListEntry { publication, seeders: 1, leechers: 0 }
}

/// A peer that chunks come from, and one that they go to.
pub fn peers(name: ResourceName, resource: ResourceId) -> Vec<PeerInfo> {
    let source = PeerInfo {
        addr: "10.0.0.9:7987".parse().unwrap(),
        connected: true,
        chunks_have: 1,
        chunks_total: 4,
        in_flight: 2,
        chunks_received: 7,
        chunks_corrupt: 0,
        direction: Direction::Download,
        chunks_sent: 0,
        name,
        resource,
        bytes_per_s: None,
        active_s: None,
    };
    let (addr, direction) = ("10.0.0.10:7987".parse().unwrap(), Direction::Upload);
    let taker = PeerInfo {
        addr,
        direction,
        chunks_have: 0,
        chunks_received: 0,
        chunks_sent: 5,
        bytes_per_s: Some(3 << 20),
        active_s: Some(75),
        ..source.clone()
    };
    vec![source, taker]
}

/// The answer of a ttd of which no tracker keeps a name, but `kept`.
pub fn unpublished(names: Vec<ResourceName>) -> Unpublished {
    let kept = names.iter().filter(|name| name.as_str() == "kept").cloned();
    let kept = kept.map(|name| (name, "it is kept".to_owned())).collect();
    Unpublished { names, warnings: vec!["tt://b is away".to_owned()], kept }
}

/// A daemon that is doing well, with a tracker that is away.
pub fn overview() -> Overview {
    let trouble = |url: &str, trouble: Option<&str>| TrackerStatus {
        url: url.parse().unwrap(),
        trouble: trouble.map(str::to_owned),
        trouble_s: trouble.map(|_| 42),
        lasting: trouble.map(|trouble| format!("unreachable for 42 s ({trouble})")),
    };
    Overview {
        uptime_s: 12_000,
        uid: 990,
        user: Some("tinytorrent".to_owned()),
        socket: "/run/tinytorrent/ttd.sock".into(),
        zone: "room 12".to_owned(),
        free_bytes: Some(12 << 30),
        disk_bytes: Some(20 << 30),
        limits: Limits {
            download: Limit::BytesPerS(6_250_000),
            upload: Limit::BytesPerS(20_000_000),
            download_until_ms: Some(1_772_388_000_000),
            upload_until_ms: None,
        },
        limits_file: Some("/var/lib/tinytorrent/.tinytorrent/limits.toml".into()),
        config_files: vec!["/etc/tinytorrent/ttd.toml".into(), "/etc/tinytorrent/ttd.d/site.toml".into()],
        trackers: vec![
            trouble("tt://tracker.example", None),
            trouble("tt://standby.example", Some("connection refused")),
        ],
        states: vec![(State_::Seeding, 3), (State_::Waiting, 1)],
        peers: 5,
        downloaded_bytes: 3 << 30,
        uploaded_bytes: 9 << 30,
        tls: TlsState {
            mode: TlsMode::Require,
            node: Some("web-1".parse().unwrap()),
            not_after: Some(1_803_000_000),
            fault: None,
            line: "tls = \"require\"; web-1, certificate valid until 2027-02-19 (30 days left)".to_owned(),
        },
        watch: None,
    }
}

/// What the fake daemon says of itself.
pub(super) fn info(folder: &Path) -> DaemonInfo {
    let metadata = std::fs::metadata(folder).unwrap();
    DaemonInfo {
        version: PROTOCOL_VERSION,
        software: "fake".into(),
        folder: folder.to_owned(),
        folder_device: metadata.dev(),
        folder_inode: metadata.ino(),
        listen: "127.0.0.1:7987".parse().unwrap(),
        peer_id: PeerId([1; 16]),
        pid: 1,
        trackers: Vec::new(),
        file_mode: 0o644,
        file_group: None,
        started_at_ms: 1_772_336_759_123,
    }
}

/// The events of a download, and of a tracker.
pub(super) fn events() -> Vec<Happened> {
    let file = |what| Happening::File {
        name: "lab-2026-debian-bookworm-desktop.img".parse().unwrap(),
        resource: ResourceId::of(b"lab"),
        what,
    };
    let lost = TrackerEvent::Lost { reason: "connection refused".to_owned() };
    let all = [
        file(FileEvent::Accepted),
        file(FileEvent::Waiting { reason: "no peer has chunk 7".to_owned() }),
        file(FileEvent::Resumed),
        file(FileEvent::Complete {
            bytes: 4 << 30,
            received: 4 << 30,
            took_ms: 42_000,
            sources: 3,
            reused: 0,
            chunks_reused: 0,
        }),
        Happening::Tracker { tracker: "tt://tracker.example".parse().unwrap(), what: lost },
    ];
    let happened = |(place, event)| Happened {
        number: place as u64 + 1,
        at_ms: 1_772_348_759_123 + place as u64 * 61_000,
        event,
    };
    all.into_iter().enumerate().map(happened).collect()
}

/// Two subscriptions, one of which waits for a signature.
pub(super) fn subscriptions() -> Vec<SubscriptionStatus> {
    let tracker = |error: Option<&str>| FollowedTracker {
        url: "tt://tracker.example".parse().unwrap(),
        has_answered: true,
        error: error.map(str::to_owned),
    };
    let apps = SubscriptionStatus {
        names: vec!["app-*".to_owned()],
        place: "/etc/tinytorrent/ttd.d/60-subscriptions.toml:3".to_owned(),
        trackers: vec![tracker(None)],
        fetched: 3,
        waiting: 0,
        complete: 3,
        unfinished: 0,
        newest: Some(NewestVersion {
            name: "app-2".parse().unwrap(),
            resource: ResourceId([7; 32]),
            shared_at_ms: 1_764_000_000_000,
        }),
        error: None,
    };
    let images = SubscriptionStatus {
        names: vec!["lab.img".to_owned(), "*.iso".to_owned()],
        place: "/etc/tinytorrent/ttd.toml:12".to_owned(),
        fetched: 0,
        waiting: 1,
        complete: 0,
        newest: None,
        error: Some("lab.img: it has no signature, and needs one".to_owned()),
        ..apps.clone()
    };
    vec![apps, images]
}
