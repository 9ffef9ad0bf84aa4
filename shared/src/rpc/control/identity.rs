//! Who this machine is by its certificate, and how it comes to one.

use crate::identity::{Group, NodeName, Role};
use crate::tls_mode::TlsMode;
use crate::token::{Pin, Token};
use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A wish to join a closed fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// What admits this machine.
    pub token: Token,
    /// The tracker that has the fleet's authority.
    pub tracker: TrackerUrl,
    /// The name that this machine takes; `None` for the one that it has, or for its host name.
    pub node: Option<NodeName>,
    /// Whether an identity of another name or of another authority is given up for the new one.
    pub replace: bool,
}

/// Who this machine is, as of now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityReport {
    /// Where the certificate comes from.
    pub origin: IdentityOrigin,
    /// Whether connections to other machines are encrypted.
    pub mode: TlsMode,
    /// Who says so.
    pub mode_origin: ModeOrigin,
    /// The file with key and certificate. ttd keeps others from reading it.
    pub file: Option<PathBuf>,
    /// The certificate; `None` if there is none, or if it cannot be read.
    pub certificate: Option<Certificate>,
    /// The authorities that this machine believes.
    pub authorities: Vec<Pin>,
    /// The tracker with which it joined.
    pub tracker: Option<TrackerUrl>,
    /// When the certificate is to be renewed, in seconds since 1970; `None` if ttd does not renew it.
    pub renewal_s: Option<u64>,
    /// The number of the list of revoked certificates that is in use.
    pub revoked_list: Option<u64>,
    /// The time on this machine's clock, in seconds since 1970.
    pub now_s: u64,
    /// What is wrong.
    pub fault: Option<String>,
    /// What to do about it, or to come to a certificate.
    pub hint: Option<String>,
}

/// A certificate of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The name of the machine.
    pub node: NodeName,
    /// What it may be.
    pub roles: Vec<Role>,
    /// What rules may name.
    pub groups: Vec<Group>,
    /// The first second of its life, since 1970.
    pub not_before_s: u64,
    /// The last second of its life.
    pub not_after_s: u64,
}

/// Where a machine's certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdentityOrigin {
    /// There is none.
    None,
    /// The machine joined a fleet; ttd keeps and renews it.
    Joined,
    /// The configuration names its file; whoever writes that file renews it.
    Configured,
}

/// Who decides whether connections are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModeOrigin {
    /// Nobody: it is the default.
    Default,
    /// The token with which the machine joined.
    Joined,
    /// The key `tls` in the configuration.
    Configured,
}
