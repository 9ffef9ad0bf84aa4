//! The inputs of the driver, as plain types that depend on no other part of the loop. Everybody sends an [`Input`]
//! through [`Context`]; for an answer there is [`Requests`].

mod command;
mod context;
mod found;
mod holding;
mod ids;
mod input;
mod refusals;
mod requests;
mod settings;
mod work;

pub use command::{Command, Manner, Reply, ToShare, Wanted, Whole};
pub use context::Context;
pub use found::{Found, Hit};
pub use holding::{Holding, Served};
pub use ids::LinkId;
pub use input::{Answer, Input};
pub use refusals::{internal, store_error, unknown};
pub use requests::Requests;
pub use settings::{Configured, Settings, WatchSettings};
pub use work::{
    Asked, CheckedFile, Compared, DonorPage, FolderAnswer, FoundChunks, Held, Imported, NameTaken, Restored,
    Scanned, Seen, Spent, Stray, TaskInput, TreeLook,
};
