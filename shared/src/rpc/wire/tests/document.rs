//! Tests that docs/protocol.md is true: its examples are what is sent, and its numbers are those of the code.

use super::super::Meter;
use super::super::frames::Decoder;
use super::pure::{feed, frame};
use super::*;
use crate::chunk::ChunkCount;
use crate::id::{ChunkHash, ListDigest, ResourceId, SwarmKey};
use crate::rpc::control::{ControlRequest, ControlResponse};
use crate::rpc::tracker::{TrackerRequest, TrackerResponse};
use crate::rpc::{Message, peer, tracker};
use crate::token::{Secret, TokenId};
use serde::de::DeserializeOwned;
use tarpc::{ClientMessage, RequestName, Response};

const SIGNATURE: &str = "untrusted comment: signature from ttctl\n\
    RUTnOD6m9zm632ME3utFThhTQXKmv7BIo0BRsjrnnYuL0TYCb8Ycn0KKqmeKEN42gOxmq0MacRKwxtAcxdEbuIbpVKhC4xMEAA0=\n\
    trusted comment: timestamp:1795740186\tfile:greeting.tinytorrent\thashed\n\
    jyQNybLAKIi4twM/vmuODN+ZlDdkYb5g0x+SIaX3h+yvWhTJNMzsZ6sogJY6IiBb8IOgaLACEeati9FZRUsECQ==\n";

const DOCUMENT: &str = include_str!("../../../../../docs/protocol.md");

/// The bytes of the example of this name.
fn example(name: &str) -> Vec<u8> {
    let (_, rest) = DOCUMENT.split_once(&format!("```hex {name}\n")).expect("the example is there");
    let (lines, _) = rest.split_once("```").expect("it has an end");
    let words = lines.lines().flat_map(|line| line.split('#').next().unwrap_or("").split_whitespace());
    words.map(|word| u8::from_str_radix(word, 16).expect("two hex digits")).collect()
}

fn check_answer(name: &str, id: u64, message: PeerResponse) {
    assert_eq!(frame(Response { request_id: id, message: Ok(message) }), example(name), "{name}");
}

#[test]
fn the_examples_are_what_is_sent() {
    let counting = |from: u8| PeerId(std::array::from_fn(|at| from + at as u8));
    let hello = Hello {
        version: PROTOCOL_VERSION,
        capabilities: 0,
        peer_id: counting(0),
        listen_port: 7987,
        zone: String::new(),
        link: LinkKind::Quick,
    };
    let request = PeerRequest::Hello { hello };
    let bytes = example("hello");
    let head = postcard::to_stdvec(&(0u8, 0u64, 10_000u32, &request)).unwrap();
    assert_eq!(bytes[..4], (head.len() as u32).to_be_bytes());
    assert_eq!(bytes[8..], head);
    let mut decoder = Decoder::<ClientMessage<PeerRequest>>::new(Some(Greeted::new()), Meter::new());
    let decoded = feed(&mut decoder, &bytes, || 7, |_, _| {}).unwrap();
    let [ClientMessage::Request(decoded)] = &decoded[..] else { panic!("{decoded:?}") };
    assert_eq!(format!("{:?}", decoded.message), format!("{request:?}"));

    let zone = "north".to_owned();
    let welcome = Welcome { version: PROTOCOL_VERSION, capabilities: 0, peer_id: counting(0xf0), zone };
    check_answer("welcome", 0, PeerResponse::Hello(Ok(welcome)));
    let chunk = ChunkReply::Chunk(Bytes::from_static(b"hello").into());
    check_answer("chunk", 300, PeerResponse::GetChunk(chunk));
}

