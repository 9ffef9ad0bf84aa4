//! `ttctl ca list`: the certificates that the authority issued.

use super::place::{Place, now};
use crate::cli::CaListArgs;
use crate::documents::Document;
use crate::documents_of_ca::{CertificateDocument, Certificates, ms};
use crate::error::Error;
use crate::local_time;
use crate::output::{Colour, Output};
use crate::table::{Cell, Column, Table};
use ::ca::Fingerprint;
use ::ca::issued::{Issued, List};
use ::ca::revoked::Revocations;
use data_encoding::HEXLOWER;
use shared::identity::{Group, NodeName, Role};
use std::collections::BTreeMap;

pub(crate) fn list(args: &CaListArgs, output: &mut Output) -> Result<(), Error> {
    let place = Place::new(&args.which);
    let authority = place.open()?;
    let (list, _, revocations) = authority.contents().map_err(|error| place.error(error))?;
    let trusted = authority.fingerprints();
    let now = now();
    let shown = if args.all { list.entries.iter().collect() } else { newest(&list) };
    let states = shown.into_iter().map(|entry| (entry, state(entry, &revocations, &trusted, now)));
    if output.is_json() {
        let certificates = states.map(|(entry, state)| CertificateDocument::new(entry, state)).collect();
        return output.json(&Document::new(Certificates { certificates }));
    }
    let mut table = Table::new(&[
        Column::left("NODE").shortened(),
        Column::left("ROLES"),
        Column::left("GROUPS").shortened(),
        Column::left("STATE"),
        Column::left("UNTIL"),
        Column::left("HOW").dropped(2),
        Column::left("CERTIFICATE").id().dropped(1),
    ]);
    for (entry, state) in states {
        let roles: Vec<&str> = entry.node.roles.iter().copied().map(Role::as_str).collect();
        let groups: Vec<&str> = entry.node.groups.iter().map(Group::as_str).collect();
        table.row(vec![
            entry.node.name.as_str().into(),
            roles.join(",").into(),
            groups.join(",").into(),
            Cell::coloured(state, if state == "valid" { Colour::Good } else { Colour::Bad }),
            local_time::minute(ms(entry.not_after), output).into(),
            entry.how.as_str().into(),
            HEXLOWER.encode(&entry.serial).into(),
        ]);
    }
    table.print(output, "no certificate was issued")
}

/// The newest certificate of each node, in the order of their names. A machine that runs ttd and the tracker has one for
/// each.
fn newest(list: &List) -> Vec<&Issued> {
    let is_tracker = |entry: &Issued| entry.node.roles.contains(&Role::Tracker);
    let newest: BTreeMap<(&NodeName, bool), &Issued> =
        list.entries.iter().map(|entry| ((&entry.node.name, is_tracker(entry)), entry)).collect();
    newest.into_values().collect()
}

/// Whether a certificate counts, as a word.
fn state(entry: &Issued, revocations: &Revocations, trusted: &[Fingerprint], now: u64) -> &'static str {
    if revocations.contains(&entry.serial) {
        "revoked"
    } else if entry.not_after < now {
        "expired"
    } else if entry.authorities.first().is_some_and(|signer| !trusted.contains(signer)) {
        "former"
    } else {
        "valid"
    }
}
