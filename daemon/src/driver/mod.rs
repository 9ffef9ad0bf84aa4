//! The driver: the one task that owns the core and the library ([`state`]). Everything that happens comes in as an
//! [`Input`](crate::inbox::Input) ([`run`]); what the core decides goes out to links, answers, disk and trackers. It waits
//! for nothing but its inputs, and leaves reading, writing and hashing to other threads; only a few calls for metadata are
//! its own.
//!
//! One verb per file. [`act`] performs the core's actions, [`join`] takes part in swarms. [`share`] and [`get`] take new
//! resources in, [`adopt`] what lies under a wanted name already; [`naming`] asks whose a name is, [`wanted`] remembers
//! who wants it. [`download`] fills a download, [`sync`] makes what came durable, [`publish`] gives the whole its name,
//! [`blocked`] waits while the disk refuses, [`room`] keeps what is promised of it, [`another`] puts another list of chunks
//! in the place of a false one. [`manage`] pauses, resumes and removes; [`check`] compares what is on disk with its
//! manifest, by way of [`compare`]; [`revive`] looks at what is asked for again. [`restore`] brings back what a former run
//! knew, [`strays`] finds what it did not. [`folder`], [`slices`] and [`stalls`] watch. [`status`] says how things are, in
//! the words of [`reasons`], and [`snapshot`] publishes it. [`command`] gives each command to its verb, and [`work`] brings
//! back what was done in the background.

mod act;
mod adopt;
mod another;
mod blocked;
mod check;
mod command;
mod compare;
mod download;
mod folder;
mod get;
mod hashing;
mod join;
mod loading;
mod look;
mod lookers;
mod manage;
mod naming;
mod publish;
mod reasons;
mod restore;
mod revive;
mod room;
mod run;
mod share;
mod slices;
mod snapshot;
mod stalls;
mod state;
mod status;
mod strays;
mod sync;
#[cfg(test)]
mod tests;
mod unpublish;
mod wanted;
mod work;

pub use state::Driver;
