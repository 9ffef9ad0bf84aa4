//! `tt-tracker.toml`.

use super::settings::settings;
use super::{AllowRule, ByteSize, Grace, ListenAddr, Network, Span};
use crate::host::logging::{LogFilter, LogFormat};
use crate::tls_mode::TlsMode;
use crate::url::TRACKER_PORT;
use std::num::NonZeroU32;
use std::path::PathBuf;

settings! {
    /// The settings in a tracker's config file. Its command line overrides them.
    pub struct TrackerConfig {
        /// The address and port to listen on ("10.0.0.1:7986"), or a port on all addresses.
        pub listen: ListenAddr = ListenAddr::all(TRACKER_PORT),
        /// The log level: error, warn, info, debug or trace, also per module ("info,tracker=debug").
        pub log_level: LogFilter = LogFilter::default(),
        /// The log format: "text", "json" (one object per line) or "auto" (text, with colors on a terminal).
        pub log_format: LogFormat = LogFormat::Auto,
        /// Whether connections are encrypted and callers show certificates: "off"; "prefer" (who speaks no TLS is served
        /// as well); or "require" (nobody without a valid certificate is served).
        pub tls: TlsMode = TlsMode::Off,
        /// The file with the tracker's private key and its certificate, as PEM. Only the user of tt-tracker may be able to
        /// read it. This file and those of the next two keys are read again within 5 s when they change.
        pub tls_identity: Option<PathBuf> = None,
        /// The file with the certificates of the authorities that callers' certificates must be from, as PEM.
        pub tls_ca: Option<PathBuf> = None,
        /// The file with the list of revoked certificates of these authorities, as DER or PEM; `ttctl ca` keeps it as
        /// crl.der in its directory. While there is no such file, nothing is revoked.
        pub tls_crl: Option<PathBuf> = None,
        /// The directory of the certificate authority that `ttctl ca init` made. This tracker admits machines to the fleet by
        /// tokens of it, renews their certificates, and tells them what was revoked. Its crl.der is used where tls_crl names
        /// no other list.
        pub ca: Option<PathBuf> = None,
        /// The life of a certificate that this tracker issues. A machine renews it after two thirds of that.
        pub certificate_life: Span = Span::from_millis(90 * 24 * 3_600_000).expect("more than 0"),
        /// For how long after its end a machine may renew its certificate, up to 90 days: it was switched off. With 0 it
        /// needs a new token.
        pub renew_grace: Grace = Grace::from_millis(30 * 24 * 3_600_000).expect("less than 90 days"),
        /// The networks from which anybody is served, as "10.0.0.0/8" or "10.1.2.3". Other callers are disconnected at once.
        /// Without any network all are served.
        pub allow_networks: Vec<Network> = Vec::new(),
        /// The maximum number of connections at once. Each daemon keeps one.
        pub connections_max: NonZeroU32 = NonZeroU32::new(16_384).expect("not 0"),
        /// The maximum number of connections that have not said hello yet. Beyond that the oldest of them is closed.
        pub unknown_connections_max: NonZeroU32 = NonZeroU32::new(256).expect("not 0"),
        /// The maximum number of entries that are kept. An entry says that one peer takes part in one resource.
        pub entries_max: NonZeroU32 = NonZeroU32::new(1_000_000).expect("not 0"),
        /// The maximum number of entries of one daemon. A daemon has up to 100,000 resources.
        pub entries_per_peer_max: NonZeroU32 = NonZeroU32::new(100_000).expect("not 0"),
        /// The maximum memory for the manifests of the catalogue.
        pub catalogue_bytes_max: ByteSize = ByteSize::new(256 << 20),
        /// The maximum number of publications in the catalogue.
        pub publications_max: NonZeroU32 = NonZeroU32::new(100_000).expect("not 0"),
        /// How long a publication is kept after the last peer of its resource has gone.
        pub publication_ttl: Span = Span::from_millis(3_600_000).expect("more than 0"),
        /// The networks from which a daemon may name another address at which others reach it (`advertise` in ttd.toml),
        /// as "10.0.0.0/8" or "10.1.2.3". A machine in them can claim to be at any address. So can a machine with a
        /// certificate, wherever it is. Others are told to be where they connect from.
        pub advertise_networks: Vec<Network> = Vec::new(),
        /// What some callers may do. Without any rule everybody may do everything. The rights of a caller are those of
        /// all rules that name it.
        pub allow: Vec<AllowRule> = Vec::new(),
    }
}

impl TrackerConfig {
    /// The keys that a running tracker does not take over when its config is read again.
    pub const FIXED: &[&str] = &["listen", "log_format"];

    /// Puts back what a running tracker cannot change, and names the keys whose change has to wait for a restart.
    pub fn keep_fixed(&mut self, running: &TrackerConfig) -> Vec<&'static str> {
        let mut waiting = running.changed(self);
        waiting.retain(|key| Self::FIXED.contains(key));
        self.listen = running.listen;
        self.log_format = running.log_format;
        waiting
    }
}
