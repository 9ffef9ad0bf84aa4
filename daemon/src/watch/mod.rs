//! What the driver monitors, as pure state machines: the time is handed in.

mod checks;
mod events;
mod folder;
mod lists;
mod pace;
mod slices;
mod stalls;
mod strays;
mod tree_scans;
mod turns;
mod uploads;

pub use checks::{CheckWaiter, Checks};
pub use events::{Doing, Events};
pub use folder::{AWAY_AFTER, Away, Back, FolderState};
pub use lists::Lists;
pub use pace::Pace;
pub use slices::{SLICE_MAX, Slices};
pub use stalls::{Stalls, Word};
pub use strays::Strays;
pub use tree_scans::{FILES_AT_ONCE_MAX, LOOK_MAX, TreeScans};
pub use turns::Turn;
pub use uploads::{Sent, Uploads};
