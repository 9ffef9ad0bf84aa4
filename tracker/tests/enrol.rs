//! Certificates from a tracker, asked for over TCP.

use shared::host::config::TrackerConfig;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::tracker::*;
use shared::rpc::wire::{self, ClientOptions};
use shared::token::{Secret, TokenId};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tracker::server::Server;

const SOON: Duration = Duration::from_secs(10);

/// Starts one on a free port. It ends with the test's runtime.
fn start(change: impl FnOnce(&mut TrackerConfig)) -> SocketAddr {
    let mut config = TrackerConfig { listen: "127.0.0.1:0".parse().unwrap(), ..Default::default() };
    change(&mut config);
    let server = Server::bind(&config).unwrap();
    let addr = server.local_addr();
    tokio::spawn(server.run());
    addr
}

/// A caller that only asks.
async fn asker(addr: SocketAddr) -> TrackerCaller {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (caller, link): (TrackerCaller, _) = wire::client(stream, ClientOptions::default());
    tokio::spawn(link);
    let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer: None };
    caller.hello(hello, SOON).await.unwrap().unwrap();
    caller
}

fn der() -> Der {
    vec![0x30, 0].try_into().unwrap()
}

#[tokio::test]
async fn a_tracker_without_an_authority_says_so() {
    let caller = asker(start(|_| {})).await;
    let none = NotEnrolled::NoAuthority;
    assert_eq!(caller.authority(SOON).await.unwrap(), Err(none.clone()));
    let node = "web-1".parse().unwrap();
    let ask = JoinAsk { token: TokenId([1; 5]), secret: Secret([2; 16]), node, request: der() };
    assert_eq!(caller.join(ask, SOON).await.unwrap(), Err(none.clone()));
    let ask = RenewAsk { certificate: der(), request: der() };
    assert_eq!(caller.renew(ask, SOON).await.unwrap(), Err(none));
    let page = caller.revoked(RevokedAsk { seen: 0, offset: 0 }, SOON).await.unwrap().unwrap();
    assert_eq!((page.number, page.bytes_total, page.part.bytes.len()), (0, 0, 0));
}
