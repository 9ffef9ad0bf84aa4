//! What each target does with its bytes. A target panics when something is wrong, else it returns.

mod config;
mod credentials;
mod files;
mod frames;
mod machine;
mod registry;
mod text;
mod texts;
mod tree;

/// A fuzz target.
pub struct Target {
    /// Its name on the command line, and that of its corpus.
    pub name: &'static str,
    /// How much it may allocate beside what its input pays for.
    pub bytes_max: usize,
    /// Runs it.
    pub run: fn(&[u8]),
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

const fn target(name: &'static str, bytes_max: usize, run: fn(&[u8])) -> Target {
    Target { name, bytes_max, run }
}

/// All targets, in the order in which they run.
pub const ALL: &[Target] = &[
    target("manifest", 64 * KIB, texts::manifest),
    target("have_map", MIB + 600 * KIB, texts::have_map),
    target("name", 64 * KIB, texts::name),
    target("url", 64 * KIB, texts::url),
    target("units", MIB, texts::units),
    target("shown", 64 * KIB, texts::shown),
    target("what", 64 * KIB, texts::what),
    target("tree", MIB, tree::tree),
    target("peer_request", 4 * MIB, frames::peer_request),
    target("peer_response", 4 * MIB, frames::peer_response),
    target("tracker_request", 4 * MIB, frames::tracker_request),
    target("tracker_response", 4 * MIB, frames::tracker_response),
    target("control_request", 4 * MIB, frames::control_request),
    target("control_response", 4 * MIB, frames::control_response),
    target("stream", 8 * MIB, frames::stream),
    target("record", MIB, files::record),
    target("have_file", 2 * MIB, files::have_file),
    target("start", MIB, files::start),
    target("certificates", 2 * MIB, files::certificates),
    target("credentials", 2 * MIB, credentials::credentials),
    target("daemon_config", MIB, config::daemon),
    target("tracker_config", MIB, config::tracker),
    target("config_tables", MIB, config::tables),
    target("command_line", 8 * MIB, config::command_line),
    target("machine", 64 * MIB, machine::machine),
    target("registry", 64 * MIB, registry::registry),
];
