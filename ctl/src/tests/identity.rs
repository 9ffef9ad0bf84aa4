//! Tests `ttctl join` and `ttctl identity`.

use super::fake::Fake;
use super::{ttctl, ttctl_fails};
use shared::rpc::control::{ControlError, ErrorKind, IdentityOrigin, IdentityReport};
use std::fs;

const TOKEN: &str = "tt1.edmqgx35cnq20rksehjq683fcr.csmqcs9n.c4g76sb3e9jq8839egg6jws0447v";
const TRACKER: [&str; 2] = ["--tracker", "tt://hub.example"];

/// The last part of a token with its check digits, which is in no output.
const SECRET: &str = "c4g76sb3e9jq8839egg6jws0447v";

#[test]
fn a_token_reaches_ttd_from_the_command_line_and_from_a_file() {
    let fake = Fake::start();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("\n  {TOKEN}\r\n")).unwrap();
    let path = file.path().to_str().unwrap();
    for from in [&[TOKEN][..], &["--token-file", path]] {
        let args = [&["join"], from, &TRACKER, &["--node", "Web-1", "--directory", fake.folder()]].concat();
        let (printed, result) = ttctl(&args);
        result.unwrap();
        assert!(printed.contains("web-1") && !printed.contains(SECRET), "{printed}");
        let request = fake.state().joins.pop().unwrap();
        assert_eq!(request.token, TOKEN.parse().unwrap());
        assert_eq!((request.node.unwrap().as_str(), request.replace), ("web-1", false));
    }
}

#[test]
fn a_damaged_token_is_told_without_a_ttd_and_without_its_secret() {
    let cut = &TOKEN[..60];
    let typed = TOKEN.replace("c4g7", "c4g8");
    for (token, why) in [
        (cut, "the token is cut: 60 characters, not 68"),
        (&typed, "the token was changed: its check digits do not fit"),
        ("hello", "this is not a token: a token begins with tt1."),
        ("", "this is not a token: a token begins with tt1."),
    ] {
        let args = [&["join", token][..], &TRACKER, &["--socket", "/nowhere"]].concat();
        assert_eq!(ttctl_fails(&args), (4, why.to_owned()), "{token}");
    }
    let args = [&["join", "--token-file", "/nowhere/token"][..], &TRACKER].concat();
    let (code, message) = ttctl_fails(&args);
    assert!(code == 4 && message.starts_with("cannot read /nowhere/token"), "{code} {message}");
}

#[test]
fn what_is_wrong_with_an_identity_has_exit_code_4() {
    let fake = Fake::start();
    let args = ["identity", "--directory", fake.folder()];
    ttctl(&args).1.unwrap();
    let good = super::fake::identity();
    fake.state().identity = Some(Ok(IdentityReport { fault: Some("it expired".to_owned()), ..good.clone() }));
    assert_eq!(ttctl_fails(&args), (4, "it expired".to_owned()));
    let none = IdentityReport { origin: IdentityOrigin::None, certificate: None, ..good.clone() };
    fake.state().identity = Some(Ok(none));
    assert_eq!(ttctl_fails(&args), (4, "this machine has no certificate".to_owned()));
    // A hint alone is no failure.
    fake.state().identity = Some(Ok(IdentityReport { hint: Some("tls is off".to_owned()), ..good }));
    ttctl(&args).1.unwrap();
}

#[test]
fn the_reasons_of_ttd_keep_their_exit_codes() {
    let fake = Fake::start();
    let args = [&["join", TOKEN][..], &TRACKER, &["--directory", fake.folder()]].concat();
    for (kind, code) in [(ErrorKind::Refused, 4), (ErrorKind::Unreachable, 8), (ErrorKind::NoSpace, 7)] {
        let error = ControlError { kind, message: "no".to_owned(), hint: None };
        fake.state().identity = Some(Err(error));
        assert_eq!(ttctl_fails(&args), (code, "no".to_owned()));
    }
}

#[test]
fn scripts_get_one_document() {
    let fake = Fake::start();
    let (printed, result) = ttctl(&["identity", "--json", "--directory", fake.folder()]);
    result.unwrap();
    let document: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(document["node"], "web-1");
    assert_eq!(document["days_left"], 89);
    assert_eq!(document["tls"], "require");
    assert_eq!(document["authorities"][0], "edmqgx35cnq20rksehjq683fcr");
    let fault = Some("it expired".to_owned());
    fake.state().identity = Some(Ok(IdentityReport { fault, ..super::fake::identity() }));
    let (printed, result) = ttctl(&["identity", "--json", "--directory", fake.folder()]);
    assert_eq!(result.unwrap_err().exit_code(), 4);
    let document: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&document["fault"], &document["error"]["exit_code"]), (&"it expired".into(), &4.into()));
}
