//! What a machine and its authority read of one another: tokens, names of certificates, requests for certificates, lists of
//! revoked ones; and signatures.

use super::text::{check_shown, text};
use ca::crl_number;
use ca::enrol::key_of_request;
use shared::identity::Node;
use shared::rpc::tls::Authorities;
use shared::signature::SignatureText;
use shared::token::Token;

/// The authority that signed the list in the corpus.
const AUTHORITY: &[u8] = include_bytes!("../../authority.pem");

/// The first byte says what the others are. What is read means the same when it is written again; what is refused is
/// refused in one line.
pub fn credentials(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    match kind % 5 {
        0 => token(rest),
        1 => names(rest),
        2 => signature(rest),
        // The request of a machine that joins or renews, and the certificate that it shows, which has the same form.
        3 => drop(key_of_request(rest)),
        _ => revoked(rest),
    }
}

fn token(bytes: &[u8]) {
    match text(bytes).map(str::parse::<Token>) {
        Some(Ok(token)) => {
            let written = token.text();
            assert_eq!(written.parse::<Token>().map(|again| again.text()), Ok(written));
            assert!(!format!("{token:?}").contains(&token.text()), "the secret is shown");
        }
        Some(Err(why)) => check_shown(&why),
        None => {}
    }
}

/// Names of a certificate, one in each line.
fn names(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match Node::of_dns_names(text.lines()) {
        Ok(node) => {
            let names = node.dns_names();
            assert_eq!(Node::of_dns_names(names.iter().map(String::as_str)), Ok(node));
        }
        Err(why) => check_shown(&why),
    }
}

fn signature(bytes: &[u8]) {
    match SignatureText::of_bytes(bytes) {
        Ok(signature) => {
            check_shown(&signature.key_id());
            let _ = (signature.timestamp(), signature.trusted_comment());
            assert_eq!(SignatureText::of_bytes(signature.as_str().as_bytes()).ok(), Some(signature));
        }
        Err(why) => check_shown(&why),
    }
}

/// Lists of revoked certificates, one after another.
fn revoked(bytes: &[u8]) {
    thread_local! {
        static OURS: Authorities = Authorities::read(AUTHORITY).expect("the authority can be read");
    }
    let number = OURS.with(|ours| daemon::check_revoked_lists(bytes, ours.certificates()));
    match number {
        // One list has this number; of several each has it.
        Ok(number) => assert!(crl_number(bytes).is_none_or(|first| first == number)),
        Err(why) => check_shown(&why),
    }
}
