//! Who gets in, and what both sides are told when somebody does not.

use super::super::{CertificateFault, FileFault};
use super::*;
use TlsMode::{Off, Prefer, Require};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn two_members_meet_and_know_each_other() {
    let ca = Ca::new();
    let (web, db) = (ca.setup(&NAMES), ca.setup(&[NAMES[0], "db-1.node.tinytorrent.internal"]));
    for (dials, accepts) in [(Prefer, Prefer), (Prefer, Require), (Require, Prefer), (Require, Require)] {
        let (dialled, accepted) = meet(&dialing(dials, &web), &accepting(accepts, &db)).await;
        let (mut dialled, mut accepted) = (dialled.unwrap(), accepted.unwrap());
        assert_eq!(dialled.who().unwrap().name.as_str(), "db-1");
        assert_eq!(accepted.who().unwrap().name.as_str(), "web-1");
        dialled.write_all(b"hello").await.unwrap();
        dialled.flush().await.unwrap();
        let mut read = [0; 5];
        accepted.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"hello");
    }
}

/// No pair of neighbors on the way from `off` to `require` is cut off from each other.
#[tokio::test]
async fn who_speaks_no_tls_is_served_where_that_is_allowed() {
    let ca = Ca::new();
    let setup = ca.setup(&NAMES);
    for (dials, accepts) in [(Off, Off), (Off, Prefer), (Prefer, Off)] {
        let (dialled, accepted) = meet(&dialing(dials, &setup), &accepting(accepts, &setup)).await;
        let (dialled, mut accepted) = (dialled.unwrap(), accepted.unwrap());
        assert!(!dialled.is_encrypted() && !accepted.is_encrypted(), "{dials} to {accepts}");
        assert_eq!(accepted.who(), None);
        assert_eq!(accepted.read_u8().await.unwrap(), 0, "the byte that was looked at is not lost");
    }
    let (dialled, accepted) = meet(&dialing(Off, &setup), &accepting(Require, &setup)).await;
    assert!(dialled.is_ok(), "the caller learns it when it reads");
    assert!(matches!(accepted, Err(Refusal::Plain)), "{accepted:?}");
    let (dialled, accepted) = meet(&dialing(Require, &setup), &accepting(Off, &setup)).await;
    assert!(matches!(dialled, Err(Refusal::NoTls)), "{dialled:?}");
    assert_eq!(dialled.unwrap_err().to_string(), "it speaks no TLS, and tls = \"require\" is set here");
    assert!(matches!(accepted, Err(Refusal::NotReady)), "{accepted:?}");
}

#[tokio::test]
async fn a_caller_without_a_certificate_is_let_in_only_where_that_is_allowed() {
    let ca = Ca::new();
    let (setup, stranger) = (ca.setup(&NAMES), ca.stranger());
    let (dialled, accepted) = meet(&dialing(Prefer, &stranger), &accepting(Prefer, &setup)).await;
    assert!(dialled.unwrap().is_encrypted());
    assert_eq!(accepted.unwrap().who(), None);
    let narrow = Accepting { may_be_unknown: true, ..accepting(Require, &setup) };
    let (_dialled, accepted) = meet(&dialing(Require, &stranger), &narrow).await;
    assert_eq!(accepted.unwrap().who(), None);
    let (dialled, accepted) = meet(&dialing(Require, &stranger), &accepting(Require, &setup)).await;
    assert!(matches!(accepted, Err(Refusal::NoCertificate)), "{accepted:?}");
    assert_eq!(read_error(dialled.unwrap()).await, "it demands a certificate, and we showed none");
}

/// What both sides are told when the caller's certificate does not count.
async fn caller_refused(caller: Arc<Setup>, callee: &Accepting) -> (CertificateFault, String) {
    let (dialled, accepted) = meet(&dialing(Require, &caller), callee).await;
    let Err(Refusal::Certificate(fault)) = accepted else { panic!("{accepted:?}") };
    (fault, read_error(dialled.unwrap()).await)
}

