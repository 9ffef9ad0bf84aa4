//! The resources of this machine: what the driver knows of each, in addition to what the core knows of its swarm.

mod checking;
mod following;
mod index;
mod older;
mod opening;
mod rates;
mod resource;
mod reused;
mod reusing;
mod source;
mod sources;
mod standing;
mod unnoted;
mod whole;
mod why;

pub use checking::{Check, CheckFile, CheckStep, Checking};
pub use following::{Awaited, Follow, Followed, Following, Kind, News};
pub use index::Library;
pub use older::Older;
pub use opening::Opening;
pub use rates::Traffic;
pub use resource::{Fetching, Phase, Resource, Shaping};
pub use reused::{Reused, ReusedFrom};
pub use reusing::{FoundHere, Repeating, Reuse, ReuseWork, Reusing};
pub use source::{Download, Former, ReadError, Source, TakeError};
pub use sources::{Fetched, Sources};
pub use standing::{Newer, Standing};
pub use unnoted::Unnoted;
pub use whole::{HashedWhole, Memory, WholeHash};
pub use why::{Blocked, Failure, Why};
