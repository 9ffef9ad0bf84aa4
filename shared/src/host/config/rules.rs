//! The rules in config files: whose signatures count (`[[trust]]`), what comes by itself (`[[subscribe]]`), which limits hold at
//! which hours (`[[limit]]`), and who may do what (`[[allow]]`).

use super::settings::settings;
use super::{Day, Glob, RateLimit, Span, TimeOfDay, TrustKey, Who};
use crate::url::TrackerUrl;

settings! {
    /// Whose signature a file with one of these names needs. The first rule that has a file's name counts.
    pub table TrustRule {
        /// The names, as patterns: "app-*".
        pub names: Vec<Glob> => "[\"app-*\"]",
        /// Public keys of minisign: the absolute path of a .pub file, or the key itself ("RW…"). A file needs the
        /// signature of one of them. Empty: no signature is needed.
        pub keys: Vec<TrustKey> => "[\"/etc/tinytorrent/release.pub\"]",
        /// The age at which a signature counts no more: "90 d". A file is then neither fetched nor given its name until it is
        /// signed again; files that are here stay. Empty: signatures have no end.
        pub max_age: Option<Span> = None,
    }
}

settings! {
    /// What comes to this machine by itself: each version that is published under one of these names, once, in the place of
    /// the former one. The first rule that has a name counts.
    pub table SubscribeRule {
        /// The names, as patterns: "app-*", or exact. That of a directory is without ".tar".
        pub names: Vec<Glob> => "[\"app-*\"]",
        /// The trackers that say what is published. Empty: those of `trackers`.
        pub trackers: Vec<TrackerUrl> = Vec::new(),
    }
}

settings! {
    /// What some callers of a tracker may do. Whatever no rule allows is refused.
    pub table AllowRule {
        /// Who: "group:NAME", "node:PATTERN", "role:operator", "anonymous" (without a certificate), or "*" (everybody).
        pub who: Vec<Who> => "[\"group:build\"]",
        /// The names that they may publish and take back, as patterns.
        pub publish: Vec<Glob> = Vec::new(),
        /// The names that they may find, list and fetch.
        pub fetch: Vec<Glob> = Vec::new(),
        /// The names whose progress on all machines they may see.
        pub watch: Vec<Glob> = Vec::new(),
    }
}

settings! {
    /// The limits from one time of day to another.
    pub table LimitRule {
        /// When it begins, by the clock of this machine, in its time zone: "08:00".
        pub from: TimeOfDay => "\"08:00\"",
        /// When it ends: "18:00", or "24:00". If that is not later than `from`, it ends on the next day.
        pub to: TimeOfDay => "\"18:00\"",
        /// The days on which it begins: "mon", "tue", "wed", "thu", "fri", "sat", "sun". Empty: all days.
        pub days: Vec<Day> = Vec::new(),
        /// The download limit in this time. Empty: that of `download_limit`.
        pub download: Option<RateLimit> = None,
        /// The upload limit in this time. Empty: that of `upload_limit`.
        pub upload: Option<RateLimit> = None,
    }
}
