//! What may wake the driver, made of plain types: the floor under all who talk to it. Everybody may say something
//! to the driver by way of [`Context`]; what can be said is [`Input`].

mod command;
mod context;
mod found;
mod ids;
mod input;
mod refusals;
mod settings;
mod work;

pub use command::{Command, Reply, Wanted};
pub use context::{Context, plain};
pub use found::{Found, Hit};
pub use ids::LinkId;
pub use input::{Answer, Input};
pub use refusals::{internal, store_error, unknown};
pub use settings::Settings;
pub use work::{Asked, CheckedFile, FolderAnswer, Imported, Restored, Seen, Stray, TaskInput};
