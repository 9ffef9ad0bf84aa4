//! `ttctl info`: shows the state of the daemon as a whole.

use crate::cli::Global;
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::details::Details;
use crate::documents::{Document, LimitsDocument, Tls, TrackerHealth};
use crate::error::Error;
use crate::human;
use crate::limit::lasting;
use crate::local_time;
use crate::output::{Colour, Output};
use crate::status::state;
use crate::watching::{self, WatchDocument};
use serde::Serialize;
use shared::rpc::control::{DaemonInfo, Limits, Overview, State, TrackerStatus};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

pub(crate) async fn info(global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let overview = daemon.caller.overview(CALL_TIMEOUT).await??;
    if output.is_json() {
        return output.json(&Document::new(Info::of(&daemon.info, &overview)));
    }
    details(&daemon.info, &overview, output).print(output)
}

fn details(info: &DaemonInfo, overview: &Overview, output: &Output) -> Details {
    let uptime = human::duration(Duration::from_secs(overview.uptime_s));
    let mut details = Details::default();
    details.add("version", format!("{} (protocol {})", info.software, info.version));
    details.add("pid", info.pid.to_string());
    details.add("up", format!("{uptime}, since {}", local_time::minute(info.started_at_ms, output)));
    details.add("user", user(overview));
    details.add("directory", format!("{}{}", info.folder.display(), space(overview)));
    details.add("socket", overview.socket.display().to_string());
    details.add("listens at", info.listen.to_string());
    details.add("peer id", info.peer_id.to_string());
    details.add("zone", &overview.zone);
    details.add("limits", limits(overview.limits, overview.limits_file.as_deref(), output));
    let tls = if overview.tls.fault.is_none() { Colour::Good } else { Colour::Bad };
    details.add_coloured("tls", &overview.tls.line, tls);
    for tracker in &overview.trackers {
        let colour = if tracker.trouble.is_none() { Colour::Good } else { Colour::Bad };
        details.add_coloured("tracker", &health(tracker), colour);
    }
    details.add("files", files(&overview.states));
    if let Some(watch) = &overview.watch {
        details.add("watch", watching::line(watch));
        watching::refused(watch)
            .iter()
            .for_each(|refused| details.add_coloured("not shared", refused, Colour::Bad));
    }
    details.add("peers", overview.peers.to_string());
    details.add("received", format!("{} since ttd started", human::bytes(overview.downloaded_bytes)));
    details.add("sent", format!("{} since ttd started", human::bytes(overview.uploaded_bytes)));
    if overview.config_files.is_empty() {
        details.add("config", "no file; using defaults");
    }
    overview.config_files.iter().for_each(|file| details.add("config", file.display().to_string()));
    details
}

/// "tinytorrent (uid 990)"
fn user(overview: &Overview) -> String {
    match &overview.user {
        Some(name) => format!("{name} (uid {})", overview.uid),
        None => format!("uid {}", overview.uid),
    }
}

/// ", 12 GiB of 20 GiB free"
fn space(overview: &Overview) -> String {
    let sizes = overview.free_bytes.zip(overview.disk_bytes);
    let text = |(free, total)| format!(", {} of {} free", human::bytes(free), human::bytes(total));
    sizes.map(text).unwrap_or_default()
}

/// "download none, upload 20 MB/s (saved in …)"
fn limits(limits: Limits, file: Option<&Path>, output: &Output) -> String {
    let saved = file.map(|file| format!(" (saved in {})", file.display())).unwrap_or_default();
    let download = lasting(limits.download, limits.download_until_ms, output);
    format!("download {download}, upload {}{saved}", lasting(limits.upload, limits.upload_until_ms, output))
}

/// "tt://host:7986: reachable"
fn health(tracker: &TrackerStatus) -> String {
    let lasting = || human::duration(Duration::from_secs(tracker.trouble_s.unwrap_or_default()));
    match &tracker.trouble {
        Some(trouble) => format!("{}: {trouble}, for {}", tracker.url, lasting()),
        None => format!("{}: no trouble", tracker.url),
    }
}

/// "3 seeding, 1 downloading"
fn files(states: &[(State, u32)]) -> String {
    let counts: Vec<String> = states.iter().map(|&(of, count)| format!("{count} {}", state(of))).collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}

/// `info`
#[derive(Debug, Serialize)]
struct Info {
    version: String,
    protocol_version: u16,
    pid: u32,
    uptime_s: u64,
    /// Milliseconds since 1970.
    started_at_ms: u64,
    uid: u32,
    user: Option<String>,
    directory: String,
    /// `null` if the file system does not report it.
    free_bytes: Option<u64>,
    disk_bytes: Option<u64>,
    socket: String,
    listen: SocketAddr,
    peer_id: String,
    zone: Option<String>,
    #[serde(flatten)]
    limits: LimitsDocument,
    /// The file of saved limits; `null` if nothing is saved.
    limits_file: Option<String>,
    /// The trackers, those of the configuration first.
    trackers: Vec<TrackerHealth>,
    /// The number of files in each state; states without files are left out.
    states: BTreeMap<&'static str, u32>,
    peers: u32,
    /// Bytes since ttd was started.
    downloaded_bytes: u64,
    uploaded_bytes: u64,
    config_files: Vec<String>,
    tls: Tls,
    /// `null` if the shared directory is not watched.
    watch: Option<WatchDocument>,
}

