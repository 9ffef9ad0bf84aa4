//! What `ttctl identity` is told. It is pure.

use super::membership::Known;
use shared::expiry::{authority_ends, nearness};
use shared::rpc::control::{Certificate, IdentityOrigin, IdentityReport, ModeOrigin};
use shared::tls_mode::TlsMode;

/// What is known of the identity, for people and scripts. `in_the_way` is why the doors cannot use the files, and `now` the
/// time on this machine's clock in seconds since 1970.
pub fn report(known: &Known, in_the_way: Option<&str>, now: u64) -> IdentityReport {
    let origin = match (&known.joined, known.configured.has_identity()) {
        (_, true) => IdentityOrigin::Configured,
        (Some(_), false) => IdentityOrigin::Joined,
        (None, false) => IdentityOrigin::None,
    };
    let mode_origin = match (known.configured.mode, origin) {
        (Some(_), _) => ModeOrigin::Configured,
        (None, IdentityOrigin::Joined) => ModeOrigin::Joined,
        (None, IdentityOrigin::None) if known.fault.is_some() => ModeOrigin::Joined,
        (None, _) => ModeOrigin::Default,
    };
    let joined = known.joined.as_ref().filter(|_| origin == IdentityOrigin::Joined);
    let (fault, hint) = match fault(known, origin, in_the_way) {
        (None, None) => (None, end_of_authority(known, now)),
        said => said,
    };
    IdentityReport {
        origin,
        mode: known.settled.mode,
        mode_origin,
        file: known.settled.places.identity.clone(),
        certificate: known.certificate.as_ref().map(|certificate| Certificate {
            node: certificate.node.name.clone(),
            roles: certificate.node.roles.iter().copied().collect(),
            groups: certificate.node.groups.iter().cloned().collect(),
            not_before_s: certificate.not_before,
            not_after_s: certificate.not_after,
        }),
        authorities: known.pins(),
        tracker: joined.map(|joined| joined.tracker.clone()),
        renewal_s: known.due.filter(|_| joined.is_some()),
        revoked_list: Some(known.list).filter(|list| *list > 0),
        now_s: now,
        fault,
        hint,
    }
}

/// What is wrong, and what to do.
fn fault(
    known: &Known,
    origin: IdentityOrigin,
    in_the_way: Option<&str>,
) -> (Option<String>, Option<String>) {
    let join = || Some("`ttctl ca token` on the tracker's machine prints how to join".to_owned());
    if let Some(fault) = &known.fault {
        return (Some(fault.clone()), join());
    }
    match (origin, in_the_way, &known.trouble) {
        (IdentityOrigin::None, None, _) => (None, join()),
        (IdentityOrigin::None, Some(fault), _) => (Some(fault.to_owned()), join()),
        (IdentityOrigin::Joined, Some(fault), Some(trouble)) => {
            let message = format!("{fault}; {}", trouble.message);
            (Some(message), trouble.hint.clone())
        }
        (IdentityOrigin::Joined, None, Some(trouble)) => {
            (Some(trouble.message.clone()), trouble.hint.clone())
        }
        (IdentityOrigin::Joined, Some(fault), None)
            if known.certificate.is_none() || known.authorities.is_empty() =>
        {
            (Some(fault.to_owned()), join())
        }
        (IdentityOrigin::Joined, Some(fault), None) => {
            (Some(fault.to_owned()), Some("ttd asks the tracker for a new certificate".to_owned()))
        }
        (_, Some(fault), _) => (Some(fault.to_owned()), None),
        (_, None, _) if known.settled.mode == TlsMode::Off => {
            let hint =
                "the certificate is not used: tls = \"off\" is in force; set tls = \"require\" in ttd.toml";
            (None, Some(hint.to_owned()))
        }
        (_, None, _) => (None, None),
    }
}

/// That the authority ends soon, if it does.
fn end_of_authority(known: &Known, now: u64) -> Option<String> {
    let end = known.authority_end.filter(|&end| nearness(end, now).is_some())?;
    let (said, hint) = authority_ends(end, now);
    Some(format!("{said}; {hint}"))
}

#[cfg(test)]
mod tests {
    use super::super::membership::Trouble;
    use super::super::settled::{ConfiguredTls, Settled};
    use super::*;
    use crate::store::Joined;

    fn joined(mode: TlsMode) -> Known {
        let joined = Joined { tracker: "tt://hub".parse().unwrap(), mode };
        let settled = Settled { mode, ..Settled::default() };
        Known { joined: Some(joined), settled, ..Known::default() }
    }

    #[test]
    fn a_machine_that_never_joined_is_told_how() {
        let report = report(&Known::default(), None, 7);
        assert_eq!(
            (report.origin, report.mode_origin, report.now_s),
            (IdentityOrigin::None, ModeOrigin::Default, 7)
        );
        assert_eq!(report.fault, None);
        assert!(report.hint.unwrap().contains("ttctl ca token"));
    }

    #[test]
    fn what_is_wrong_with_the_certificate_comes_with_why_it_is_not_renewed() {
        let known = joined(TlsMode::Require);
        let told = report(&known, Some("the certificate expired"), 7);
        assert_eq!((told.origin, told.mode_origin), (IdentityOrigin::Joined, ModeOrigin::Joined));
        assert_eq!(told.fault.as_deref(), Some("the certificate expired"));
        let trouble =
            Trouble { message: "tt://hub: it was revoked".to_owned(), hint: Some("join anew".to_owned()) };
        let known = Known { trouble: Some(trouble), ..known };
        let told = report(&known, Some("the certificate expired"), 7);
        let both = "the certificate expired; tt://hub: it was revoked";
        assert_eq!((told.fault.as_deref(), told.hint.as_deref()), (Some(both), Some("join anew")));
        let told = report(&known, None, 7);
        assert_eq!(told.fault.as_deref(), Some("tt://hub: it was revoked"));
    }

    #[test]
    fn an_authority_that_ends_soon_is_a_hint_and_no_fault() {
        let at = |end: u64| Known { authority_end: Some(end), ..joined(TlsMode::Require) };
        let day = 24 * 3600;
        assert_eq!(report(&at(31 * day + 7), None, 7).hint, None);
        let told = report(&at(29 * day + 7), None, 7);
        assert_eq!(told.fault, None);
        assert!(told.hint.as_ref().unwrap().contains("in 29 days; before that, run `ttctl ca rotate`"));
        assert_eq!(report(&at(9), Some("it is broken"), 7).fault.as_deref(), Some("it is broken"));
    }

    #[test]
    fn a_certificate_that_is_switched_off_is_said() {
        let configured = ConfiguredTls { mode: Some(TlsMode::Off), ..ConfiguredTls::default() };
        let known = Known { configured, ..joined(TlsMode::Off) };
        let told = report(&known, None, 7);
        assert_eq!((told.fault, told.mode_origin), (None, ModeOrigin::Configured));
        assert!(told.hint.unwrap().contains("tls = \"off\" is in force"));
    }
}
