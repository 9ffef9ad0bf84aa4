//! `ttctl ca revoke`: revokes nodes and tokens.

use super::place::{Place, now};
use crate::cli::CaRevokeArgs;
use crate::documents::Document;
use crate::documents_of_ca::{Revoked, RevokedDocument};
use crate::each::Failures;
use crate::error::Error;
use crate::human;
use crate::output::Output;
use ::ca::revoke::{Revocation, Whom};

pub(crate) fn revoke(args: &CaRevokeArgs, output: &mut Output) -> Result<(), Error> {
    let place = Place::new(&args.which);
    let authority = place.open()?;
    let nodes = args.nodes.iter().map(|name| (name.to_string(), "node", Whom::Node(name.clone())));
    let tokens = args.tokens.iter().map(|id| (id.to_string(), "token", Whom::Token(*id)));
    let (mut revoked, mut failures) = (Vec::new(), Failures::default());
    for (what, kind, whom) in nodes.chain(tokens) {
        match authority.revoke(now(), &whom) {
            Ok(done) => {
                if !output.is_json() {
                    output.done(&sentence(kind, &what, done))?;
                }
                let Revocation { certificates, tokens } = done;
                revoked.push(RevokedDocument { what, kind, certificates, tokens });
            }
            Err(error) => failures.add(&what, place.error(error), output),
        }
    }
    if output.is_json() {
        output.json(&Document::new(Revoked { revoked, errors: failures.take() }))?;
    }
    failures.end()
}

fn sentence(kind: &str, what: &str, done: Revocation) -> String {
    let counts = [(done.certificates, "certificate"), (done.tokens, "token")];
    let counted = counts.iter().filter(|(count, _)| *count > 0);
    let counted: Vec<String> = counted.map(|&(count, noun)| human::count(count as u64, noun)).collect();
    match (kind, counted.is_empty()) {
        (_, true) => format!("the {kind} {what} was revoked before"),
        ("token", false) => format!("revoked the token {what}"),
        (_, false) => format!("revoked the {kind} {what}: {}", counted.join(" and ")),
    }
}
