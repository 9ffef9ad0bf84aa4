//! The driver: the one task that owns the core and the library ([`state`]). Everything that happens arrives as an
//! [`Input`](crate::inbox::Input) ([`run`]), and the core's decisions go out to links, answers, disk and trackers. The
//! driver waits for nothing but its inputs. Other threads read, write and hash; the driver makes only a few calls for
//! metadata.
//!
//! Each file contains one activity. [`act`] performs the core's actions, and [`join`] joins and leaves swarms.
//! [`share`], [`import`] and [`get`] take requests for new resources, [`begin`] begins to fetch, and [`adopt`] takes over files that already have a wanted name;
//! [`naming`] asks who has a name, and [`wanted`] records who wants it. [`download`] adds chunks that arrived,
//! [`reuse`] and [`repeat`] those that are here and that [`search`] finds, [`zeros`] makes those of zeros,
//! [`follow_shift`] has shifted content searched by a [`follower`], [`update_tree`] takes files of an older directory,
//! [`sync`] makes
//! them durable, [`publish`] puts the complete file under its name, [`lay_out`] lays out directories, [`edited`] notes their edited files, [`blocked`] waits while the disk refuses, [`room`]
//! counts the promised bytes, and [`another`] replaces a list of
//! chunks by another one. [`manage`] pauses, resumes and removes; [`check`] checks files with the help of [`compare`];
//! [`revive`] handles requests for resources that are here. [`restore`] loads the resources of the last run, and
//! [`strays`] finds files without records. [`folder`], [`slices`] and [`stalls`] observe the shared directory, its
//! files and the downloads. [`unpublish`] takes names back, and [`sent`] logs what was sent to peers. [`status`]
//! reports the state in the words of [`reasons`] and [`rates`], [`snapshot`] publishes it, [`events`] tells what has changed, and
//! [`peers`], [`overview`] and [`complete`] answer further questions. [`command`] hands commands to these files, and [`work`] runs
//! work in the background.

mod act;
mod adopt;
mod another;
mod begin;
mod blocked;
mod check;
mod command;
mod compare;
mod complete;
mod download;
mod edited;
mod events;
mod folder;
mod follow_shift;
mod follower;
mod followers;
mod foreign;
mod found_out;
mod get;
mod hash_shared;
mod hashing;
mod holding;
mod import;
mod join;
mod lay_out;
mod loading;
mod look;
mod look_at_place;
mod lookers;
mod manage;
mod naming;
mod noter;
mod noting;
mod one_name;
mod overview;
mod peers;
mod publish;
mod rates;
mod reasons;
mod repeat;
mod restore;
mod reuse;
mod reusers;
mod revive;
mod room;
mod run;
mod scan;
mod search;
mod sent;
mod share;
mod sign;
mod slices;
mod snapshot;
mod stalls;
mod state;
mod status;
mod strays;
mod sync;
#[cfg(test)]
pub mod tap;
#[cfg(test)]
pub mod tests;
mod to_check;
mod unknown_tree;
mod unpublish;
mod update_tree;
mod wanted;
mod work;
mod zeros;

pub use state::Driver;
