//! What this machine brings to its connections: identity, authorities and revocations, checked against each other.

use super::common::provider;
use super::fault::FileFault;
use super::read::{Authorities, Identity, Revoked};
use crate::identity::Node;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::UnixTime;
use rustls::server::{ClientCertVerifierBuilder, NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use webpki::{
    CertRevocationList, EndEntityCert, KeyUsage, RevocationCheckDepth, RevocationOptionsBuilder,
    UnknownStatusPolicy,
};

/// What this machine brings to its connections. A new one is made when a file changes; connections that exist keep the
/// one with which they began.
///
/// A setup without an identity may dial and shows no certificate. So a machine asks a tracker for its first one.
#[derive(Clone)]
pub struct Setup {
    node: Option<Node>,
    /// For callers that must show a certificate.
    strict: Option<Arc<ServerConfig>>,
    /// For callers that may show one.
    open: Option<Arc<ServerConfig>>,
    client: Arc<ClientConfig>,
    /// The lists of revoked certificates, for connections that exist.
    lists: Arc<[CertRevocationList<'static>]>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Setup {
    /// Puts the parts together. `now` is the time on this machine's clock, in seconds since 1970.
    ///
    /// # Errors
    /// If others would refuse the identity: one of the authorities must have signed it, and it must be neither expired,
    /// nor revoked. If a list of revoked certificates was signed by somebody else.
    pub fn new(
        identity: Option<&Identity>,
        authorities: &Authorities,
        revoked: &Revoked,
        now: u64,
    ) -> Result<Setup, FileFault> {
        if let Some(identity) = identity {
            check(identity, authorities, revoked, now)?;
        }
        let unusable = |error: &dyn fmt::Display| FileFault::Key(error.to_string());
        let mut roots = RootCertStore::empty();
        for (index, certificate) in authorities.0.iter().enumerate() {
            let added = roots.add(certificate.clone());
            added.map_err(|error| FileFault::Certificate(index + 1, error.to_string()))?;
        }
        let roots = Arc::new(roots);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider())
            .with_crls(revoked.0.iter().cloned())
            .only_check_end_entity_revocation()
            .allow_unknown_revocation_status()
            .build()
            .map_err(|error| unusable(&error))?;
        let client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| unusable(&error))?
            .with_webpki_verifier(verifier);
        let mut client = match identity {
            Some(identity) => {
                client.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.key.clone())))
            }
            None => client.with_no_client_auth(),
        };
        // A resumed session would pass over the revocations that came in between.
        client.resumption = Resumption::disabled();
        let callers = || {
            WebPkiClientVerifier::builder_with_provider(roots.clone(), provider())
                .with_crls(revoked.0.iter().cloned())
                .only_check_end_entity_revocation()
                .allow_unknown_revocation_status()
                // Callers know by which authority they have their one certificate.
                .clear_root_hint_subjects()
        };
        let server = |callers| identity.map(|identity| server(identity, callers)).transpose();
        Ok(Setup {
            node: identity.map(|identity| identity.node.clone()),
            strict: server(callers()).map_err(|error| unusable(&error))?,
            open: server(callers().allow_unauthenticated()).map_err(|error| unusable(&error))?,
            client: Arc::new(client),
            lists: revoked.parsed()?.into(),
        })
    }

    /// Who we are; `None` without an identity.
    pub fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    /// How callers are served. `None` without an identity.
    pub(super) fn server(&self, without_certificate: bool) -> Option<&Arc<ServerConfig>> {
        if without_certificate { self.open.as_ref() } else { self.strict.as_ref() }
    }

    pub(super) fn lists(&self) -> &[CertRevocationList<'static>] {
        &self.lists
    }

    /// How others are dialled.
    pub(super) fn client(&self) -> &Arc<ClientConfig> {
        &self.client
    }
}

fn server(identity: &Identity, callers: ClientCertVerifierBuilder) -> Result<Arc<ServerConfig>, String> {
    let callers = callers.build().map_err(|error| error.to_string())?;
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(callers)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.key.clone())));
    // No resumption on this side either.
    server.send_tls13_tickets = 0;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(server))
}

/// Looks at our own certificate as others will.
fn check(
    identity: &Identity,
    authorities: &Authorities,
    revoked: &Revoked,
    now: u64,
) -> Result<(), FileFault> {
    let own = |error: webpki::Error| FileFault::Certificate(1, error.to_string());
    let certificate = EndEntityCert::try_from(&identity.chain()[0]).map_err(own)?;
    let (anchors, lists) = (authorities.anchors()?, revoked.parsed()?);
    let lists: Vec<&CertRevocationList<'_>> = lists.iter().collect();
    let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
        options
            .with_depth(RevocationCheckDepth::EndEntity)
            .with_status_policy(UnknownStatusPolicy::Allow)
            .build()
    });
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms.all;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let above = &identity.chain()[1..];
    for usage in [KeyUsage::client_auth(), KeyUsage::server_auth()] {
        certificate
            .verify_for_usage(algorithms, &anchors, above, time, usage, revocation, None)
            .map_err(|error| fault(error, now))?;
    }
    Ok(())
}

fn fault(error: webpki::Error, now: u64) -> FileFault {
    use webpki::Error;
    match error {
        Error::CertExpired { not_after, .. } => FileFault::Expired { not_after: not_after.as_secs(), now },
        Error::CertNotValidYet { not_before, .. } => {
            FileFault::NotYet { not_before: not_before.as_secs(), now }
        }
        Error::UnknownIssuer => FileFault::Foreign,
        // An authority of the same name and another key.
        Error::InvalidSignatureForPublicKey => FileFault::Foreign,
        Error::CertRevoked => FileFault::IsRevoked,
        Error::InvalidCrlSignatureForPublicKey => {
            FileFault::Revoked("it was not signed by the authority that it names".to_owned())
        }
        Error::IssuerNotCrlSigner => {
            FileFault::Revoked("the authority that it names may not sign such lists".to_owned())
        }
        Error::RequiredEkuNotFoundContext(_) => FileFault::Certificate(
            1,
            "it is not for both sides of a connection (extended key usage serverAuth and clientAuth)"
                .to_owned(),
        ),
        error => FileFault::Certificate(1, error.to_string()),
    }
}
