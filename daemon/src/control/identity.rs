//! Who this machine is, and how it becomes a member of a closed fleet.

use super::blocking::blocking;
use crate::identity::report;
use crate::inbox::Context;
use crate::tracker::enrol::{self, Wish};
use shared::host::certificates::Certificates;
use shared::host::clock::time_of_day;
use shared::rpc::control::{ControlError, IdentityReport, JoinRequest};
use shared::wanted::WantedBy;
use std::time::Duration;

/// How long `join` waits until connections begin with the new certificate, which takes as long as a look at the files.
const IN_USE_WITHIN: Duration = Duration::from_secs(5);

/// Joins a fleet. The log says who wanted that, and never the token's secret.
pub async fn join(
    context: &Context,
    request: JoinRequest,
    by: &WantedBy,
) -> Result<IdentityReport, ControlError> {
    let JoinRequest { token, tracker, node, replace } = request;
    let (id, url) = (token.id, tracker.clone());
    let joined = enrol::join(context, &context.membership, Wish { token, tracker, node, replace }).await;
    if let Err(error) = joined {
        tracing::warn!(error = %error.message, tracker = %url, token = %id, %by, "this machine has not joined");
        return Err(error);
    }
    let report = identity(context).await?;
    // The command ends when connections begin with it.
    if let (Some(certificate), None) = (&report.certificate, &report.fault) {
        let not_after = Some(certificate.not_after_s);
        context.doors_become(IN_USE_WITHIN, |doors| doors.not_after == not_after).await;
    }
    let node = report.certificate.as_ref().map(|certificate| certificate.node.to_string());
    tracing::info!(tracker = %url, token = %id, %by, node, tls = %report.mode, "this machine has joined a fleet");
    Ok(report)
}

/// Who this machine is now.
pub async fn identity(context: &Context) -> Result<IdentityReport, ControlError> {
    let membership = context.membership.clone();
    blocking(move || {
        let known = membership.look();
        let now = time_of_day().as_secs();
        let mut certificates = Certificates::new(known.settled.places.clone());
        certificates.look(now);
        let is_used = known.settled.mode != Default::default() || known.settled.places.identity.is_some();
        let in_the_way = certificates.unusable().filter(|_| is_used).map(ToString::to_string);
        Ok(report(&known, in_the_way.as_deref(), now))
    })
    .await
}
