//! `ttctl ca init`: makes the authority and the tracker's certificate.

use super::place::{Place, now};
use super::reload::{self, Reload};
use super::{drop_in, owner};
use crate::cli::CaInitArgs;
use crate::documents::Document;
use crate::documents_of_ca::{CertificateDocument, Initialized, ms};
use crate::error::Error;
use crate::human::clean;
use crate::local_time;
use crate::output::Output;
use ::ca::{Authority, CaError, Init};
use shared::host::hostname;
use shared::identity::{Node, NodeName, Role};
use shared::tls_mode::TlsMode;
use std::path::Path;

/// The life of the tracker's certificate in seconds.
const TRACKER_LIFE_S: u64 = 365 * 24 * 3600;

pub(crate) fn init(args: &CaInitArgs, output: &mut Output) -> Result<(), Error> {
    let place = Place::new(&args.which);
    let drop_in = if args.no_config { None } else { Some(drop_in::place()?) };
    let node = Node {
        name: args.node.clone().map_or_else(own_name, Ok)?,
        roles: [Role::Tracker].into(),
        groups: [].into(),
    };
    owner::make_directory(place.dir())?;
    let init = Init { name: args.name.clone(), life_s: args.life.duration().as_secs() };
    let authority = match Authority::init(place.dir(), now(), &init) {
        Err(CaError::Exists(_)) if lacks_tracker(&place) || lacks_drop_in(drop_in.as_deref()) => {
            place.open()?
        }
        made => made.map_err(|error| place.error(error))?,
    };
    let issued =
        authority.set_tracker_identity(now(), &node, TRACKER_LIFE_S).map_err(|error| place.error(error))?;
    if let Some(drop_in) = &drop_in {
        let mode = if args.turn_over { TlsMode::Prefer } else { TlsMode::Require };
        drop_in::write(drop_in, place.dir(), &authority, mode)?;
    }
    let reload = drop_in.as_deref().map(reload::reload);
    let until_ms = u64::try_from(authority.until()).unwrap_or_default().saturating_mul(1000);
    let identity = authority.tracker_identity();
    if output.is_json() {
        return output.json(&Document::new(Initialized {
            authority: place.dir().display().to_string(),
            valid_until_ms: until_ms,
            tracker: CertificateDocument::new(&issued, "valid"),
            identity: identity.display().to_string(),
            authority_certificate: authority.certificates_file().display().to_string(),
            configuration: drop_in.map(|path| path.display().to_string()),
            reloaded: matches!(reload, Some(Reload::Done)),
        }));
    }
    let shown = |path: &std::path::Path| clean(&path.display().to_string());
    let until = [until_ms, ms(issued.not_after)].map(|at| local_time::minute(at, output));
    output.done(&format!("made the authority in {}, valid until {}", shown(place.dir()), until[0]))?;
    output.done(&format!(
        "made the tracker's certificate {} for {}, valid until {}",
        shown(&identity),
        node.name,
        until[1]
    ))?;
    output.note("keep a copy of the directory in a safe place: whoever has ca.key is the fleet's master");
    if let Some(drop_in) = &drop_in {
        output.done(&format!("wrote {}, with which the tracker uses the authority", shown(drop_in)))?;
        match reload {
            Some(Reload::Done) => output.done("the tracker has read it")?,
            Some(Reload::Failed(why)) => output.warning(&format!(
                "the tracker could not read it: {}; see `journalctl -u tt-tracker`, then run `systemctl reload tt-tracker`",
                clean(&why)
            )),
            _ => output.note("run `systemctl reload tt-tracker`, or restart the tracker"),
        }
    }
    output.note(&format!(
        "next: `{}` prints the command with which a machine joins; `{}` makes files to carry to it",
        place.command("token"),
        place.command("issue NODE -o OUT")
    ));
    Ok(())
}

/// Whether the authority is what a process left that was killed before the tracker had its certificate.
fn lacks_tracker(place: &Place) -> bool {
    Authority::open(place.dir()).is_ok_and(|authority| !authority.tracker_identity().exists())
}

/// Whether the tracker is not told of the authority: a process may have been killed before the drop-in was written.
fn lacks_drop_in(drop_in: Option<&Path>) -> bool {
    drop_in.is_some_and(|path| !path.exists())
}

/// This machine's host name as the name of a node.
fn own_name() -> Result<NodeName, Error> {
    let host = hostname::own();
    host.parse().map_err(|why| {
        Error::usage(format!("the host name {host:?} is not a node's name: {why}"))
            .hint("name the tracker with --node")
    })
}
