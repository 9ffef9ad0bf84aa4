//! What may wake the driver, made of plain types: the floor under all who talk to it. Everybody may say something
//! to the driver by way of [`Context`], and what can be said is [`Input`]; whoever wants something of it asks through
//! [`Requests`].

mod command;
mod context;
mod found;
mod ids;
mod input;
mod refusals;
mod requests;
mod settings;
mod work;

pub use command::{Command, Reply, ToShare, Wanted};
pub use context::Context;
pub use found::{Found, Hit};
pub use ids::LinkId;
pub use input::{Answer, Input};
pub use refusals::{internal, store_error, unknown};
pub use requests::Requests;
pub use settings::Settings;
pub use work::{Asked, CheckedFile, FolderAnswer, Imported, Restored, Seen, Stray, TaskInput};
