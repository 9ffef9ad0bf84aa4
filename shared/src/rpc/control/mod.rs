//! The `Control` service, by which ttctl talks to its daemon over the Unix socket. `service` has the calls; the other
//! files have their arguments and results, one file per subject.

// tarpc generates the client, the request and the response types of the trait without docs.
#![allow(missing_docs)]

mod error;
mod events;
mod examine;
mod foreign;
mod get;
mod identity;
mod info;
mod limit;
mod peers;
mod rejection;
mod service;
mod share;
mod sign;
mod status;
mod subscriptions;
mod task;
mod task_state;
mod tracker;
mod unpublish;
mod watching;

pub use error::{ControlError, ErrorKind, TRY_LATER};
pub use events::{EventPage, FileEvent, Happened, Happening, TrackerEvent};
pub use examine::Examined;
pub use foreign::Foreign;
pub use get::{Accepted, GetRequest, GetWhat};
pub use identity::{Certificate, IdentityOrigin, IdentityReport, JoinRequest, ModeOrigin};
pub use info::{DaemonInfo, Overview, TlsState};
pub use limit::{Keep, Limit, LimitChange, Limits, LimitsKept};
pub use peers::{Direction, PeerInfo};
pub use rejection::Rejection;
pub use service::{Control, ControlCaller, ControlRequest, ControlResponse, PART_BYTES_MAX, ZEROS_BYTES_MAX};
pub use share::{ShareRequest, Shared};
pub use sign::{ManifestPart, PART_HASHES, SignRequest};
pub use status::{ResourceStatus, SignedBy, State, TrackerStatus, Watched};
pub use subscriptions::{FollowedTracker, NewestVersion, SubscriptionStatus};
pub use task::TaskId;
pub use task_state::{EditedFiles, TaskState};
pub use tracker::{Page, SOFTWARE_CHARS_MAX, TrackerAnswer, TrackerExamined};
pub use unpublish::Unpublished;
pub use watching::{NotShared, WatchState};
