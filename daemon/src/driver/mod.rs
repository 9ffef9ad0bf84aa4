//! The driver: the one task that owns the core and the library. Everything that happens comes in as an
//! [`Input`](crate::inbox::Input); what the core decides goes out to links, answers, disk and trackers. It waits for nothing but
//! its inputs, and leaves reading, writing and hashing to other threads; only a few calls for metadata are its own.
//!
//! One verb per file: [`act`] performs the core's actions, [`download`] fills a download, [`sync`] makes what came durable, [`publish`] gives the
//! whole its name, [`check`] compares what is on disk with its manifest (by way of [`compare`]), [`adopt`] takes what lies
//! under a wanted name already, [`blocked`] waits while the disk refuses, [`folder`] while the shared folder is not there, [`share`] and
//! [`get`] take new resources in, [`naming`] asks whose a name is, [`another`] puts another list of chunks in the place of a
//! false one, [`revive`] looks at one that is asked for again, [`manage`] pauses, resumes and removes, [`status`] says how
//! things are (in the words of [`reasons`]), [`restore`] brings back what a former run knew, [`strays`] finds what it did not. [`command`] gives each
//! command to its verb.

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
mod wanted;
mod work;

pub use state::Driver;