/// A setup that its owner took for usable at another time, or with other authorities.
fn forced(identity: &Identity, own: &Ca, trusted: &Ca, now: u64) -> Arc<Setup> {
    let both = format!("{}{}", own.certificate, trusted.certificate);
    let authorities = Authorities::read(both.as_bytes()).unwrap();
    Arc::new(Setup::new(Some(identity), &authorities, &Revoked::default(), now).unwrap())
}

#[tokio::test]
async fn a_callers_certificate_that_does_not_count_is_refused_and_both_sides_know_why() {
    let (ca, other) = (Ca::new(), Ca::new());
    let callee = accepting(Require, &ca.setup(&NAMES));
    for mode in [Prefer, Require] {
        let callee = Accepting { mode, ..callee.clone() };
        let expired = ca.identity_with(&NAMES, (-2 * DAY, -DAY), 1);
        let caller = forced(&expired, &ca, &ca, expired.not_after - 60);
        let (fault, told) = caller_refused(caller, &callee).await;
        assert!(
            matches!(fault, CertificateFault::Expired { not_after, .. } if not_after == expired.not_after)
        );
        assert!(told.contains("not valid at this time; one of the clocks may be wrong"), "{told}");

        let early = ca.identity_with(&NAMES, (DAY, 2 * DAY), 1);
        let (fault, told) = caller_refused(forced(&early, &ca, &ca, early.not_before + 60), &callee).await;
        assert!(fault.to_string().ends_with("one of the clocks may be wrong"), "{fault}");
        assert!(told.contains("one of the clocks may be wrong"), "{told}");

        let foreign = other.identity(&NAMES);
        let (fault, told) = caller_refused(forced(&foreign, &other, &ca, now()), &callee).await;
        assert_eq!(fault, CertificateFault::Foreign);
        assert_eq!(told, "it does not have the authority of our certificate in its tls_ca");
    }
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_on_both_sides() {
    let ca = Ca::new();
    let revoked = Revoked::read(&ca.revoked(&[66])).unwrap();
    let wary = Setup::new(Some(&ca.identity(&NAMES)), &ca.authorities(), &revoked, now()).unwrap();
    let (wary, thief) = (Arc::new(wary), forced(&ca.identity_with(&NAMES, (-60, DAY), 66), &ca, &ca, now()));
    let (fault, told) = caller_refused(thief.clone(), &accepting(Require, &wary)).await;
    assert_eq!(fault, CertificateFault::Revoked);
    assert_eq!(told, "it says that our certificate was revoked");
    let (dialled, accepted) = meet(&dialing(Require, &wary), &accepting(Require, &thief)).await;
    assert_eq!(dialled.unwrap_err().to_string(), "its certificate was revoked");
    assert_eq!(accepted.unwrap_err().to_string(), "it says that our certificate was revoked");
}

#[tokio::test]
async fn a_peers_certificate_where_a_trackers_is_due_is_refused_and_the_other_way_round() {
    let ca = Ca::new();
    let (peer, tracker) = (ca.setup(&NAMES), ca.setup(&TRACKER));
    let callee = accepting(Require, &peer);
    let (dialled, accepted) = meet_as(&dialing(Require, &peer), Role::Tracker, &callee).await;
    assert_eq!(
        dialled.unwrap_err().to_string(),
        "its certificate is not one of a tracker (it lacks tracker.tinytorrent.internal)"
    );
    assert!(accepted.unwrap_err().to_string().contains("does not have the role that is due"));
    // A tracker that calls peers.
    let (_dialled, accepted) = meet(&dialing(Require, &tracker), &callee).await;
    assert!(
        matches!(accepted, Err(Refusal::Certificate(CertificateFault::Role(Role::Peer)))),
        "{accepted:?}"
    );
    let hub = accepting(Require, &tracker);
    let (dialled, _accepted) = meet_as(&dialing(Require, &peer), Role::Tracker, &hub).await;
    assert_eq!(dialled.unwrap().who().unwrap().name.as_str(), "hub");
}

#[tokio::test]
async fn a_made_up_certificate_with_the_right_names_is_refused() {
    let (ca, own) = (Ca::new(), Ca::new());
    // An authority of the same name, as anybody can make one.
    let (dialled, _) = meet(
        &dialing(Require, &ca.setup(&NAMES)),
        &accepting(Require, &forced(&own.identity(&NAMES), &own, &ca, now())),
    )
    .await;
    assert_eq!(
        dialled.unwrap_err().to_string(),
        "its certificate is of an authority that is not in tls_ca here"
    );
}

#[tokio::test]
async fn without_a_usable_certificate_require_means_nobody_and_prefer_means_plain() {
    let ca = Ca::new();
    let setup = ca.setup(&NAMES);
    let fault = Some(Arc::from(FileFault::NotAPair.to_string()));
    let broken = |mode| Accepting { mode, fault: fault.clone(), ..Accepting::default() };
    let (dialled, accepted) = meet(&dialing(Prefer, &setup), &broken(Prefer)).await;
    assert!(!dialled.unwrap().is_encrypted() && !accepted.unwrap().is_encrypted());
    let (dialled, accepted) = meet(&dialing(Prefer, &setup), &broken(Require)).await;
    assert_eq!(dialled.unwrap_err().to_string(), "it has no usable certificate");
    assert_eq!(
        accepted.unwrap_err().to_string(),
        "tls = \"require\" is set here, and this machine's certificate cannot be used: its private key does not belong \
         to its first certificate"
    );
    let (_, accepted) = meet(&Dialing::default(), &broken(Require)).await;
    assert!(matches!(accepted, Err(Refusal::Plain)), "{accepted:?}");
    let broken = Dialing { mode: Require, setup: None, fault };
    let (dialled, _) = meet(&broken, &accepting(Require, &setup)).await;
    assert!(matches!(dialled, Err(Refusal::NoIdentity(Some(_)))), "{dialled:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_caller_and_a_silent_callee_are_given_up() {
    let ca = Ca::new();
    let setup = ca.setup(&NAMES);
    for begin in [&[][..], &[22], &[22, 3, 1, 0x3f]] {
        let (mut near, far) = duplex(1000);
        near.write_all(begin).await.unwrap();
        let accepted = accept(far, &accepting(Require, &setup), Sideband::new()).await;
        assert!(matches!(accepted, Err(Refusal::TimedOut)), "{accepted:?}");
    }
    let (near, _far) = duplex(100_000);
    let mut near = Some(near);
    let how = dialing(Prefer, &setup);
    let dialled = dial(&how, Role::Peer, || {
        let near = near.take().expect("whoever is silent is not dialled again");
        async { Ok((near, Sideband::new())) }
    });
    let dialled = dialled.await;
    assert!(matches!(dialled, Err(Refusal::TimedOut)), "{dialled:?}");
}

/// A stranger sends what it likes, and no more than 64 KiB of it are held.
#[tokio::test]
async fn garbage_ends_a_handshake_and_fills_no_memory() {
    let ca = Ca::new();
    let setup = ca.setup(&NAMES);
    // The head of a message of the handshake of 16 MiB, in records that follow each other.
    let endless = [&[22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff][..], &[0; 0x4000 - 4]].concat();
    for garbage in [vec![22; 100], endless, [&[22, 3, 1, 0, 5, 1, 0, 0, 1, 0][..], &[0; 50]].concat()] {
        let (mut near, far) = duplex(4096);
        let accepted = tokio::spawn({
            let accepting = accepting(Require, &setup);
            async move { accept(far, &accepting, Sideband::new()).await }
        });
        let mut sent = 0;
        while near.write_all(&garbage).await.is_ok() && sent < 4 << 20 {
            sent += garbage.len();
        }
        assert!(sent < 1 << 20, "{sent} bytes were taken from a stranger");
        let accepted = tokio::time::timeout(SOON, accepted).await.unwrap().unwrap();
        assert!(matches!(accepted, Err(Refusal::Malformed(_))), "{accepted:?}");
    }
}