impl Info {
    fn of(info: &DaemonInfo, overview: &Overview) -> Info {
        let path = |path: &Path| path.display().to_string();
        Info {
            version: info.software.clone(),
            protocol_version: info.version,
            pid: info.pid,
            uptime_s: overview.uptime_s,
            started_at_ms: info.started_at_ms,
            uid: overview.uid,
            user: overview.user.clone(),
            directory: path(&info.folder),
            free_bytes: overview.free_bytes,
            disk_bytes: overview.disk_bytes,
            socket: path(&overview.socket),
            listen: info.listen,
            peer_id: info.peer_id.to_string(),
            zone: Some(overview.zone.clone()).filter(|zone| !zone.is_empty()),
            limits: overview.limits.into(),
            limits_file: overview.limits_file.as_deref().map(path),
            trackers: overview.trackers.iter().map(TrackerHealth::from).collect(),
            states: overview.states.iter().map(|&(of, count)| (state(of), count)).collect(),
            peers: overview.peers,
            downloaded_bytes: overview.downloaded_bytes,
            uploaded_bytes: overview.uploaded_bytes,
            config_files: overview.config_files.iter().map(|file| path(file)).collect(),
            tls: Tls::from(&overview.tls),
            watch: overview.watch.as_ref().map(WatchDocument::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::PeerId;
    use shared::rpc::control::{Limit, TlsState};
    use shared::tls_mode::TlsMode;

    fn running() -> (DaemonInfo, Overview) {
        let info = DaemonInfo {
            version: 2,
            software: "0.1.0".to_owned(),
            folder: "/var/lib/tinytorrent".into(),
            folder_device: 1,
            folder_inode: 2,
            listen: "[::]:7987".parse().unwrap(),
            peer_id: PeerId([1; 16]),
            pid: 4711,
            trackers: Vec::new(),
            file_mode: 0o644,
            file_group: None,
            started_at_ms: 0,
        };
        let tracker = |url: &str, trouble: Option<&str>| TrackerStatus {
            url: url.parse().unwrap(),
            trouble: trouble.map(str::to_owned),
            trouble_s: trouble.map(|_| 40),
            lasting: None,
        };
        let overview = Overview {
            uptime_s: 12_000,
            uid: 990,
            user: Some("tinytorrent".to_owned()),
            socket: "/run/tinytorrent/ttd.sock".into(),
            zone: "room 12".to_owned(),
            free_bytes: Some(12 << 30),
            disk_bytes: Some(20 << 30),
            limits: Limits {
                download: Limit::None,
                upload: Limit::BytesPerS(20_000_000),
                download_until_ms: None,
                upload_until_ms: None,
            },
            limits_file: Some("/var/lib/tinytorrent/.tinytorrent/limits.toml".into()),
            config_files: vec!["/etc/tinytorrent/ttd.toml".into(), "/etc/tinytorrent/ttd.d/a.toml".into()],
            trackers: vec![tracker("tt://a", None), tracker("tt://b", Some("connection refused"))],
            states: vec![(State::Seeding, 3), (State::Waiting, 1)],
            peers: 5,
            downloaded_bytes: 3 << 20,
            uploaded_bytes: 0,
            tls: TlsState {
                mode: TlsMode::Require,
                node: Some("web-1".parse().unwrap()),
                not_after: Some(1_803_000_000),
                fault: None,
                line: "tls = \"require\"; web-1, certificate valid until 2027-02-19 (30 days left)"
                    .to_owned(),
            },
            watch: None,
        };
        (info, overview)
    }

    #[test]
    fn a_person_reads_a_line_for_each() {
        let (info, overview) = running();
        let output = Output::to(Vec::new(), &Global::default());
        let lines = details(&info, &overview, &output).lines(&output);
        let has = |line: &str| assert!(lines.iter().any(|it| it == line), "{line}: {lines:#?}");
        has("version    0.1.0 (protocol 2)");
        has("user       tinytorrent (uid 990)");
        has("directory  /var/lib/tinytorrent, 12 GiB of 20 GiB free");
        has(
            "limits     download none, upload 20 MB/s (saved in /var/lib/tinytorrent/.tinytorrent/limits.toml)",
        );
        has("tracker    tt://a: no trouble");
        has("tracker    tt://b: connection refused, for 40 s");
        has("tls        tls = \"require\"; web-1, certificate valid until 2027-02-19 (30 days left)");
        has("files      3 seeding, 1 waiting");
        has("config     /etc/tinytorrent/ttd.d/a.toml");
        assert!(lines.iter().any(|line| line.starts_with("up         3 h 20 min, since 19")), "{lines:#?}");
    }

    #[test]
    fn a_script_gets_numbers() {
        let (info, overview) = running();
        let document = serde_json::to_value(Document::new(Info::of(&info, &overview))).unwrap();
        assert_eq!(document["schema_version"], 1);
        assert_eq!(document["directory"], "/var/lib/tinytorrent");
        assert_eq!(document["upload_limit_bytes_per_s"], 20_000_000);
        assert!(document["download_limit_bytes_per_s"].is_null());
        assert_eq!(document["states"]["seeding"], 3);
        assert_eq!(document["trackers"][1]["trouble"], "connection refused");
        assert_eq!(
            (&document["tls"]["mode"], &document["tls"]["node"]),
            (&"require".into(), &"web-1".into())
        );
        assert!(document["tls"]["fault"].is_null());
        assert_eq!(document["config_files"][0], "/etc/tinytorrent/ttd.toml");
    }
}
