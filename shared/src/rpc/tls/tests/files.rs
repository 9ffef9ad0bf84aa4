//! Files of keys and certificates, good and bad.

use super::super::{FileFault, PemFault, check_mode};
use super::*;
use std::path::Path;

fn read(text: &str) -> FileFault {
    Identity::read(text.as_bytes()).unwrap_err()
}

#[test]
fn an_identity_is_a_key_and_its_certificates_in_any_order() {
    let ca = Ca::new();
    let (certificate, key) = ca.pem(&NAMES, (-3600, 90 * DAY), 1);
    for text in [
        format!("{key}{certificate}"),
        format!("{certificate}{key}"),
        format!("a comment\r\n{}{key}", certificate.replace('\n', "\r\n")),
    ] {
        let identity = Identity::read(text.as_bytes()).unwrap();
        assert_eq!(identity.node.name.as_str(), "web-1");
        assert_eq!(identity.chain().len(), 1);
        let (from, until) = (now() - 3600, now() + 90 * DAY as u64);
        assert!(identity.not_before.abs_diff(from) < 60, "{identity:?}");
        assert!(identity.not_after.abs_diff(until) < 60, "{identity:?}");
        assert!(!format!("{identity:?}").contains("key"), "nothing secret is shown: {identity:?}");
    }
}

#[test]
fn garbage_is_named_with_its_line() {
    let ca = Ca::new();
    let (certificate, key) = ca.pem(&NAMES, (-3600, DAY), 1);
    let lines = key.lines().count();
    let mut garbled: Vec<&str> = certificate.lines().collect();
    garbled[2] = "this is *not* base64";
    let garbled = garbled.join("\n");
    let fault = read(&format!("{key}{garbled}\n"));
    assert_eq!(fault, FileFault::Pem { line: lines + 3, why: PemFault::Base64 });
    assert_eq!(fault.to_string(), format!("line {}: this is not base64", lines + 3));
    let cut = &certificate[..certificate.len() / 2];
    assert_eq!(read(&format!("{key}{cut}")), FileFault::Pem { line: lines + 1, why: PemFault::NoEnd });
    let begun = certificate.replace("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE--");
    assert_eq!(read(&format!("{key}{begun}")), FileFault::Pem { line: lines + 1, why: PemFault::Begin });
}

#[test]
fn what_is_missing_or_does_not_fit_is_named() {
    let ca = Ca::new();
    let (certificate, key) = ca.pem(&NAMES, (-3600, DAY), 1);
    let (other, other_key) = ca.pem(&NAMES, (-3600, DAY), 2);
    assert_eq!(read(""), FileFault::NoCertificate);
    assert_eq!(read(&key), FileFault::NoCertificate);
    assert_eq!(read(&certificate), FileFault::NoKey);
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert_eq!(read(&format!("{certificate}{encrypted}")), FileFault::EncryptedKey);
    assert_eq!(read(&format!("{certificate}{key}{other_key}")), FileFault::TwoKeys);
    assert_eq!(read(&format!("{other}{key}")), FileFault::NotAPair);
    assert_eq!(read(&certificate.repeat(9)), FileFault::TooMany(8));
    assert_eq!(read(&" ".repeat((256 << 10) + 1)), FileFault::TooLong(256 << 10));
    let garbled = certificate.replace("MII", "AAA");
    assert!(matches!(read(&format!("{garbled}{key}")), FileFault::Certificate(1, _)));
    for (names, missing) in [
        (&NAMES[..1], "the certificate names no node, such as web-1.node.tinytorrent.internal"),
        (&NAMES[1..], "the certificate names no role, such as peer.tinytorrent.internal"),
        (&["example.com"], "the certificate names no role, such as peer.tinytorrent.internal"),
    ] {
        let (certificate, key) = ca.pem(names, (-3600, DAY), 1);
        assert_eq!(read(&format!("{certificate}{key}")).to_string(), missing);
    }
}

#[test]
fn several_authorities_and_several_lists_are_read() {
    let (one, other) = (Ca::new(), Ca::new());
    let both = format!("{}{}", one.certificate, other.certificate);
    assert_eq!(Authorities::read(both.as_bytes()).unwrap().certificates().len(), 2);
    assert_eq!(Authorities::read(b"nothing"), Err(FileFault::NoCertificate));
    let list = one.revoked(&[1, 2]);
    assert_eq!(Revoked::read(&list).unwrap().0.len(), 1);
    let pem = rcgen_pem("X509 CRL", &list);
    assert_eq!(Revoked::read(format!("{pem}{pem}").as_bytes()).unwrap().0.len(), 2);
    let none = Revoked::read(b"nothing").unwrap_err();
    assert_eq!(none.to_string(), "its list of revoked certificates cannot be used: there is no list");
    assert!(matches!(Revoked::read(&list[..list.len() - 1]), Err(FileFault::Revoked(_))));
}

fn rcgen_pem(label: &str, der: &[u8]) -> String {
    let text = data_encoding::BASE64.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[test]
fn only_the_owner_and_the_group_may_read_a_key() {
    let check = |mode| check_mode(Path::new("/etc/tinytorrent/my key.pem"), mode);
    assert_eq!((check(0o100_600), check(0o100_640), check(0o100_400)), (Ok(()), Ok(()), Ok(())));
    assert_eq!(
        check(0o100_644).unwrap_err().to_string(),
        "other users may read or change its private key (mode 0644); run: chmod 600 '/etc/tinytorrent/my key.pem'"
    );
    assert!(check(0o660).is_err() && check(0o602).is_err());
}

/// The time that a setup is checked against is given, so that no test waits for a certificate's end.
#[test]
fn our_own_certificate_is_judged_as_others_will_judge_it() {
    let (ca, other) = (Ca::new(), Ca::new());
    let identity = ca.identity_with(&NAMES, (-3600, 3600), 5);
    let with = |authorities: &Authorities, revoked: &[u8], now: u64| {
        let revoked = if revoked.is_empty() { Revoked::default() } else { Revoked::read(revoked).unwrap() };
        Setup::new(Some(&identity), authorities, &revoked, now).map(drop)
    };
    let (ours, theirs) = (ca.authorities(), other.authorities());
    assert_eq!(with(&ours, &[], now()), Ok(()));
    assert_eq!(with(&ours, &ca.revoked(&[6]), now()), Ok(()));
    assert_eq!(with(&theirs, &[], now()), Err(FileFault::Foreign));
    assert_eq!(with(&ours, &ca.revoked(&[5]), now()), Err(FileFault::IsRevoked));
    let false_list = with(&ours, &other.revoked(&[]), now());
    assert!(matches!(false_list, Err(FileFault::Revoked(_))), "{false_list:?}");
    let late = with(&ours, &[], now() + DAY as u64).unwrap_err().to_string();
    assert!(late.starts_with("the certificate expired at 20") && late.contains("clock says 20"), "{late}");
    let early = with(&ours, &[], now() - DAY as u64).unwrap_err().to_string();
    assert!(early.contains("valid from 20") && early.ends_with("is the clock right?"), "{early}");
    let both = format!("{}{}", other.certificate, ca.certificate);
    assert_eq!(with(&Authorities::read(both.as_bytes()).unwrap(), &[], now()), Ok(()));
}
