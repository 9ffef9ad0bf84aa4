//! `ttctl ca rotate`: puts a new authority in the place of the present one, step by step, while the fleet runs.

use super::place::{Place, now};
use crate::cli::CaRotateArgs;
use crate::documents::Document;
use crate::documents_of_ca::{BehindDocument, RotationDocument, ms};
use crate::error::Error;
use crate::human;
use crate::local_time;
use crate::output::Output;
use crate::table::{Column, Table};
use ::ca::issued::How;
use ::ca::{Authority, Behind, CaError, Rotation, Step};

pub(crate) fn rotate(args: &CaRotateArgs, output: &mut Output) -> Result<(), Error> {
    let place = Place::new(&args.which);
    if args.finish {
        return finish(args, &place, output);
    }
    let before = rotation(&place)?;
    let is_new = before.is_none();
    match &before {
        None => Authority::begin_rotation(place.dir(), now(), args.life.duration().as_secs())
            .map_err(|error| place.error(error))?,
        Some(Rotation { step: Step::Announced, behind, .. }) if behind.is_empty() || args.anyway => {
            Authority::issue_from_new(place.dir(), now(), args.anyway).map_err(|error| place.error(error))?;
        }
        Some(_) => {}
    }
    let Some(present) = rotation(&place)? else { return Err(place.error(CaError::NotRotating)) };
    if output.is_json() {
        return output.json(&document(&present));
    }
    tell(is_new, before.map(|before| before.step), &present, &place, output)
}

fn rotation(place: &Place) -> Result<Option<Rotation>, Error> {
    place.open()?.rotation(now()).map_err(|error| place.error(error))
}

fn document(rotation: &Rotation) -> Document<RotationDocument> {
    let behind = |one: &Behind| BehindDocument {
        node: one.node.to_string(),
        how: one.how.as_str(),
        valid_until_ms: ms(one.not_after),
    };
    Document::new(RotationDocument {
        step: match rotation.step {
            Step::Announced => "announced",
            Step::Issuing => "issuing",
        },
        leaving: Some(rotation.leaving.to_string()),
        coming: Some(rotation.coming.to_string()),
        behind: rotation.behind.iter().map(behind).collect(),
        tokens: Vec::new(),
    })
}

/// What was done, what is awaited, and what to do next.
fn tell(
    is_new: bool,
    before: Option<Step>,
    rotation: &Rotation,
    place: &Place,
    output: &mut Output,
) -> Result<(), Error> {
    let Rotation { step, leaving, coming, behind, .. } = rotation;
    if is_new {
        output
            .done(&format!("made the authority {coming} beside {leaving}: both are trusted from now on"))?;
        output.note("keep a copy of the directory: ca.key has another key now");
    } else if before != Some(*step) {
        output.done(&format!("{coming} issues the certificates from now on"))?;
    }
    let machines = human::count(behind.len() as u64, "machine");
    match step {
        Step::Announced => output.line(&format!("{machines} still to hear of {coming}"))?,
        Step::Issuing => output.line(&format!("{machines} still to get a certificate of {coming}"))?,
    }
    if !behind.is_empty() {
        table(behind, output)?;
        let by_hand = behind.iter().any(|one| one.how == How::Issued);
        if by_hand {
            output.note(&format!(
                "what was issued by hand is issued again by hand: `{}`, and its two files to the machine",
                place.command("issue NODE -f -o OUT")
            ));
        }
    }
    output.note(&match (step, behind.is_empty()) {
        (Step::Announced, false) => format!(
            "the machines hear of it by themselves, and then the tracker goes on; `{}` shows how far it is, and with \
             --anyway goes on without those that are listed",
            place.command("rotate")
        ),
        (Step::Announced, true) => {
            format!("the tracker goes on by itself; `{}` does so at once", place.command("rotate"))
        }
        (Step::Issuing, false) => format!(
            "the machines renew by themselves; `{}` shows who is left, and `{}` drops {leaving} when nobody is",
            place.command("rotate"),
            place.command("rotate --finish")
        ),
        (Step::Issuing, true) => format!("next: `{}` drops {leaving}", place.command("rotate --finish")),
    });
    Ok(())
}

fn table(behind: &[Behind], output: &mut Output) -> Result<(), Error> {
    let mut table = Table::new(&[
        Column::left("NODE").shortened(),
        Column::left("HOW"),
        Column::left("CERTIFICATE UNTIL"),
    ]);
    for one in behind {
        table.row(vec![
            one.node.as_str().into(),
            one.how.as_str().into(),
            local_time::minute(ms(one.not_after), output).into(),
        ]);
    }
    table.print(output, "")
}

fn finish(args: &CaRotateArgs, place: &Place, output: &mut Output) -> Result<(), Error> {
    let before = rotation(place)?;
    let finished = Authority::finish_rotation(place.dir(), now(), args.anyway)
        .map_err(|error| place.error_of_finish(error))?;
    let tokens: Vec<String> = finished.tokens.iter().map(ToString::to_string).collect();
    if output.is_json() {
        return output.json(&Document::new(RotationDocument {
            step: "finished",
            leaving: before.as_ref().map(|rotation| rotation.leaving.to_string()),
            coming: before.as_ref().map(|rotation| rotation.coming.to_string()),
            behind: Vec::new(),
            tokens,
        }));
    }
    match &before {
        Some(rotation) => output.done(&format!("dropped the authority {}", rotation.leaving))?,
        None => output.done("removed the key of the authority that was dropped before")?,
    }
    if !tokens.is_empty() {
        output.note(&format!(
            "these tokens named it and count no more: {}; `{}` makes others",
            tokens.join(", "),
            place.command("token")
        ));
    }
    output.note("keep a copy of the directory in a safe place: the former copy is of no use any more");
    Ok(())
}
