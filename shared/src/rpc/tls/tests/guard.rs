//! Connections that exist while the doors change.

use super::*;
use crate::host::doors::Doors;
use crate::host::guard::{Guest, while_welcome};
use crate::rpc::tls::CertificateFault;
use tokio::sync::watch;

impl Ca {
    /// The doors of a machine that knows of these revoked serial numbers.
    fn doors(&self, mode: TlsMode, revoked: &[u64]) -> Arc<Doors> {
        let revoked = match revoked {
            [] => Revoked::default(),
            serials => Revoked::read(&self.revoked(serials)).unwrap(),
        };
        let identity = self.identity_with(&NAMES, (-3600, DAY), 1);
        let setup = Setup::new(Some(&identity), &self.authorities(), &revoked, now()).unwrap();
        Arc::new(Doors { mode, setup: Some(Arc::new(setup)), ..Doors::default() })
    }
}

/// What both sides remember of each other.
async fn guests(dialled: &Dialing, accepted: &Accepting) -> [Guest; 2] {
    let (dialled, accepted) = meet(dialled, accepted).await;
    [Guest::of(&dialled.unwrap()), Guest::of(&accepted.unwrap())]
}

#[tokio::test]
async fn a_connection_ends_when_its_certificate_is_revoked_and_no_other_does() {
    let ca = Ca::new();
    let setup = |serial| {
        let identity = ca.identity_with(&NAMES, (-3600, DAY), serial);
        Arc::new(Setup::new(Some(&identity), &ca.authorities(), &Revoked::default(), now()).unwrap())
    };
    let (caller, callee) = (setup(7), setup(8));
    let [of_callee, of_caller] =
        guests(&dialing(TlsMode::Require, &caller), &accepting(TlsMode::Require, &callee)).await;
    let (publish, doors) = watch::channel(ca.doors(TlsMode::Require, &[]));
    let serving = |guest: &Guest| {
        let (doors, guest) = (doors.clone(), guest.clone());
        tokio::spawn(while_welcome(doors, guest, false, std::future::pending::<()>()))
    };
    let (to_callee, to_caller) = (serving(&of_callee), serving(&of_caller));

    // Another certificate is revoked.
    publish.send_replace(ca.doors(TlsMode::Prefer, &[6]));
    tokio::task::yield_now().await;
    assert!(!to_callee.is_finished() && !to_caller.is_finished());

    publish.send_replace(ca.doors(TlsMode::Require, &[6, 7]));
    let why = tokio::time::timeout(SOON, to_caller).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(why, Refusal::Certificate(CertificateFault::Revoked)), "{why}");
    assert!(!to_callee.is_finished());
    // What was revoked before the connection is watched counts, too.
    let late = tokio::time::timeout(SOON, serving(&of_caller)).await.unwrap().unwrap();
    assert!(late.is_err());

    drop(publish);
    tokio::task::yield_now().await;
    assert!(!to_callee.is_finished(), "nobody looks at the files any more");
    to_callee.abort();
}

#[tokio::test]
async fn who_began_without_tls_has_to_begin_anew_where_it_is_required() {
    let ca = Ca::new();
    let setup = ca.setup(&NAMES);
    let plain = guests(&Dialing::default(), &accepting(TlsMode::Prefer, &setup)).await;
    let unknown =
        guests(&dialing(TlsMode::Prefer, &ca.stranger()), &accepting(TlsMode::Prefer, &setup)).await;
    let known = guests(&dialing(TlsMode::Prefer, &setup), &accepting(TlsMode::Prefer, &setup)).await;
    for mode in [TlsMode::Off, TlsMode::Prefer] {
        let doors = ca.doors(mode, &[]);
        let objects = |guest: &Guest| doors.objection(guest, false).is_some();
        assert!(!plain.iter().chain(&unknown).chain(&known).any(objects), "{mode}");
    }
    let doors = ca.doors(TlsMode::Require, &[]);
    assert!(plain.iter().all(|guest| matches!(doors.objection(guest, false), Some(Refusal::Plain))));
    assert!(plain.iter().all(|guest| doors.objection(guest, true).is_none()), "it may be about to ask");
    assert!(!known.iter().any(|guest| doors.objection(guest, false).is_some()));
    let [of_callee, of_caller] = unknown;
    assert!(doors.objection(&of_callee, false).is_none(), "the side that was called shows a certificate");
    assert!(matches!(doors.objection(&of_caller, false), Some(Refusal::NoCertificate)));
    assert!(doors.objection(&of_caller, true).is_none(), "it may be about to ask for one");
}

#[tokio::test]
async fn a_connection_that_ends_by_itself_is_not_accused() {
    let ca = Ca::new();
    let setup = ca.setup(&NAMES);
    let [_, guest] = guests(&Dialing::default(), &accepting(TlsMode::Prefer, &setup)).await;
    let (_publish, doors) = watch::channel(ca.doors(TlsMode::Require, &[]));
    let end = while_welcome(doors, guest, false, async { 5 }).await;
    assert_eq!(end.unwrap(), 5);
}
