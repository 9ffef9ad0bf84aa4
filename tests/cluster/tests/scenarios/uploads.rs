//! Scenarios for the uploads of a seeder: how they are counted, and who receives them.

use cluster::files::{MIB, content};
use cluster::hostile::Asker;
use cluster::{CAP, Daemon, Tracker, wait_until};
use shared::chunk::ChunkIndex;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::rpc::peer::PeerRequest;
use shared::window::Window;
use std::fs;

const NAME: &str = "image.iso";

fn key_of(daemon: &Daemon) -> SwarmKey {
    let text = fs::read(daemon.file(&format!("{NAME}.tinytorrent"))).expect("it is shared");
    Manifest::parse(&text).expect("a manifest").key()
}

/// Lets the seeder choose one of four chunks, and asks for the chosen one.
fn begin(asker: &mut Asker, key: SwarmKey) -> u8 {
    let wanted = Window::of(ChunkIndex(0), (0..4).map(ChunkIndex));
    let head = asker.ask(PeerRequest::Pick { key, wanted }).expect("an answer");
    let [_, 0, 2, 0, index] = head[..] else { panic!("no chunk is granted: {head:?}") };
    asker.send(PeerRequest::GetChunk { key, index: ChunkIndex(index.into()) }).expect("it listens");
    index
}

#[test]
fn what_was_broken_off_is_not_counted_and_is_given_first() {
    let tracker = Tracker::start();
    let seeder = Daemon::start(&tracker, &[]);
    seeder.share_bytes(NAME, &content(12_000, 4 * MIB));
    let key = key_of(&seeder);
    for id in 1..=2 {
        let mut asker = Asker::introduced(seeder.addr(), id, 40_000 + u16::from(id));
        begin(&mut asker, key);
        asker.read(100).expect("it begins");
    }
    wait_until("the seeder notices", CAP, || seeder.log().matches("a peer's connection ended").count() == 2);
    let mut asker = Asker::introduced(seeder.addr(), 3, 40_003);
    let given = [(); 4].map(|()| {
        let index = begin(&mut asker, key);
        asker.answer().expect("the chunk");
        index
    });
    assert_eq!(given, [0, 1, 2, 3]);
    seeder
        .wait_status(NAME, "as much as was sent", |status| status.number("uploaded_bytes") == 4 * MIB as u64);
}

#[test]
fn a_seeder_shows_who_fetches_from_it() {
    let tracker = Tracker::start();
    let seeder = Daemon::start(&tracker, &["--upload-limit", "4 MB/s"]);
    let leecher = Daemon::start(&tracker, &[]);
    let bytes = content(12_001, 8 * MIB);
    seeder.share_bytes(NAME, &bytes);
    assert_eq!(seeder.status(NAME).expect("it is shared").number("upload_peers"), 0);
    leecher.ok(&["get", "--detach", NAME]);
    seeder.wait_status(NAME, "fetched by one", |status| status.number("upload_peers") == 1);
    let listed = |daemon: &Daemon, direction: &str| {
        let document: serde_json::Value =
            serde_json::from_str(&daemon.ok(&["peers", NAME, "--json"]).stdout).expect("a document");
        let peers = document["peers"].as_array().expect("a list").clone();
        let entry = peers.iter().find(|peer| peer["direction"] == direction)?;
        Some(entry["addr"].as_str().expect("an address").to_owned())
    };
    assert_eq!(listed(&seeder, "upload"), Some(leecher.addr().to_string()));
    assert_eq!(listed(&leecher, "download"), Some(seeder.addr().to_string()));
    let text = seeder.ok(&["peers", NAME]).stdout;
    assert!(text.contains("upload"), "{text}");
    leecher.wait_seeding(NAME);
    leecher.check_file(NAME, &bytes);
}
