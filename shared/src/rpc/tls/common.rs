//! What all handshakes have in common: the cryptography, and the time.

use rustls::crypto::{CryptoProvider, ring};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// How long a handshake may take. It counts toward the time for hello, so an honest side has more time than it needs.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(8);

/// The cryptography of all connections: ring, with the suites of TLS 1.3 only. AES-128-GCM comes first, which is the
/// fastest one where the processor has AES.
///
/// It is passed on everywhere; none is installed for the process, where another library might find it.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        use ring::cipher_suite::{
            TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
        };
        let cipher_suites =
            vec![TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256];
        Arc::new(CryptoProvider { cipher_suites, ..ring::default_provider() })
    });
    PROVIDER.clone()
}
