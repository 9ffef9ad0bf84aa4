//! Who calls.

use crate::door::Stranger;
use shared::identity::Node;
use std::net::IpAddr;

/// Who calls.
#[derive(Debug)]
pub(crate) struct Caller {
    /// The other side's IP address.
    pub(crate) asker: IpAddr,
    /// Our IP address on this connection.
    pub(crate) own: IpAddr,
    /// Whose certificate it showed.
    pub(crate) node: Option<Node>,
    /// Set if it was let in without a certificate only to ask for one.
    pub(crate) stranger: Option<Stranger>,
    /// Whether nobody else can read the connection.
    pub(crate) is_encrypted: bool,
}