/// The calls to trackers that concern names.
#[test]
fn the_examples_of_publishing_are_what_is_sent() {
    let resource = ResourceId::of(b"hello");
    let digest = ListDigest::of(&[ChunkHash::of(b"hello")]);
    let publication = tracker::Publication {
        name: "greeting".parse().unwrap(),
        key: SwarmKey { resource, digest },
        count: ChunkCount::new(1).unwrap(),
        trackers: vec!["tt://10.0.0.1".parse().unwrap()],
        shared_at_ms: 1_800_000_000_000,
        bytes: Some(5),
        signature: None,
    };
    let offer = tracker::Offer { publication: publication.clone(), role: tracker::Role::Claims };
    let request = TrackerRequest::PublishWhole {
        offers: vec![offer],
        hashes: Bytes::copy_from_slice(&resource.0).into(),
    };
    let head = postcard::to_stdvec(&(0u8, 7u64, 10_000u32, &request)).unwrap();
    let lengths = [(head.len() as u32).to_be_bytes(), 32_u32.to_be_bytes()].concat();
    assert_eq!(example("publish"), [&lengths[..], &head, &resource.0].concat());

    let answer = |name: &str, message: TrackerResponse| {
        assert_eq!(frame(Response { request_id: 7, message: Ok(message) }), example(name), "{name}");
    };
    let other = tracker::Namesake {
        name: publication.name.clone(),
        resource: ResourceId([0xab; 32]),
        by: "10.0.0.9:7987".parse().unwrap(),
        shared_ago_ms: Some(720_000),
    };
    let peer = tracker::PeerEntry {
        addr: "10.0.0.9:7987".parse().unwrap(),
        peer_id: PeerId(std::array::from_fn(|at| 0xf0 + at as u8)),
        key: publication.key,
        stage: tracker::Stage::Seeding,
        have: 1,
        count: publication.count,
        zone: "north".to_owned(),
        host: "pc-9".to_owned(),
        node: Some("web-1".parse().unwrap()),
    };
    answer("peers", TrackerResponse::PeersOf(Ok(vec![peer])));
    answer("taken", TrackerResponse::PublishWhole(Ok(vec![Err(tracker::TrackerError::Taken(other))])));
    let publication = tracker::Publication { signature: Some(SIGNATURE.parse().unwrap()), ..publication };
    let entry = tracker::ListEntry { publication, seeders: 2, leechers: 1 };
    answer("found", TrackerResponse::Find(Ok(vec![entry.clone()])));
    let tracker::Publication { name, key, shared_at_ms, bytes, .. } = entry.publication;
    let changes = vec![tracker::Change { name, key, shared_at_ms, bytes }];
    let place = tracker::CataloguePlace { epoch: 300, sequence: 2 };
    let changes = tracker::Changes { place, changes, more: false, poll_ms: 2_000, now_ms: 1_800_000_000_000 };
    answer("changes", TrackerResponse::Changes(Ok(changes)));
}

/// The calls to trackers that concern certificates.
#[test]
fn the_examples_of_joining_are_what_is_sent() {
    let der = |last: u8| vec![tracker::Der::try_from(vec![0x30, 2, 5, last]).unwrap()];
    let request = TrackerRequest::Join {
        ask: tracker::JoinAsk {
            token: TokenId([1; 5]),
            secret: Secret([2; 16]),
            node: "web-1".parse().unwrap(),
            request: der(0).remove(0),
        },
    };
    let head = postcard::to_stdvec(&(0u8, 9u64, 10_000u32, &request)).unwrap();
    assert_eq!(example("join"), [&(head.len() as u32).to_be_bytes()[..], &[0; 4], &head].concat());

    let answer = |name: &str, message: TrackerResponse| {
        assert_eq!(frame(Response { request_id: 9, message: Ok(message) }), example(name), "{name}");
    };
    let mode = Some(tracker::EnrolledMode::Require);
    let enrolled = tracker::Enrolled { chain: der(0), authorities: der(1), mode };
    answer("enrolled", TrackerResponse::Join(Ok(enrolled)));
    let expired = tracker::NotEnrolled::Expired { until: 1_800_000_000 };
    answer("not_enrolled", TrackerResponse::Join(Err(expired)));
    let part = Bytes::from_static(&[0x30, 2, 5, 0]).into();
    let page = tracker::RevokedPage { number: 1_800_000_000, bytes_total: 262_148, part };
    answer("revoked", TrackerResponse::Revoked(Ok(page)));
}

#[test]
fn the_frame_limits_are_those_of_the_code() {
    fn row<Req: Message, Resp: Message>(service: &str) -> String {
        let size = |bytes: usize| match bytes {
            0 => "0".to_owned(),
            bytes if bytes % (1 << 20) == 0 => format!("{} MiB", bytes >> 20),
            bytes => format!("{} KiB", bytes >> 10),
        };
        let limits =
            [Req::HEAD_BYTES_MAX, Req::BODY_BYTES_MAX, Resp::HEAD_BYTES_MAX, Resp::BODY_BYTES_MAX].map(size);
        format!("| {service} | {} |", limits.join(" | "))
    }
    let rows = [
        row::<PeerRequest, PeerResponse>("Peer"),
        row::<TrackerRequest, TrackerResponse>("Tracker"),
        row::<ControlRequest, ControlResponse>("Control"),
    ];
    for row in rows {
        assert!(DOCUMENT.contains(&row), "{row}");
    }
}

