//! What is told of a machine beside its address and progress.

use super::who::Who;
use shared::identity::NodeName;
use std::sync::Arc;

/// What is told of a machine beside its address and progress.
#[derive(Debug, Clone)]
pub(super) struct Labels {
    /// Its zone; empty if none is configured.
    pub(super) zone: Arc<str>,
    /// The host name that it reported, empty if none.
    pub(super) host: Arc<str>,
    /// The node that its certificate names; `None` without a certificate.
    pub(super) node: Option<NodeName>,
}

impl Labels {
    pub(super) fn of(who: &Who) -> Labels {
        Labels { zone: who.zone.clone(), host: who.host.clone(), node: who.node.clone() }
    }
}
