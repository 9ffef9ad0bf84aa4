//! Tests with real certificates, made by rcgen as any authority makes them.

mod files;
#[cfg(feature = "host")]
mod guard;
mod refusals;
mod traffic;

use super::{Accepting, Authorities, Dialing, Identity, Refusal, Revoked, Secured, Setup, accept, dial};
use crate::identity::Role;
use crate::rpc::wire::Sideband;
use crate::tls_mode::TlsMode;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};

const SOON: Duration = Duration::from_secs(20);
const DAY: i64 = 24 * 3600;
const NAMES: [&str; 2] = ["peer.tinytorrent.internal", "web-1.node.tinytorrent.internal"];
const TRACKER: [&str; 2] = ["tracker.tinytorrent.internal", "hub.node.tinytorrent.internal"];

#[expect(clippy::disallowed_methods, reason = "certificates are dated")]
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn at(seconds_from_now: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(now() as i64 + seconds_from_now).unwrap()
}

/// An authority.
struct Ca {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    fn new() -> Ca {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "a fleet");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Ca { certificate, issuer: Issuer::new(params, key) }
    }

    fn authorities(&self) -> Authorities {
        Authorities::read(self.certificate.as_bytes()).unwrap()
    }

    /// The certificate and the key for some names, with a life in seconds from now on.
    fn pem(&self, names: &[&str], life: (i64, i64), serial: u64) -> (String, String) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        (params.not_before, params.not_after) = (at(life.0), at(life.1));
        params.serial_number = Some(SerialNumber::from(serial));
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn identity(&self, names: &[&str]) -> Identity {
        self.identity_with(names, (-3600, DAY), 7)
    }

    fn identity_with(&self, names: &[&str], life: (i64, i64), serial: u64) -> Identity {
        let (certificate, key) = self.pem(names, life, serial);
        Identity::read(format!("{key}{certificate}").as_bytes()).unwrap()
    }

    /// A list of revoked serial numbers.
    fn revoked(&self, serials: &[u64]) -> Vec<u8> {
        let revoked_certs = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: at(-60),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: at(-60),
            next_update: at(-30), // stale, and it counts all the same
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().der().to_vec()
    }

    /// What a machine with these names brings.
    fn setup(&self, names: &[&str]) -> Arc<Setup> {
        let identity = self.identity(names);
        Arc::new(Setup::new(Some(&identity), &self.authorities(), &Revoked::default(), now()).unwrap())
    }

    /// What a machine without a certificate brings.
    fn stranger(&self) -> Arc<Setup> {
        Arc::new(Setup::new(None, &self.authorities(), &Revoked::default(), now()).unwrap())
    }
}

fn accepting(mode: TlsMode, setup: &Arc<Setup>) -> Accepting {
    Accepting { mode, setup: Some(setup.clone()), callers: &[Role::Peer], ..Accepting::default() }
}

fn dialing(mode: TlsMode, setup: &Arc<Setup>) -> Dialing {
    Dialing { mode, setup: Some(setup.clone()), ..Dialing::default() }
}

type End<S> = Result<Secured<S>, Refusal>;

/// Dials and accepts over a pipe, as peers do.
async fn meet(dialing: &Dialing, accepting: &Accepting) -> (End<DuplexStream>, End<DuplexStream>) {
    meet_as(dialing, Role::Peer, accepting).await
}

/// A caller that demands `role` of the other side. The other side may be dialled twice; the last outcome counts.
async fn meet_as(
    dialing: &Dialing,
    role: Role,
    accepting: &Accepting,
) -> (End<DuplexStream>, End<DuplexStream>) {
    let (connect, mut connected) = tokio::sync::mpsc::unbounded_channel();
    let accepting = accepting.clone();
    let server = tokio::spawn(async move {
        let mut last = None;
        while let Some(stream) = connected.recv().await {
            last = Some(accept(stream, &accepting, Sideband::new()).await);
        }
        last.unwrap_or(Err(Refusal::Closed))
    });
    let dialled = dial(dialing, role, || {
        let (near, far) = duplex(64 << 10);
        connect.send(far).unwrap();
        async { Ok((near, Sideband::new())) }
    });
    // A plain connection is recognized by its first byte.
    let dialled = async {
        let mut dialled = dialled.await;
        if let Ok(stream) = &mut dialled
            && !stream.is_encrypted()
        {
            tokio::io::AsyncWriteExt::write_all(stream, &[0]).await.unwrap();
        }
        dialled
    };
    let dialled = tokio::time::timeout(SOON, dialled).await.unwrap();
    drop(connect);
    (dialled, tokio::time::timeout(SOON, server).await.unwrap().unwrap())
}

/// The error with which a caller that was let in at first learns that it was refused: TLS tells callers so late.
async fn read_error(mut stream: Secured<impl AsyncRead + AsyncWrite + Unpin>) -> String {
    let mut byte = [0];
    let reading = tokio::io::AsyncReadExt::read(&mut stream, &mut byte);
    tokio::time::timeout(SOON, reading).await.unwrap().unwrap_err().to_string()
}
