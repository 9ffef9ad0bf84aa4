//! All scenarios.

use super::kind::Scenario;
use super::{
    clocks, copies, deaths, disks, downloads, everything, imports, links, on_purpose, one_download,
    subscriptions, tracker,
};

/// The scenarios; the seed picks one of them.
pub(crate) const ALL: &[Scenario] = &[
    Scenario { name: "one-download", run: one_download::run },
    Scenario { name: "deaths", run: deaths::run },
    Scenario { name: "disks", run: disks::run },
    Scenario { name: "links", run: links::run },
    Scenario { name: "tracker", run: tracker::run },
    Scenario { name: "downloads", run: downloads::run },
    Scenario { name: "subscriptions", run: subscriptions::run },
    Scenario { name: "copies", run: copies::run },
    Scenario { name: "everything", run: everything::run },
    Scenario { name: "imports", run: imports::run },
    Scenario { name: "clocks", run: clocks::run },
];

/// The scenario with this name.
pub(crate) fn named(name: &str) -> Option<Scenario> {
    ALL.iter().chain(on_purpose::ALL).find(|scenario| scenario.name == name).copied()
}
