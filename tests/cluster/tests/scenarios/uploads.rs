//! What a seeder sends: what counts, and who gets it.

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

/// Lets the seeder choose one of four chunks, and asks for that.
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
