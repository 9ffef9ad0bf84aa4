//! `ttd.toml`.

use super::settings::settings;
use super::{
    ByteSize, CongestionControl, Dscp, FileMode, Glob, GroupName, HostPort, LimitRule, ListenAddr, Network,
    RateLimit, ReuseScope, Span, SubscribeRule, TrustRule, WatchMode, Zone,
};
use crate::host::logging::{LogFilter, LogFormat};
use crate::tls_mode::TlsMode;
use crate::url::TrackerUrl;
use std::num::NonZeroU32;
use std::path::PathBuf;

settings! {
    /// The settings in a daemon's config file. Its command line overrides them.
    pub struct DaemonConfig {
        /// The shared directory, an absolute path. Empty: systemd's state directory if ttd is a service,
        /// /var/lib/tinytorrent as root, ~/.local/share/tinytorrent for any other user.
        pub directory: Option<PathBuf> = None,
        /// The address and port for peers ("0.0.0.0:7987"), or a port on all addresses. Empty: port 7987;
        /// a ttd that was started as `ttd DIRECTORY` then takes the next free port up to 8018.
        pub listen: Option<ListenAddr> = None,
        /// The control socket, an absolute path. Empty: ttd.sock in systemd's runtime directory if ttd is a service,
        /// in /run/tinytorrent as root, in the runtime directory of any other user.
        pub socket: Option<PathBuf> = None,
        /// The permissions of the control socket, as octal digits. Whoever may write to it controls the daemon.
        pub socket_mode: FileMode = FileMode::new(0o660).expect("read and write for user and group"),
        /// The trackers for what is shared and fetched by name, as "tt://HOST:PORT" (port 7986 if left out).
        /// TT_TRACKERS in the environment replaces them.
        pub trackers: Vec<TrackerUrl> = Vec::new(),
        /// The download limit, for all peers together: "50 MB/s", "100 Mbit/s", "none", or 0 to pause downloads.
        /// A limit that `ttctl limit --save` saved comes before it.
        pub download_limit: RateLimit = RateLimit::None,
        /// The upload limit, for all peers together: "50 MB/s", "100 Mbit/s", "none", or 0 to pause uploads.
        /// A limit that `ttctl limit --save` saved comes before it.
        pub upload_limit: RateLimit = RateLimit::None,
        /// The zone of this machine, a name of at most 64 bytes. Machines that are close to each other (a site, a room)
        /// have the same zone: few chunks then cross from one zone to another. Empty: no zone.
        pub zone: Zone = Zone::default(),
        /// The address at which other machines reach this one, where that is not the address from which it connects to the
        /// tracker, as behind NAT or in a container: "203.0.113.7:7987", or a host without a port for the port of `listen`.
        /// A tracker tells it to others only if this machine is in its `advertise_networks`. Empty: the connection's address.
        pub advertise: Option<HostPort> = None,
        /// Whether connections with peers and trackers are encrypted and both sides show certificates: "off"; "prefer" (who
        /// speaks no TLS is served and asked as well); or "require" (nobody without a valid certificate is). Empty: what the token
        /// of `ttctl join` said, and "off" on a machine that has not joined.
        pub tls: Option<TlsMode> = None,
        /// The file with this machine's private key and its certificate, as PEM. Only the user of ttd may be able to read
        /// it. On a machine that has joined a fleet it is not needed. This file and those of the next two keys are read again within 5 s when they change.
        pub tls_identity: Option<PathBuf> = None,
        /// The file with the certificates of the authorities that the certificates of others must be from, as PEM.
        pub tls_ca: Option<PathBuf> = None,
        /// The file with the list of revoked certificates of these authorities, as DER or PEM. While there is no such file,
        /// nothing is revoked.
        pub tls_crl: Option<PathBuf> = None,
        /// The networks from which peers are served, as "10.0.0.0/8" or "10.1.2.3". Others are disconnected at once.
        /// Without any network all are served.
        pub allow_networks: Vec<Network> = Vec::new(),
        /// The log level: error, warn, info, debug or trace, also per module ("info,daemon::store=debug").
        pub log_level: LogFilter = LogFilter::default(),
        /// The log format: "text", "json" (one object per line) or "auto" (text, with colors on a terminal).
        pub log_format: LogFormat = LogFormat::Auto,
        /// The permissions of a finished file, as octal digits.
        pub file_mode: FileMode = FileMode::new(0o644).expect("readable for all"),
        /// The group of a finished file, by name or number. Empty: the daemon's own.
        pub file_group: Option<GroupName> = None,
        /// The space that downloads leave free on the disk of the shared directory. They wait when less is free.
        pub min_free_space: ByteSize = ByteSize::new(64 << 20),
        /// The maximum number of connections with peers at once.
        pub peer_connections_max: NonZeroU32 = NonZeroU32::new(512).expect("not 0"),
        /// The maximum number of connections that have not said hello yet. Beyond that the oldest of them is closed.
        pub unknown_connections_max: NonZeroU32 = NonZeroU32::new(64).expect("not 0"),
        /// The TCP congestion control of connections that send chunks. Empty: the system's default. With "bbr" a machine
        /// whose uplink is full receives very slowly, because its requests are delayed. A ttd that does not run as root is
        /// limited to those in net.ipv4.tcp_allowed_congestion_control.
        pub congestion_control: Option<CongestionControl> = "cubic".parse().ok(),
        /// The mark (DSCP) of the packets that carry chunks, by which a network can tell them from others: 0 to 63, or a name
        /// such as "le" (less than best effort), "cs1" or "af11". Empty: the system's default. A change counts for
        /// new connections.
        pub dscp: Option<Dscp> = None,
        /// Where a download looks for its chunks before it fetches them: "all" (all files that ttd knows here),
        /// "same-name" (the file that it replaces) or "none". `ttctl get --no-reuse` is "none".
        pub reuse: ReuseScope = ReuseScope::All,
        /// How often received data is synced to disk and recorded. What arrived since then is fetched again after a crash.
        pub sync_every: Span = Span::from_millis(2_000).expect("more than 0"),
        /// A download without progress for this long is reported in the log, once, with the reason. The log also says
        /// when it continues.
        pub stall_warning: Span = Span::from_millis(300_000).expect("more than 0"),
        /// Whether each file that is put into the shared directory is shared: false, true, or "scan" for a file system that
        /// does not tell of changes, such as NFS. A file that is replaced or written again is shared anew.
        pub watch: WatchMode = WatchMode::Off,
        /// Whether each directory that is put into the watched directory is shared as well, as a whole, when nothing in it has
        /// changed for 10 s, and anew after a change.
        pub watch_directories: bool = false,
        /// How often the watched directory is scanned. Changes that the system tells of are noticed at once.
        pub watch_interval: Span = Span::from_millis(20_000).expect("more than 0"),
        /// How long a file in the watched directory must stand still after it was closed before it is shared. A file of which
        /// only a scan tells must stand still for at least 10 s.
        pub watch_settle: Span = Span::from_millis(2_000).expect("more than 0"),
        /// The names that are not shared from the watched directory, as patterns: hidden and unfinished files. ttd's own files,
        /// symbolic links, FIFOs and devices never are. It replaces the patterns that are shown here.
        pub watch_ignore: Vec<Glob> = patterns(&UNFINISHED),
        /// Whose signature a file needs before it is fetched and before it gets its name. Without any rule none needs one. The
        /// first rule that is about a file's name counts; a directory's name is that with and without ".tar".
        pub trust: Vec<TrustRule> = Vec::new(),
        /// Other limits at certain hours. Of several tables the first one counts whose time it is; outside of them all
        /// `download_limit` and `upload_limit` do. A limit of `ttctl limit` or of the command line comes before them.
        pub limit: Vec<LimitRule> = Vec::new(),
        /// What comes to this machine by itself when it is published; `ttctl subscribe` writes such rules. A new version takes the
        /// place of the former one, also of a file that lies there and is unknown to ttd. What needs a signature by the rules of
        /// `trust` needs it here too.
        pub subscribe: Vec<SubscribeRule> = Vec::new(),
    }
}

