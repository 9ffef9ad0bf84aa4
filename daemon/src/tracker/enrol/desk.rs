//! A connection to a tracker on which certificates are asked for. This machine shows none.

use crate::inbox::Context;
use crate::jobs;
use crate::tracker::health::Trouble;
use crate::tracker::session::{CALL_TIMEOUT, ended, resolve};
use shared::identity::Role;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::control::{ControlError, ErrorKind};
use shared::rpc::tls::{Authorities, CertificateFault, Dialing, Refusal, Revoked, Setup, dial};
use shared::rpc::tracker::{Der, NotEnrolled, TrackerCaller, TrackerHello};
use shared::rpc::wire::{self, CallError, ClientOptions, LinkEnd, Sideband};
use shared::tls_mode::TlsMode;
use shared::url::TrackerUrl;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// A connection after hello. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) caller: TrackerCaller,
    url: TrackerUrl,
    carrier: JoinHandle<LinkEnd>,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

impl Desk {
    /// Connects without TLS, to learn which authority the tracker has.
    ///
    /// # Errors
    /// Why there is no connection.
    pub(super) async fn open(context: &Context, url: &TrackerUrl) -> Result<Desk, ControlError> {
        Desk::open_with(context, url, &Dialing::default()).await
    }

    /// Connects over TLS to a tracker that one of the authorities certified.
    ///
    /// # Errors
    /// Why there is no connection.
    pub(super) async fn open_secured(
        context: &Context,
        url: &TrackerUrl,
        authorities: &Authorities,
        revoked: &Revoked,
        now: u64,
    ) -> Result<Desk, ControlError> {
        let setup = Setup::new(None, authorities, revoked, now).map_err(|why| ControlError {
            kind: ErrorKind::Refused,
            message: format!("the authority of {url} cannot be used: {why}"),
            hint: None,
        })?;
        let how = Dialing { mode: TlsMode::Require, setup: Some(Arc::new(setup)), fault: None };
        Desk::open_with(context, url, &how).await
    }

    async fn open_with(context: &Context, url: &TrackerUrl, how: &Dialing) -> Result<Desk, ControlError> {
        let addresses = resolve(url).await.map_err(|trouble| troubled(url, &trouble))?;
        let mut last = unreachable(url, &format!("{} has no address", url.host()));
        for address in addresses {
            match Desk::open_at(context, url, address, how).await {
                Ok(desk) => return Ok(desk),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn open_at(
        context: &Context,
        url: &TrackerUrl,
        address: SocketAddr,
        how: &Dialing,
    ) -> Result<Desk, ControlError> {
        let connect = async || Ok((context.connect(address, false).await?, Sideband::new()));
        let stream = dial(how, Role::Tracker, connect).await.map_err(|refusal| refused(url, &refusal))?;
        let options = ClientOptions { sideband: stream.sideband().clone(), ..ClientOptions::default() };
        let (caller, carrier): (TrackerCaller, _) = wire::client(stream, options);
        let mut desk = Desk { caller, url: url.clone(), carrier: jobs::spawn(carrier) };
        let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer: None };
        match desk.caller.hello(hello, CALL_TIMEOUT).await {
            Ok(Ok(welcome)) if welcome.version == PROTOCOL_VERSION => Ok(desk),
            Ok(Ok(welcome)) => {
                Err(unreachable(url, &format!("it speaks protocol version {}", welcome.version)))
            }
            Ok(Err(error)) => Err(unreachable(url, &error.to_string())),
            Err(CallError::Closed) => Err(troubled(url, &ended((&mut desk.carrier).await))),
            Err(error) => Err(unreachable(url, &error.to_string())),
        }
    }

    /// The answer to a call, or why there is none, for people.
    ///
    /// # Errors
    /// The tracker's refusal, or why it gave no answer.
    pub(super) fn answer<T>(
        &self,
        answer: Result<Result<T, NotEnrolled>, CallError>,
    ) -> Result<T, ControlError> {
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(why)) => Err(ControlError {
                kind: match why {
                    NotEnrolled::TryLater { .. } | NotEnrolled::Unable => ErrorKind::Unreachable,
                    _ => ErrorKind::Refused,
                },
                message: format!("{}: {why}", self.url),
                hint: Some(why.hint().to_owned()),
            }),
            Err(error) => Err(unreachable(&self.url, &error.to_string())),
        }
    }
}

/// Certificates as plain bytes.
pub(super) fn bytes(certificates: Vec<Der>) -> Vec<Vec<u8>> {
    certificates.into_iter().map(Vec::from).collect()
}

fn troubled(url: &TrackerUrl, trouble: &Trouble) -> ControlError {
    let unreachable = unreachable(url, &trouble.to_string());
    ControlError { hint: trouble.hint().map(str::to_owned).or(unreachable.hint), ..unreachable }
}

fn unreachable(url: &TrackerUrl, why: &str) -> ControlError {
    ControlError {
        kind: ErrorKind::Unreachable,
        message: format!("tracker {url} unreachable ({why})"),
        hint: Some("check that tt-tracker runs there and that its port is open".to_owned()),
    }
}

/// Why there is no TLS with a tracker, and what to do.
fn refused(url: &TrackerUrl, refusal: &Refusal) -> ControlError {
    let (kind, hint) = match refusal {
        Refusal::Failed(_) | Refusal::TimedOut | Refusal::Closed => {
            return unreachable(url, &refusal.to_string());
        }
        Refusal::NoTls => (
            ErrorKind::Refused,
            "the token and the certificate are sent over TLS only: set tls = \"prefer\" or \"require\" at the tracker",
        ),
        Refusal::Certificate(CertificateFault::Expired { .. } | CertificateFault::NotYet { .. }) => {
            (ErrorKind::Refused, "set the clock of the machine where it is wrong")
        }
        Refusal::Certificate(CertificateFault::Foreign) => (
            ErrorKind::Refused,
            "somebody else answers at that address, or the tracker has another authority now",
        ),
        _ => (ErrorKind::Refused, "`ttctl ca list` on the tracker's machine shows its certificates"),
    };
    let message = match refusal {
        Refusal::NoTls => format!("tracker {url}: it speaks no TLS"),
        refusal => format!("tracker {url}: {refusal}"),
    };
    ControlError { kind, message, hint: Some(hint.to_owned()) }
}
