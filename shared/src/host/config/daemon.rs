//! `ttd.toml`.

use super::settings::settings;
use super::{ByteSize, CongestionControl, FileMode, GroupName, ListenAddr, RateLimit, Span, Zone};
use crate::host::logging::{LogFilter, LogFormat};
use crate::url::TrackerUrl;
use std::num::NonZeroU32;
use std::path::PathBuf;

settings! {
    /// What a daemon may be told by its config file. Its command line comes first.
    pub struct DaemonConfig {
        /// The shared directory, an absolute path. Empty: systemd's state directory if ttd is a service,
        /// /var/lib/tinytorrent as root, ~/.local/share/tinytorrent for any other user.
        pub directory: Option<PathBuf> = None,
        /// The address and port for peers ("0.0.0.0:7987"), or a port on all addresses. Empty: port 7987;
        /// a ttd that was started as `ttd DIRECTORY` then takes the next free port up to 8018.
        pub listen: Option<ListenAddr> = None,
        /// The control socket, an absolute path. Empty: ttd.sock in systemd's runtime directory, in
        /// /run/tinytorrent as root, else in the user's own runtime directory.
        pub socket: Option<PathBuf> = None,
        /// The control socket's permissions, as octal digits: who may write to it may control the daemon.
        pub socket_mode: FileMode = FileMode::new(0o660).expect("read and write for user and group"),
        /// The trackers, as "tt://HOST:PORT" (port 7986 if left out), for what is shared and fetched by name. Those that
        /// TT_TRACKERS in the environment names take their place.
        pub trackers: Vec<TrackerUrl> = Vec::new(),
        /// How fast chunks may arrive, from all peers together, near and far: "50 MB/s", "100 Mbit/s", "none", or 0:
        /// nothing is fetched.
        pub download_limit: RateLimit = RateLimit::None,
        /// How fast chunks may be sent, to all peers together, near and far: "50 MB/s", "100 Mbit/s", "none", or 0:
        /// nothing is sent.
        pub upload_limit: RateLimit = RateLimit::None,
        /// The machines that are close to each other (a site, a room) bear the same name here, of at most 64
        /// bytes: few chunks then cross from zone to zone. Empty: no zone.
        pub zone: Zone = Zone::default(),
        /// What is logged: error, warn, info, debug or trace, also per module ("info,daemon::store=debug").
        pub log_level: LogFilter = LogFilter::default(),
        /// How it is logged: "text", "json" (one object per line) or "auto" (text, with colours on a terminal).
        pub log_format: LogFormat = LogFormat::Auto,
        /// The permissions of a finished file, as octal digits.
        pub file_mode: FileMode = FileMode::new(0o644).expect("readable for all"),
        /// The group of a finished file, by name or number. Empty: the daemon's own.
        pub file_group: Option<GroupName> = None,
        /// Downloads wait while the disk of the shared directory has less room than this.
        pub min_free_space: ByteSize = ByteSize::new(64 << 20),
        /// How many connections with peers there may be at once.
        pub peer_connections_max: NonZeroU32 = NonZeroU32::new(512).expect("not 0"),
        /// How many connections there may be that have not said hello; beyond it the oldest is closed.
        pub unknown_connections_max: NonZeroU32 = NonZeroU32::new(64).expect("not 0"),
        /// The TCP congestion control of connections that send chunks. Empty: what the system uses for all. With "bbr"
        /// a machine whose uplink is full receives very slowly: the answers that it sends are held up. A ttd that does
        /// not run as root gets what net.ipv4.tcp_allowed_congestion_control names.
        pub congestion_control: Option<CongestionControl> = "cubic".parse().ok(),
        /// How often what has arrived is synced to the disk and noted. What arrived since then is fetched again after a crash.
        pub sync_every: Span = Span::from_millis(2_000).expect("more than 0"),
        /// A download that makes no progress for this time is warned of in the log, once, with the reason. When it goes on,
        /// the log tells that, too.
        pub stall_warning: Span = Span::from_millis(300_000).expect("more than 0"),
    }
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
