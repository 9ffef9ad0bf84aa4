//! Joins a fleet: from a token to a certificate in use.

use super::desk::{Desk, bytes};
use super::revocations::fetch;
use crate::identity::{self, CLOCKS_DIFFER_S_MAX, Kept, Key, Known, Membership, node_of_host, pem, pin};
use crate::inbox::{Context, store_error};
use crate::jobs;
use crate::store::Joined;
use crate::tracker::session::CALL_TIMEOUT;
use rustls_pki_types::CertificateDer;
use shared::host::clock::time_of_day;
use shared::identity::NodeName;
use shared::rpc::control::{ControlError, ErrorKind};
use shared::rpc::tls::{Authorities, Revoked};
use shared::rpc::tracker::{AuthorityReply, Der, Enrolled, JoinAsk};
use shared::tls_mode::TlsMode;
use shared::token::Token;
use shared::url::TrackerUrl;
use shared::utc::Utc;
use std::sync::Arc;

/// A wish to join.
#[derive(Debug, Clone)]
pub struct Wish {
    /// What admits this machine.
    pub token: Token,
    /// The tracker that has the fleet's authority.
    pub tracker: TrackerUrl,
    /// The name that this machine takes, if it is not that of its host.
    pub node: Option<NodeName>,
    /// Whether another identity is given up for it.
    pub replace: bool,
}

/// Joins, and keeps what was joined. The certificate is in use from then on.
///
/// # Errors
/// The cause, and what to do about it: [`ErrorKind::Refused`] when this machine is not admitted,
/// [`ErrorKind::Unreachable`] when the tracker does not answer.
pub async fn join(context: &Context, membership: &Arc<Membership>, wish: Wish) -> Result<(), ControlError> {
    let _turn = membership.turn().await;
    let known = membership.known();
    let node = node(&known, &wish)?;
    let key = key(membership, &known, &wish, &node).await?;
    let authority = learn(context, &wish).await?;
    let (kept, joined, list) = ask(context, &wish, &node, &key, &authority).await?;
    let membership = membership.clone();
    let keep = move || membership.keep_joined(&joined, &kept, list.as_deref());
    jobs::run(keep).await.map_err(|error| internal(&error))?.map_err(|error| store_error(&error))
}

/// The name that this machine takes, if it may.
fn node(known: &Known, wish: &Wish) -> Result<NodeName, ControlError> {
    if known.configured.has_identity() {
        return Err(refused(
            "tls_identity is set in the configuration: this machine's certificate comes from there"
                .to_owned(),
            "remove tls_identity and tls_ca from ttd.toml, and reload ttd",
        ));
    }
    let present = known.in_use().map(|(_, certificate)| &certificate.node.name);
    let node = match (&wish.node, present) {
        (Some(node), _) => node.clone(),
        (None, Some(present)) if !wish.replace => present.clone(),
        _ => node_of_host(&shared::host::hostname::own()).ok_or_else(|| ControlError {
            kind: ErrorKind::Usage,
            message: "this machine's host name makes no node name".to_owned(),
            hint: Some("name it with --node NAME".to_owned()),
        })?,
    };
    let Some(present) = present.filter(|_| !wish.replace) else { return Ok(node) };
    let hint = "with --replace it gives that up, and makes a new key";
    if *present != node {
        return Err(refused(format!("this machine has joined as {present}, not as {node}"), hint));
    }
    if !known.pins().contains(&wish.token.pin) {
        return Err(refused(
            format!("this machine has joined as {present} in another fleet than that of the token"),
            hint,
        ));
    }
    Ok(node)
}

