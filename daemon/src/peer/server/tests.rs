//! Callers without TLS, in a network of streams in memory.

use super::*;
use crate::net::Network;
use crate::throttle::Bucket;
use crate::whole::cable::{Cables, Settings};
use shared::host::config::RateLimit;
use shared::id::PeerId;
use shared::rpc::peer::{LinkKind, PeerRequest, PeerResponse};
use shared::rpc::wire::ClientOptions;

/// Each is let go after its time, and nobody is banned: an honest peer may have lost power.
#[tokio::test(start_paused = true)]
async fn who_says_nothing_and_who_takes_nothing_is_let_go_and_counted() {
    const BUFFER: usize = 16; // less than the answer to hello
    let settings = Settings { latency_ms: 1..=1, jitter_ms_max: 0, buffer: BUFFER..=BUFFER };
    let (cables, at) = (Cables::new(1, settings), PeerAddr::from(([10, 0, 0, 1], 7987)));
    let limit = || Bucket::new(RateLimit::None);
    let (context, _, _ended) =
        Context::new(PeerId([1; 16]), at, String::new(), (limit(), limit()), Network::Cables(cables.clone()));
    let caps = Caps { peers_max: 8, strangers_max: 8 };
    let listener = Listener::Cable(cables.listen(at));
    let accepting = tokio::spawn(accept(context.clone(), listener, caps));
    let counted = |why| context.rejections.all().into_iter().find(|one| one.0 == why).unwrap().1;

    let silent = cables.connect([10, 0, 0, 2].into(), at).await.unwrap();
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(counted(Rejection::NoHello), 0, "it has some time");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(counted(Rejection::NoHello), 1);
    drop(silent);

    let deaf = cables.connect([10, 0, 0, 3].into(), at).await.unwrap();
    let (_never_read, mut to_us) = tokio::io::split(deaf);
    let (near, mut far) = tokio::io::duplex(1 << 10);
    let (caller, link) = wire::client::<PeerRequest, PeerResponse, _>(near, ClientOptions::default());
    let hello = Hello { peer_id: PeerId([3; 16]), ..context.hello(LinkKind::Bulk) };
    let asking = tokio::spawn(async move {
        let (_, _, _) = tokio::join!(
            link,
            caller.hello(hello, Duration::from_secs(600)),
            tokio::io::copy(&mut far, &mut to_us)
        );
    });
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert_eq!(counted(Rejection::Unread), 0, "it has some time");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(counted(Rejection::Unread), 1);
    asking.abort();
    accepting.abort();
}

#[tokio::test]
async fn a_chunk_counts_as_sent_when_all_of_it_was_written() {
    let limit = || Bucket::new(RateLimit::None);
    let listen = PeerAddr::from(([127, 0, 0, 1], 1));
    let (context, _, mut ended) =
        Context::new(PeerId([1; 16]), listen, String::new(), (limit(), limit()), Network::System);
    let traffic = Arc::<Traffic>::default();
    for (ask, is_written) in [(AskId(1), false), (AskId(2), true)] {
        let chunk = ReadChunk { written: Written::default(), bytes: 1234, traffic: traffic.clone() };
        if is_written {
            chunk.written.set();
        }
        let (context, ended) = (context.clone(), Ended::default());
        drop(AskGuard { context, ask, tells: true, chunk: Some(chunk), ended });
    }
    assert_eq!(traffic.sent.load(Ordering::Relaxed), 1234);
    assert_eq!(ended.recv().await, Some((AskId(1), AskEnd::TakenBack)));
    assert_eq!(ended.recv().await, Some((AskId(2), AskEnd::Served)));
}
