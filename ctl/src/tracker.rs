//! `ttctl tracker`: shows what a tracker knows.

use crate::asker::Asker;
use crate::cli::{Global, TrackerListArgs, TrackerPeersArgs, TrackerResourcesArgs, resource_name};
use crate::documents::Document;
use crate::documents_of_trackers::{
    Publication, Publications, TrackedPeer, TrackedPeers, TrackedResource, TrackedResources, stage,
};
use crate::error::Error;
use crate::human;
use crate::output::{Colour, Output};
use crate::table::{Cell, Column, Table};
use shared::chunk::ChunkCount;
use shared::rpc::control::TrackerAnswer;
use shared::rpc::tracker::Stage;
use shared::url::PEER_PORT;
use std::net::{IpAddr, SocketAddr};

pub(crate) async fn list(args: &TrackerListArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut asker = Asker::connect(&args.which, global).await?;
    let TrackerAnswer { tracker, answer: entries } = asker.list().await?;
    if output.is_json() {
        return output.json(&Document::new(Publications {
            tracker: tracker.to_string(),
            publications: entries.iter().map(Publication::from).collect(),
        }));
    }
    let mut table = Table::new(&[
        Column::left("NAME").shortened(),
        Column::right("SIZE").dropped(2),
        Column::right("SEEDERS"),
        Column::right("LEECHERS").dropped(1),
        Column::left("ID").id(),
    ]);
    for entry in &entries {
        table.row(vec![
            entry.publication.name.as_str().into(),
            size(&entry.publication).into(),
            entry.seeders.to_string().into(),
            entry.leechers.to_string().into(),
            entry.publication.key.resource.to_string().into(),
        ]);
    }
    table.print(output, &format!("nothing is published on {tracker}"))
}

pub(crate) async fn peers(
    args: &TrackerPeersArgs,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    let mut asker = Asker::connect(&args.which, global).await?;
    let resource = asker.resource(resource_name(&args.what)).await?;
    let TrackerAnswer { tracker, answer: peers } = asker.peers(resource).await?;
    if output.is_json() {
        return output.json(&Document::new(TrackedPeers {
            tracker: tracker.to_string(),
            resource: resource.to_string(),
            peers: peers.iter().map(TrackedPeer::from).collect(),
        }));
    }
    let mut table = Table::new(&[
        Column::left("HOST").shortened(),
        Column::left("PEER").shortened(),
        Column::left("STAGE"),
        Column::right("HAS"),
        Column::left("ZONE").dropped(1),
    ]);
    for peer in &peers {
        table.row(vec![
            human::machine(peer.node.as_ref(), &peer.host).unwrap_or_default().into(),
            peer.addr.to_string().into(),
            stage_cell(peer.stage),
            human::percent(peer.have.into(), peer.count.get().into()).into(),
            peer.zone.as_str().into(),
        ]);
    }
    table.print(output, &format!("{tracker} knows no peer of {resource}"))
}

pub(crate) async fn resources(
    args: &TrackerResourcesArgs,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    let mut asker = Asker::connect(&args.which, global).await?;
    let peer = peer_address(&args.peer).await?;
    let TrackerAnswer { tracker, answer: entries } = asker.resources(peer).await?;
    if output.is_json() {
        return output.json(&Document::new(TrackedResources {
            tracker: tracker.to_string(),
            peer,
            resources: entries.iter().map(TrackedResource::from).collect(),
        }));
    }
    let mut table = Table::new(&[
        Column::left("NAME").shortened(),
        Column::left("STAGE"),
        Column::right("HAS"),
        Column::left("ID").id(),
    ]);
    for entry in &entries {
        table.row(vec![
            entry
                .name
                .as_ref()
                .map_or(Cell::coloured("(not published)", Colour::Faint), |name| name.as_str().into()),
            stage_cell(entry.stage),
            human::percent(entry.have.into(), entry.count.get().into()).into(),
            entry.key.resource.to_string().into(),
        ]);
    }
    table.print(output, &format!("{tracker} knows no files of {peer}"))
}

/// The size that a machine reported to the tracker, if it is possible for this number of chunks: the report may be
/// false.
fn size(of: &shared::rpc::tracker::Publication) -> String {
    let told = of.bytes.filter(|bytes| ChunkCount::of_bytes(*bytes) == Some(of.count));
    human::size(told, of.count.bytes_max())
}

fn stage_cell(of: Stage) -> Cell {
    Cell::coloured(stage(of), if of == Stage::Seeding { Colour::Good } else { Colour::Busy })
}

/// Resolves an address or a host name, with or without a port.
async fn peer_address(text: &str) -> Result<SocketAddr, Error> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, PEER_PORT));
    }
    if let Ok(addr) = text.parse() {
        return Ok(addr);
    }
    let with_port = if text.contains(':') { text.to_owned() } else { format!("{text}:{PEER_PORT}") };
    let mut found = tokio::net::lookup_host(&with_port).await.map_err(|error| {
        Error::usage(format!("cannot resolve {text}: {}", shared::plain::io_error(&error)))
            .hint("use a name that resolves here, or an address such as 10.0.0.7 or 10.0.0.7:7988")
    })?;
    found.next().ok_or_else(|| Error::refused(format!("{text} has no address")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peers_address_needs_no_port() {
        let cases = [
            ("10.0.0.1", "10.0.0.1:7987"),
            ("10.0.0.1:99", "10.0.0.1:99"),
            ("::1", "[::1]:7987"),
            ("[::1]", "[::1]:7987"),
            ("[::1]:99", "[::1]:99"),
        ];
        for (text, addr) in cases {
            assert_eq!(peer_address(text).await.unwrap(), addr.parse().unwrap(), "{text}");
        }
        assert_eq!(peer_address("10.0.0.1:x").await.unwrap_err().exit_code(), 2);
    }
}