#[test]
fn the_methods_numbers_are_those_of_the_code() {
    fn check<Req: RequestName + DeserializeOwned>(service: &str, methods: u8) {
        let (_, section) = DOCUMENT.split_once(&format!("\n## {service}\n")).expect("it has a section");
        let section = section.split("\n## ").next().expect("split gives one part at least");
        for number in 0..methods {
            // Arguments that every method accepts: numbers, and one letter where a text must not be empty.
            let lookup = [0, 0, 1, b'a', 0, 0];
            let tracker = [&[6][..], b"tt://a"].concat();
            let fillings = [
                &[0; 200][..],
                &[1, b'a', 0, 0, 0],
                &[0, 1, b'a', 0, 0],
                &lookup,
                &tracker,
                &publication(),
                &signed(),
                &join_request(),
                &joining(),
            ];
            let decode = |filling| read::<Req>(number, filling);
            let request = fillings.into_iter().find_map(decode);
            let request = request.unwrap_or_else(|| panic!("{service} has no method {number}"));
            let method = request.name().rsplit('.').next().expect("rsplit gives one part at least");
            assert!(
                section.contains(&format!("\n| {number} | `{method}` |")),
                "{service}: {number} {method}"
            );
        }
        assert!(read::<Req>(methods, &[0; 200]).is_none(), "{service} has a method that is not described");
    }
    fn read<Req: DeserializeOwned>(method: u8, arguments: &[u8]) -> Option<Req> {
        let bytes = [&[method], arguments].concat();
        postcard::take_from_bytes(&bytes).ok().map(|(request, _)| request)
    }
    fn signed() -> Vec<u8> {
        let key = "RWTnOD6m9zm63+WfvYPiAYm/3CJ+0sxD3754KkpTmYwq+ad/NoesNYh7";
        postcard::to_stdvec(&("a", SIGNATURE, key)).unwrap()
    }
    fn join_request() -> Vec<u8> {
        [&[0; 37][..], &[6], b"tt://a", &[0; 2]].concat() // a token, and a tracker
    }
    fn publication() -> Vec<u8> {
        [&[1, b'a'][..], &[0; 70]].concat()
    }
    fn joining() -> Vec<u8> {
        [&[0; 21][..], &[1, b'a', 0]].concat()
    }
    check::<PeerRequest>("Peer", 6);
    check::<TrackerRequest>("Tracker", 20);
    check::<ControlRequest>("Control", 38);
}

#[test]
fn the_limits_are_those_of_the_code() {
    let grouped = |number: usize| {
        let digits = number.to_string();
        match digits.len() {
            4.. => format!("{},{}", &digits[..digits.len() - 3], &digits[digits.len() - 3..]),
            _ => digits,
        }
    };
    let sentences = [
        format!("at most {} subscriptions", grouped(peer::SUBSCRIPTIONS_MAX)),
        format!("list of NewsUpdate (at most {})", peer::UPDATES_MAX),
        format!("list of ChunkIndex, at most {}", grouped(peer::ADDED_MAX)),
        format!("list of Announce (at most {})", grouped(tracker::ANNOUNCE_MAX)),
        format!("list of PeerEntry (at most {})", tracker::PEERS_MAX),
        format!("list of ListEntry (at most {})", tracker::LIST_MAX),
        format!("list of ListEntry (at most {})", tracker::CANDIDATES_MAX),
        format!("list of Offer (at most {})", tracker::OFFERS_MAX),
        format!("list of Change (at most {})", tracker::CHANGES_MAX),
        format!("list of TrackerUrl (at most {})", tracker::TRACKERS_MAX),
        format!("at most {} peers together", grouped(crate::rpc::tracker::REPLY_PEERS_MAX)),
        format!("(u8 list, at most {})", grouped(tracker::DER_BYTES_MAX)),
        format!("`certificates` list of Der (1 to {}", tracker::CERTIFICATES_MAX),
        format!("`bytes_total` u32 (at most {} MiB)", tracker::REVOKED_BYTES_MAX >> 20),
        format!("from `offset` on, at most {} KiB", tracker::REVOKED_PAGE_BYTES >> 10),
        format!("the names that the token admits, at most {} bytes", tracker::PATTERN_BYTES_MAX),
        format!("A page is {} hashes", grouped(tracker::PAGE_HASHES as usize)),
        format!("at most {} bytes; empty: none", peer::ZONE_BYTES_MAX),
        format!("TCP, port {}", crate::url::PEER_PORT),
        format!("TCP, port {}", crate::url::TRACKER_PORT),
        format!("This is version {}", crate::rpc::PROTOCOL_VERSION),
    ];
    // wherever its lines end
    let text = DOCUMENT.split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in sentences {
        assert!(text.contains(&sentence), "{sentence}");
    }
}
