//! With which files and in which mode this machine meets others: what the configuration says, else what the machine
//! joined with. It is pure.

use shared::host::certificates::Places;
use shared::tls_mode::TlsMode;
use shared::url::TrackerUrl;
use std::path::PathBuf;

/// What the configuration says of TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfiguredTls {
    /// `tls`, if it is set.
    pub mode: Option<TlsMode>,
    /// `tls_identity`
    pub identity: Option<PathBuf>,
    /// `tls_ca`
    pub authorities: Option<PathBuf>,
    /// `tls_crl`
    pub revoked: Option<PathBuf>,
    /// `trackers`: where a certificate may be renewed as well.
    pub trackers: Vec<TrackerUrl>,
}

impl ConfiguredTls {
    /// Whether the certificate comes from the configuration. What the machine joined with is not used then.
    pub fn has_identity(&self) -> bool {
        self.identity.is_some() || self.authorities.is_some()
    }
}

/// What is settled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// Whether connections are encrypted.
    pub mode: TlsMode,
    /// The files.
    pub places: Places,
}

/// Settles it. `joined` is the mode of the fleet that this machine joined, if it joined one: "require" if nobody knows what the
/// token said. `own` are the files of what was joined, `has_list` says whether there is a list of revoked certificates among
/// them that the authorities in use have signed: another one would only be in the way.
pub fn settle(
    configured: &ConfiguredTls,
    joined: Option<TlsMode>,
    own: Option<&Places>,
    has_list: bool,
) -> Settled {
    let list = own.and_then(|own| own.revoked.clone()).filter(|_| has_list);
    let revoked = configured.revoked.clone().or(list);
    match (joined, own) {
        _ if configured.has_identity() => Settled {
            mode: configured.mode.unwrap_or_default(),
            places: Places {
                identity: configured.identity.clone(),
                authorities: configured.authorities.clone(),
                revoked,
            },
        },
        (Some(joined), Some(own)) => {
            Settled { mode: configured.mode.unwrap_or(joined), places: Places { revoked, ..own.clone() } }
        }
        _ => Settled {
            mode: configured.mode.unwrap_or_default(),
            places: Places { revoked: configured.revoked.clone(), ..Places::default() },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Option<PathBuf> {
        Some(text.into())
    }

    fn own() -> Places {
        Places { identity: path("/own/i"), authorities: path("/own/a"), revoked: path("/own/r") }
    }

    #[test]
    fn the_token_says_the_mode_unless_the_configuration_does() {
        let none = ConfiguredTls::default();
        let of = |configured: &ConfiguredTls, mode| settle(configured, Some(mode), Some(&own()), true);
        for mode in [TlsMode::Prefer, TlsMode::Require] {
            assert_eq!(of(&none, mode), Settled { mode, places: own() });
            for written in TlsMode::ALL {
                let configured = ConfiguredTls { mode: Some(written), ..ConfiguredTls::default() };
                assert_eq!(of(&configured, mode), Settled { mode: written, places: own() });
            }
        }
        assert_eq!(settle(&none, None, Some(&own()), false), Settled::default());
        assert_eq!(settle(&none, None, None, false), Settled::default());
    }

    #[test]
    fn a_configured_certificate_comes_before_a_joined_one() {
        let configured =
            ConfiguredTls { identity: path("/c/i"), authorities: path("/c/a"), ..ConfiguredTls::default() };
        let at = |configured: &ConfiguredTls, has_list| {
            settle(configured, Some(TlsMode::Require), Some(&own()), has_list)
        };
        let places = Places { identity: path("/c/i"), authorities: path("/c/a"), revoked: None };
        assert_eq!(at(&configured, false), Settled { mode: TlsMode::Off, places: places.clone() });
        let with_list = Places { revoked: path("/own/r"), ..places.clone() };
        assert_eq!(at(&configured, true).places, with_list, "trackers spread its list as well");
        let configured = ConfiguredTls { revoked: path("/c/r"), ..configured };
        assert_eq!(at(&configured, true).places, Places { revoked: path("/c/r"), ..places });
        // Half of it is a mistake that the doors name, and no reason to use the other one.
        let half = ConfiguredTls { authorities: path("/c/a"), ..ConfiguredTls::default() };
        assert_eq!(at(&half, false).places.identity, None);
    }
}
