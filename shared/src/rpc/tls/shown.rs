//! The certificate that the other side of a connection showed, kept for as long as the connection lasts: it may be
//! revoked meanwhile.

use super::setup::Setup;
use rustls::pki_types::CertificateDer;
use std::fmt;
use std::sync::Arc;
use webpki::EndEntityCert;

/// A certificate that was verified when the connection began.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown(Arc<CertificateDer<'static>>);

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shown({} bytes)", self.0.len())
    }
}

impl Shown {
    pub(super) fn new(certificate: &CertificateDer<'_>) -> Shown {
        Shown(Arc::new(certificate.clone().into_owned()))
    }

    /// Whether it was revoked, by the lists of this setup. A certificate that cannot be read counts as revoked; no
    /// connection begins with such a one. Two authorities of one name are taken for one: serial numbers are drawn at random.
    pub fn is_revoked(&self, setup: &Setup) -> bool {
        let Ok(certificate) = EndEntityCert::try_from(&*self.0) else { return true };
        let of_issuer = setup.lists().iter().filter(|list| list.issuer() == certificate.issuer());
        // A list with an entry that cannot be read was not taken into a setup.
        of_issuer.into_iter().any(|list| !matches!(list.find_serial(certificate.serial()), Ok(None)))
    }
}
