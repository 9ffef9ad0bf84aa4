//! A configuration with tables, for tests and fuzz targets: it has every shape that `settings!` can declare.

use super::settings::settings;
use super::{RateLimit, Zone};
use crate::url::TrackerUrl;

settings! {
    /// A config file with a value, a list, tables, and an array of tables.
    pub struct SampleConfig {
        /// A value.
        pub zone: Zone = Zone::default(),
        /// Rules, each of which begins
        /// with `[[rule]]`.
        pub rule: Vec<Rule> = Vec::new(),
        /// A table whose keys all have defaults.
        pub limits: Limits = Limits::default(),
        /// A table that may be missing.
        pub origin: Option<Origin> = None,
        /// A list.
        pub trackers: Vec<TrackerUrl> = Vec::new(),
    }
}

settings! {
    /// How fast.
    pub table Limits {
        /// In.
        pub download: RateLimit = RateLimit::None,
        /// Out.
        pub upload: RateLimit = RateLimit::None,
    }
}

settings! {
    /// Where something is from.
    pub table Origin {
        /// The tracker.
        pub tracker: TrackerUrl => "\"tt://tracker.example\"",
        /// The zone.
        pub zone: Zone => "\"hall\"",
    }
}

settings! {
    /// One rule.
    pub table Rule {
        /// For whom it is.
        pub names: Vec<TrackerUrl> => "[\"tt://tracker.example\"]",
        /// What it grants.
        pub at_most: RateLimit = RateLimit::None,
        /// From where.
        pub origin: Option<Origin> = None,
        /// Exceptions.
        pub except: Vec<Origin> = Vec::new(),
    }
}
