//! A client that dials and asks frame by frame.

use shared::chunk::ChunkCount;
use shared::id::{PeerId, SwarmKey};
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::peer::{Hello, LinkKind, PeerRequest};
use shared::rpc::tracker::{Announce, Stage, TrackedPeer, TrackerHello, TrackerRequest};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// Opens `many` connections that say nothing.
pub fn strangers(addr: SocketAddr, many: usize) -> Vec<TcpStream> {
    (0..many).filter_map(|_| TcpStream::connect(addr).ok()).collect()
}

/// A connection to a daemon's port for peers.
#[derive(Debug)]
pub struct Asker {
    stream: TcpStream,
    calls: u64,
}

impl Asker {
    /// A connection that has not said hello.
    pub fn dial(addr: SocketAddr) -> Asker {
        let stream = TcpStream::connect(addr).expect("the daemon listens");
        stream.set_read_timeout(Some(SOON)).expect("a socket's option");
        stream.set_nodelay(true).expect("a socket's option");
        Asker { stream, calls: 0 }
    }

    /// A connection of a peer with this id and port, after hello.
    pub fn introduced(addr: SocketAddr, id: u8, port: u16) -> Asker {
        let mut asker = Asker::dial(addr);
        let answer = asker.ask(Asker::hello(id, port)).expect("an answer to hello");
        assert!(is_welcome(&answer), "hello was refused: {answer:?}");
        asker
    }

    /// The hello of such a peer.
    pub fn hello(id: u8, port: u16) -> PeerRequest {
        let (zone, link) = (String::new(), LinkKind::Bulk);
        let peer_id = PeerId([id; 16]);
        let capabilities = u64::MAX; // bits that a later version may define are ignored
        let hello = Hello { version: PROTOCOL_VERSION, capabilities, peer_id, listen_port: port, zone, link };
        PeerRequest::Hello { hello }
    }

    /// The first frame of a connection of such a peer.
    pub fn hello_frame(id: u8, port: u16) -> Vec<u8> {
        frame(postcard::to_stdvec(&(0u8, 1u64, 60_000u32, Asker::hello(id, port))))
    }

    /// The first frames of a connection to a tracker: hello as such a peer, and that it has all of a resource.
    pub fn announcing_frames(peer_id: PeerId, port: u16, key: SwarmKey) -> Vec<u8> {
        let (zone, host) = (String::new(), String::new());
        let peer = Some(TrackedPeer { peer_id, listen_port: port, zone, host, advertise: None });
        let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer };
        let count = ChunkCount::new(1).expect("a count");
        let (stage, names) = (Stage::Seeding, Vec::new());
        let entry = Announce { key, stage, have: 1, count, peers_wanted: 9, names, bytes: None };
        let hello = postcard::to_stdvec(&(0u8, 1u64, 60_000u32, TrackerRequest::Hello { hello }));
        let entries = vec![entry];
        let announce = postcard::to_stdvec(&(0u8, 2u64, 60_000u32, TrackerRequest::Announce { entries }));
        [frame(hello), frame(announce)].concat()
    }

    /// Asks, and waits for the next answer's head: the number and the content of its call.
    pub fn ask(&mut self, request: PeerRequest) -> io::Result<Vec<u8>> {
        self.send(request)?;
        self.answer()
    }

    /// Asks without waiting for an answer.
    pub fn send(&mut self, request: PeerRequest) -> io::Result<()> {
        self.calls += 1;
        self.write(&frame(postcard::to_stdvec(&(0u8, self.calls, 60_000u32, request))))
    }

    /// Sends any bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads this many bytes of what comes.
    pub fn read(&mut self, bytes: usize) -> io::Result<()> {
        self.stream.read_exact(&mut vec![0; bytes])
    }

    /// The next answer's head, without its body.
    pub fn answer(&mut self) -> io::Result<Vec<u8>> {
        let mut lengths = [0; 8];
        self.stream.read_exact(&mut lengths)?;
        let [head, body] = [0, 4].map(|at| u32::from_be_bytes([0, 1, 2, 3].map(|byte| lengths[at + byte])));
        let mut bytes = vec![0; head as usize + body as usize];
        self.stream.read_exact(&mut bytes)?;
        bytes.truncate(head as usize);
        Ok(bytes)
    }

    /// Reads until the daemon closes the connection. Returns whether it does, before a read takes too long.
    pub fn read_to_end(&mut self) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
    }

    /// A second handle on the same connection, to read while the first one writes.
    pub fn second(&self) -> Asker {
        Asker { stream: self.stream.try_clone().expect("a descriptor"), calls: 0 }
    }
}

/// A frame with a head of the form of docs/protocol.md: a call, its number, its time in milliseconds, and the question.
fn frame(head: postcard::Result<Vec<u8>>) -> Vec<u8> {
    let head = head.expect("a message");
    [&lengths(head.len(), 0)[..], &head].concat()
}

/// A frame's two lengths.
pub fn lengths(head: usize, body: usize) -> [u8; 8] {
    let [head, body] = [head as u32, body as u32].map(u32::to_be_bytes);
    std::array::from_fn(|at| if at < 4 { head[at] } else { body[at - 4] })
}

/// Whether the answer to hello is a welcome.
pub fn is_welcome(head: &[u8]) -> bool {
    // The call's number, then a reply to hello that is a success.
    head.get(1..4) == Some(&[0, 0, 0])
}