/// The key for the certificate: the present one, unless this machine becomes another. It is on the disk before the tracker
/// hears of it, so that an answer that gets lost does not cost a second use of the token.
async fn key(
    membership: &Arc<Membership>,
    known: &Known,
    wish: &Wish,
    node: &NodeName,
) -> Result<Key, ControlError> {
    let Some(credentials) = membership.credentials().cloned() else {
        return Err(refused("this ttd keeps no identity".to_owned(), "start it as the service does"));
    };
    let is_same =
        known.in_use().is_some_and(|(_, certificate)| certificate.node.name == *node) && !wish.replace;
    let work = move || {
        let present = if is_same { credentials.identity()? } else { credentials.pending_key()? };
        if let Some(key) = present.as_deref().and_then(Key::read) {
            return Ok(Ok(key));
        }
        match Key::make() {
            Ok(key) => credentials.keep_pending_key(&key.text()).map(|()| Ok(key)),
            Err(error) => Ok(Err(error)),
        }
    };
    let made = jobs::run(work).await.map_err(|error| internal(&error))?;
    made.map_err(|error| store_error(&error))?.map_err(|error| internal(&error))
}

/// Asks the tracker for its authority, and compares that with the token. Nothing is trusted but the one that the token names:
/// whoever listens in between could add another one.
async fn learn(context: &Context, wish: &Wish) -> Result<Authorities, ControlError> {
    let (url, token) = (&wish.tracker, &wish.token);
    let desk = Desk::open(context, url).await?;
    let AuthorityReply { certificates, now_ms } = desk.answer(desk.caller.authority(CALL_TIMEOUT).await)?;
    let (ours, theirs) = (time_of_day().as_secs(), now_ms / 1000);
    if ours.abs_diff(theirs) > CLOCKS_DIFFER_S_MAX {
        return Err(refused(
            format!("the clock: this machine's says {}, and that of {url} says {}", Utc(ours), Utc(theirs)),
            "set the clock that is wrong, and join again",
        ));
    }
    let pinned = certificates
        .iter()
        .map(Der::as_slice)
        .find(|&der| pin(&CertificateDer::from(der)) == Some(token.pin));
    let Some(pinned) = pinned else {
        return Err(refused(
            format!("the authority of {url} is not that of the token ({}): somebody else answers", token.pin),
            "check the tracker's address, and that the token is of this fleet",
        ));
    };
    Authorities::read(pem(&[pinned.to_vec()]).as_bytes())
        .map_err(|why| refused(format!("the authority of {url} cannot be used: {why}"), "look into its log"))
}

/// Asks for the certificate, over TLS with nobody but the token's authority.
async fn ask(
    context: &Context,
    wish: &Wish,
    node: &NodeName,
    key: &Key,
    authority: &Authorities,
) -> Result<(Kept, Joined, Option<Vec<u8>>), ControlError> {
    let (url, now) = (&wish.tracker, time_of_day().as_secs());
    let desk = Desk::open_secured(context, url, authority, &Revoked::default(), now).await?;
    let request = key.request().map_err(|error| internal(&error))?;
    let request = Der::try_from(request).map_err(|error| internal(&error))?;
    let (token, secret) = (wish.token.id, wish.token.secret);
    let asked = desk.caller.join(JoinAsk { token, secret, node: node.clone(), request }, CALL_TIMEOUT).await;
    let Enrolled { chain, authorities, mode } = desk.answer(asked)?;
    let (chain, authorities) = (bytes(chain), bytes(authorities));
    let checked = identity::check(key, node, (&chain, &authorities), Some(wish.token.pin), now);
    let kept = checked.map_err(|why| refused(format!("{url}: {why}"), "set the clock if it is wrong"))?;
    // Whoever revokes a certificate meanwhile is heard from the announcer's connection.
    let list = fetch(&desk.caller, 0).await.ok().flatten();
    let mode = mode.map_or(TlsMode::Require, TlsMode::from);
    Ok((kept, Joined { tracker: url.clone(), mode }, list))
}

fn refused(message: String, hint: &str) -> ControlError {
    ControlError { kind: ErrorKind::Refused, message, hint: Some(hint.to_owned()) }
}

fn internal(error: &dyn std::fmt::Display) -> ControlError {
    ControlError { kind: ErrorKind::Internal, message: error.to_string(), hint: None }
}
