//! The shared directory: everything that ttd reads and writes on disk. All calls block; the driver makes them outside
//! the async workers.
//!
//! ```text
//! NAME                                a finished resource
//! NAME.tinytorrent                    its manifest
//! .tinytorrent/lock                   one daemon per folder
//! .tinytorrent/folder                 the folder's own id: an empty mount point has none
//! .tinytorrent/limits.toml            the limits of `ttctl limit --save`
//! .tinytorrent/signatures.toml        when the newest accepted signature of each name was made
//! .tinytorrent/imports/N.part         files and directories that ttctl is sending
//! .tinytorrent/trash/N                removed directories whose files are being deleted
//! .tinytorrent/trash/N.former         directories that lost their names, of which only what is ours is deleted
//! .tinytorrent/resources/KEY/         one folder per swarm:
//!     state.toml                        what must survive a restart
//!     manifest                          our own copy
//!     have                              the have map, never ahead of the data
//!     older/                            what is known of the directory that the download will replace
//!     leaving/                          the directory that lost its name to the resource
//!     data.part                         the chunks, until the resource is published
//! ```
//!
//! Beside the shared directory, in ttd's own state, is what this machine joined a fleet with (`credentials`).
//!
//! Each of our small files is written by rename, begins with its version and ends with its checksum. They only save
//! work: a torn, empty or missing one is rebuilt from the data, and the data is never changed to match them. A file of a later version
//! is left untouched.
//!
//! The order of a download: the swarm's directory appears completely; chunks are written; their data is synced; the
//! have map that claims them is written; the whole file is synced, gets its manifest and then, in one step, its name;
//! the record notes that; the files that only the download needed are removed.

mod assemble;
mod atomic;
mod chunk_set;
mod credentials;
mod disk;
mod doubts;
mod dress_tree;
mod edited;
mod edits;
mod error;
#[cfg(test)]
pub mod faulty;
mod foreign;
mod former;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod group;
mod have_file;
mod holes;
mod home;
mod identity;
mod idle;
mod import;
mod import_tree;
mod keep_tree;
mod lay_out;
mod layout;
mod leaving;
mod limits_file;
mod mode;
mod namesakes;
mod older;
mod own_file;
mod part;
mod place;
mod probe;
mod publish;
mod publish_import;
mod publish_tree;
mod published;
mod published_tree;
mod read;
mod recall;
mod record;
mod remove_tree;
mod reuse;
mod root;
mod slot;
mod staging;
mod strays;
mod subscriptions_file;
mod sums;
mod trash;
mod tree_form;
mod tree_part;
mod tree_scan;
mod tree_writer;
mod trust_file;
#[cfg(test)]
mod undo;
mod watched_file;

pub use assemble::Donors;
pub use credentials::{Credentials, Joined};
#[cfg_attr(
    not(any(test, feature = "fuzz")),
    expect(unused_imports, reason = "tests put another one in its place")
)]
pub use disk::Disk;
#[cfg(test)]
pub use disk::{Medium, Open, Step, System};
pub use edits::Edited;
pub(crate) use error::{At, invalid};
pub use error::{NoRoom, StoreError};
pub use home::{Home, NotHere};
pub use identity::{FileIdentity, open_regular};
pub use idle::be_idle;
pub use import::Import;
pub use keep_tree::open_directory;
pub use lay_out::{LayOutError, Shape, wait_until_laid_out};
pub use limits_file::SavedLimits;
pub use namesakes::Namesakes;
pub use own_file::OwnFile;
pub use part::PartFile;
pub use place::{Lying, NameState};
pub use probe::{Found, OldFile};
pub use publish::{PublishError, Publisher, holds_already};
pub use published::PublishedFile;
pub use published_tree::{OpenTree, PublishedTree};
pub use recall::Loaded;
pub use record::{NameRecord, Record, Signed};
pub use reuse::Donor;
#[cfg(test)]
pub use root::Root;
pub use slot::Slot;
pub use staging::StagingTree;
pub use subscriptions_file::{Taken, Version};
pub use sums::SumsReader;
pub use tree_scan::TreeScan;
pub use watched_file::WatchedTree;