/// Names of files that are hidden, or that their writers rename when they are finished; and torrents, which only lead to
/// what they are about.
const UNFINISHED: [&str; 8] =
    [".*", "*~", "*.part", "*.tmp", "*.crdownload", "*.filepart", "*.partial", "*.torrent"];

fn patterns(all: &[&str]) -> Vec<Glob> {
    all.iter().map(|text| text.parse().expect("each is a pattern")).collect()
}

impl DaemonConfig {
    /// The keys that a running daemon does not take over when its config is read again.
    pub const FIXED: &[&str] = &[
        "directory",
        "listen",
        "socket",
        "socket_mode",
        "zone",
        "log_format",
        "peer_connections_max",
        "unknown_connections_max",
        "congestion_control",
    ];

    /// Puts back what a running daemon cannot change, and names the keys whose change has to wait for a restart.
    pub fn keep_fixed(&mut self, running: &DaemonConfig) -> Vec<&'static str> {
        let mut waiting = running.changed(self);
        waiting.retain(|key| Self::FIXED.contains(key));
        self.directory.clone_from(&running.directory);
        self.listen = running.listen;
        self.socket.clone_from(&running.socket);
        self.socket_mode = running.socket_mode;
        self.zone.clone_from(&running.zone);
        self.log_format = running.log_format;
        self.peer_connections_max = running.peer_connections_max;
        self.unknown_connections_max = running.unknown_connections_max;
        self.congestion_control.clone_from(&running.congestion_control);
        waiting
    }
}
