//! `ttctl peers`: whom a resource is fetched from, and who fetches it from here; without one, how often peers were turned away, and why.

use crate::cli::{Global, PeersArgs, resource_name};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Peer, Peers, Rejected};
use crate::error::Error;
use crate::human;
use crate::output::{Colour, Output};
use crate::table::{Cell, Column, Table};
use shared::rpc::control::Direction;

pub(crate) async fn peers(args: &PeersArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    match &args.what {
        Some(what) => peers_of(what, &daemon, global, output).await,
        None => rejections(&daemon, output).await,
    }
}

/// How often peers and strangers were turned away since the daemon started.
async fn rejections(daemon: &Daemon, output: &mut Output) -> Result<(), Error> {
    let rejections = daemon.caller.rejections(CALL_TIMEOUT).await??;
    if output.is_json() {
        return output.json(&Document::new(Rejected::from(&rejections[..])));
    }
    let mut table = Table::new(&[Column::right("TIMES"), Column::left("REASON"), Column::left("A PEER")]);
    for (why, times) in rejections.iter().filter(|(_, times)| *times > 0) {
        let (key, meaning) = why.explain();
        table.row(vec![times.to_string().into(), key.into(), meaning.into()]);
    }
    table.print(output, "no peer was turned away since ttd started")
}

async fn peers_of(what: &str, daemon: &Daemon, global: &Global, output: &mut Output) -> Result<(), Error> {
    let peers = daemon.caller.peers(resource_name(what).to_owned(), CALL_TIMEOUT).await??;
    if output.is_json() {
        return output.json(&Document::new(Peers { peers: peers.iter().map(Peer::from).collect() }));
    }
    let mut table = Table::new(&[
        Column::left("PEER").shortened(),
        Column::left("CHUNKS"),
        Column::left("LINK").dropped(1),
        Column::right("HAS"),
        Column::right("IN FLIGHT").dropped(2),
        Column::right("RECEIVED"),
        Column::right("SENT"),
        Column::right("CORRUPT"),
    ]);
    for peer in &peers {
        let link = match peer.connected {
            true => Cell::coloured("connected", Colour::Good),
            false => Cell::coloured("known", Colour::Faint),
        };
        let corrupt = match peer.chunks_corrupt {
            0 => Cell::from(""),
            corrupt => Cell::coloured(&corrupt.to_string(), Colour::Bad),
        };
        let (way, has, received, sent) = match peer.direction {
            Direction::Download => {
                let has = human::percent(peer.chunks_have.into(), peer.chunks_total.into());
                ("come from it", has, peer.chunks_received.to_string(), String::new())
            }
            Direction::Upload => ("go to it", String::new(), String::new(), peer.chunks_sent.to_string()),
        };
        table.row(vec![
            peer.addr.to_string().into(),
            way.into(),
            link,
            has.into(),
            peer.in_flight.to_string().into(),
            received.into(),
            sent.into(),
            corrupt,
        ]);
    }
    let none = format!(
        "nothing is fetched from anybody now, nor does anybody fetch it from here; `{}` shows who has it",
        global.command("tracker peers", what)
    );
    table.print(output, &none)
}
