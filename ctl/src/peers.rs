//! `ttctl peers`: shows the peers that files are fetched from and the peers that fetch from here; without WHAT and
//! options, how often peers were turned away and why.

use crate::cli::{Global, PeersArgs};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Peer, Peers, Rejected};
use crate::each::Failures;
use crate::error::Error;
use crate::human;
use crate::output::{Colour, Output};
use crate::table::{Cell, Column, Table};
use crate::targets::{is_single, targets};
use shared::rpc::control::{Direction, PeerInfo};
use std::collections::BTreeSet;
use std::time::Duration;

pub(crate) async fn peers(args: &PeersArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    if args.what.is_empty() && !args.uploads && !args.downloads {
        return rejections(&daemon, output).await;
    }
    let mut failures = Failures::default();
    let mut peers = match &args.what[..] {
        [] => daemon.caller.peers(None, CALL_TIMEOUT).await??,
        whats => peers_of(whats, &daemon, &mut failures, output).await?,
    };
    let is_asked_for = |direction| match direction {
        Direction::Upload => args.uploads || !args.downloads,
        Direction::Download => args.downloads || !args.uploads,
    };
    peers.retain(|peer| is_asked_for(peer.direction));
    if output.is_json() {
        let (peers, errors) = (peers.iter().map(Peer::from).collect(), failures.take());
        output.json(&Document::new(Peers { peers, errors }))?;
        return failures.end();
    }
    let (nothing, with_names) = (nothing(args, global), !is_single(&args.what));
    match (args.uploads, args.downloads) {
        (true, false) => uploads(&peers, with_names).print(output, &nothing)?,
        _ => table(&peers, with_names).print(output, &nothing)?,
    }
    failures.end()
}

/// The peers of all files that the words mean. A file with two names counts once. A word that means nothing is reported,
/// and the other words are still answered.
async fn peers_of(
    whats: &[String],
    daemon: &Daemon,
    failures: &mut Failures,
    output: &Output,
) -> Result<Vec<PeerInfo>, Error> {
    let (mut peers, mut shown) = (Vec::new(), BTreeSet::new());
    for (what, name) in targets(daemon, whats).await?.each() {
        let found = match name {
            Ok(name) => daemon.caller.peers(Some(name), CALL_TIMEOUT).await?.map_err(Error::from),
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => {
                let key = |peer: &PeerInfo| (peer.resource, peer.addr, peer.direction == Direction::Upload);
                peers.extend(found.into_iter().filter(|peer| shown.insert(key(peer))));
            }
            Err(error) if is_single(whats) => return Err(error),
            Err(error) => failures.add(&what, error, output),
        }
    }
    Ok(peers)
}

fn nothing(args: &PeersArgs, global: &Global) -> String {
    match (&args.what[..], args.uploads, args.downloads) {
        (_, true, false) => "no peer is fetching from this machine".to_owned(),
        (_, false, true) => "this machine is not fetching from any peer".to_owned(),
        ([what], ..) if is_single(&args.what) => format!(
            "this machine is not exchanging it with any peer; `{}` shows who has it",
            global.command("tracker peers", what)
        ),
        _ => "this machine is not exchanging anything with any peer".to_owned(),
    }
}

/// A table of the peers that fetch from this machine.
fn uploads(peers: &[PeerInfo], with_names: bool) -> Table {
    let mut table = Table::new(&[
        Column::left("PEER").shortened(),
        Column::left("NAME").shortened(),
        Column::right("CHUNKS SENT"),
        Column::right("RATE"),
        Column::right("FOR"),
        Column::right("IN FLIGHT").dropped(1),
    ]);
    for peer in peers {
        let active = peer.active_s.map(|s| human::duration(Duration::from_secs(s)));
        table.row(vec![
            peer.addr.to_string().into(),
            if with_names { peer.name.as_str().into() } else { "".into() },
            peer.chunks_sent.to_string().into(),
            peer.bytes_per_s.map(human::rate).unwrap_or_default().into(),
            active.unwrap_or_default().into(),
            peer.in_flight.to_string().into(),
        ]);
    }
    table
}

/// Prints how often peers and strangers were turned away since the daemon started.
async fn rejections(daemon: &Daemon, output: &mut Output) -> Result<(), Error> {
    let rejections = daemon.caller.rejections(CALL_TIMEOUT).await??;
    if output.is_json() {
        return output.json(&Document::new(Rejected::from(&rejections[..])));
    }
    let mut table = Table::new(&[Column::right("TIMES"), Column::left("REASON"), Column::left("MEANING")]);
    for (why, times) in rejections.iter().filter(|(_, times)| *times > 0) {
        let (key, meaning) = why.explain();
        table.row(vec![times.to_string().into(), key.into(), meaning.into()]);
    }
    table.print(output, "no peer was turned away since ttd started")
}

/// A table of the peers that this machine fetches from, and of those that fetch from it.
fn table(peers: &[PeerInfo], with_names: bool) -> Table {
    let mut table = Table::new(&[
        Column::left("PEER").shortened(),
        Column::left("NAME").shortened(),
        Column::left("DIRECTION"),
        Column::left("LINK").dropped(1),
        Column::right("HAS"),
        Column::right("IN FLIGHT").dropped(2),
        Column::right("RECEIVED"),
        Column::right("SENT"),
        Column::right("CORRUPT"),
    ]);
    for peer in peers {
        let link = match peer.connected {
            true => Cell::coloured("connected", Colour::Good),
            false => Cell::coloured("known", Colour::Faint),
        };
        let corrupt = match peer.chunks_corrupt {
            0 => Cell::from(""),
            corrupt => Cell::coloured(&corrupt.to_string(), Colour::Bad),
        };
        let (direction, has, received, sent) = match peer.direction {
            Direction::Download => {
                let has = human::percent(peer.chunks_have.into(), peer.chunks_total.into());
                ("download", has, peer.chunks_received.to_string(), String::new())
            }
            Direction::Upload => ("upload", String::new(), String::new(), peer.chunks_sent.to_string()),
        };
        table.row(vec![
            peer.addr.to_string().into(),
            if with_names { peer.name.as_str().into() } else { "".into() },
            direction.into(),
            link,
            has.into(),
            peer.in_flight.to_string().into(),
            received.into(),
            sent.into(),
            corrupt,
        ]);
    }
    table
}
