//! `ttctl ca token`: makes a token, and prints the command with which a machine joins.

use super::place::{Place, now};
use crate::cli::CaTokenArgs;
use crate::documents::Document;
use crate::documents_of_ca::{NewToken, ms};
use crate::error::Error;
use crate::human;
use crate::local_time;
use crate::output::Output;
use ::ca::tokens::{Admission, Mode};
use shared::host::config::{Files, Glob, TrackerConfig};
use shared::host::hostname;
use shared::host::paths::Places;
use shared::identity::NodeName;
use shared::token::{Secret, Token, TokenId};
use shared::url::{TRACKER_PORT, TrackerUrl};

pub(crate) fn token(args: &CaTokenArgs, output: &mut Output) -> Result<(), Error> {
    let place = Place::new(&args.which);
    let authority = place.open()?;
    let tracker = args.tracker.clone().map_or_else(tracker_here, Ok)?;
    let (id, secret) = (TokenId(rand::random()), Secret(rand::random()));
    let admission = Admission {
        id,
        secret: secret.digest(),
        mode: if args.turn_over { Mode::Prefer } else { Mode::Require },
        groups: args.groups.iter().cloned().collect(),
        nodes: names(&args.node)?,
        uses_max: args.uses,
        until: now().saturating_add(args.life.duration().as_secs()),
        is_revoked: false,
        uses: Vec::new(),
    };
    let token = Token { pin: authority.pin().map_err(|error| place.error(error))?, id, secret };
    authority.add_token(now(), admission.clone()).map_err(|error| place.error(error))?;
    let command = format!("ttctl join {} --tracker {tracker}", token.text());
    if tracker.is_loopback() {
        output.warning(&format!("{tracker} is a loopback address: other machines cannot reach it"));
    }
    if output.is_json() {
        return output.json(&Document::new(NewToken {
            id: id.to_string(),
            token: token.text(),
            tracker: tracker.to_string(),
            command,
            valid_until_ms: ms(admission.until),
        }));
    }
    output.line(&command)?;
    let machines = human::count(args.uses.into(), "machine");
    let named = match admission.nodes.as_str() {
        "*" => String::new(),
        nodes => format!(" named {nodes}"),
    };
    output.note(&format!(
        "it admits {machines}{named} until {}; `{} --token {id}` ends that before",
        local_time::minute(ms(admission.until), output),
        place.command("revoke")
    ));
    Ok(())
}

/// The pattern as node names are compared: a single name may be typed with capital letters.
fn names(nodes: &Glob) -> Result<Glob, Error> {
    match nodes.as_str().parse::<NodeName>() {
        Ok(name) => name.as_str().parse().map_err(|why| Error::usage(format!("{name}: {why}"))),
        Err(_) => Ok(nodes.clone()),
    }
}

/// The tracker on this machine, by the machine's host name and the configured port.
fn tracker_here() -> Result<TrackerUrl, Error> {
    let config = Files::read_if_any(&Places::of_process().tracker_config())
        .and_then(|files| TrackerConfig::of(&files))
        .unwrap_or_default();
    let host = hostname::own();
    let url = match config.listen.0.port() {
        TRACKER_PORT => format!("tt://{host}"),
        port => format!("tt://{host}:{port}"),
    };
    url.parse().map_err(|_| {
        Error::usage(format!("the host name {host:?} is not a tracker's address"))
            .hint("name the tracker with --tracker tt://HOST")
    })
}
