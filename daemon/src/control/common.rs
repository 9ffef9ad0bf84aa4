//! The state that all connections of the control service share.

use crate::automate::SubscriptionsHandle;
use crate::inbox::{Configured, Context};
use crate::limits::LimitBook;
use crate::store::Home;
use shared::rpc::control::DaemonInfo;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// The state that all connections share.
#[derive(Debug)]
pub struct ControlServer {
    /// Leads to the driver and the daemon's shared state.
    pub context: Arc<Context>,
    /// The shared directory.
    pub home: Arc<Home>,
    /// The answer to `hello`, without what the configuration says.
    pub info: DaemonInfo,
    /// The control socket.
    pub socket: PathBuf,
    /// When the daemon was started.
    pub started: Instant,
    /// The current configuration.
    pub configured: watch::Receiver<Configured>,
    /// The bandwidth limits.
    pub limits: Arc<LimitBook>,
    /// What this machine subscribes to.
    pub subscriptions: SubscriptionsHandle,
}
