//! `ttctl ca tokens`: the tokens, without their secrets, which nobody has any more.

use super::place::{Place, now};
use crate::cli::CaTokensArgs;
use crate::documents::Document;
use crate::documents_of_ca::{TokenDocument, Tokens, ms};
use crate::error::Error;
use crate::local_time;
use crate::output::{Colour, Output};
use crate::table::{Cell, Column, Table};
use ::ca::tokens::Admission;
use shared::identity::Group;

pub(crate) fn tokens(args: &CaTokensArgs, output: &mut Output) -> Result<(), Error> {
    let place = Place::new(&args.which);
    let (_, tokens, _) = place.open()?.contents().map_err(|error| place.error(error))?;
    let now = now();
    if output.is_json() {
        let tokens = tokens.0.iter().map(|token| TokenDocument::new(token, state(token, now))).collect();
        return output.json(&Document::new(Tokens { tokens }));
    }
    let mut table = Table::new(&[
        Column::left("TOKEN"),
        Column::left("NODES").shortened(),
        Column::left("GROUPS").shortened(),
        Column::left("STATE"),
        Column::right("USED"),
        Column::left("UNTIL"),
        Column::left("TLS").dropped(1),
    ]);
    for token in &tokens.0 {
        let groups: Vec<&str> = token.groups.iter().map(Group::as_str).collect();
        let state = state(token, now);
        table.row(vec![
            token.id.to_string().into(),
            token.nodes.as_str().into(),
            groups.join(",").into(),
            Cell::coloured(state, if state == "open" { Colour::Good } else { Colour::Faint }),
            format!("{} of {}", token.uses.len(), token.uses_max).into(),
            local_time::minute(ms(token.until), output).into(),
            token.mode.as_str().into(),
        ]);
    }
    table.print(output, "there is no token")
}

/// Whether a token admits machines, as a word.
fn state(token: &Admission, now: u64) -> &'static str {
    if token.is_revoked {
        "revoked"
    } else if now > token.until {
        "expired"
    } else if token.uses_left(now) == 0 {
        "used up"
    } else {
        "open"
    }
}
