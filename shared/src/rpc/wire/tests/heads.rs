//! Tests that all services' messages are read exactly as they were written, to the last byte.

use super::super::frames::Decoder;
use super::pure::{feed, frame};
use crate::chunk::{ChunkCount, ChunkIndex};
use crate::id::{ListDigest, PeerId, ResourceId, SwarmKey};
use crate::name::ResourceName;
use crate::rpc::control::*;
use crate::rpc::tracker::*;
use crate::rpc::wire::Meter;
use crate::signature::SignatureText;
use crate::tree::{Symlinks, TreeOptions};
use crate::url::TrackerUrl;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::net::{IpAddr, SocketAddr};
use tarpc::{ClientMessage, Request, Response};

/// The lines of a signature after the first.
const SIGNED: &str = "\
    RUTnOD6m9zm632ME3utFThhTQXKmv7BIo0BRsjrnnYuL0TYCb8Ycn0KKqmeKEN42gOxmq0MacRKwxtAcxdEbuIbpVKhC4xMEAA0=\n\
    trusted comment: timestamp:1795740186\tfile:hello.txt.tinytorrent\thashed\n\
    jyQNybLAKIi4twM/vmuODN+ZlDdkYb5g0x+SIaX3h+yvWhTJNMzsZ6sogJY6IiBb8IOgaLACEeati9FZRUsECQ==\n";

fn any_key() -> impl Strategy<Value = SwarmKey> {
    any::<([u8; 32], [u8; 32])>()
        .prop_map(|(id, digest)| SwarmKey { resource: ResourceId(id), digest: ListDigest(digest) })
}

/// An address without flow and scope, which are not sent.
fn any_addr() -> impl Strategy<Value = SocketAddr> {
    any::<(IpAddr, u16)>().prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn any_count() -> impl Strategy<Value = ChunkCount> {
    (0..=crate::chunk::CHUNKS_MAX).prop_map(|count| ChunkCount::new(count).unwrap())
}

fn any_name() -> impl Strategy<Value = ResourceName> {
    "[a-zé模 .-]{1,80}".prop_filter_map("no name", |text| text.parse().ok())
}

fn any_url() -> impl Strategy<Value = TrackerUrl> {
    "tt://[a-z][a-z0-9.-]{0,40}(:[1-9][0-9]{0,3})?".prop_map(|text| text.parse().unwrap())
}

fn any_publication() -> impl Strategy<Value = Publication> {
    let numbers = any::<(u64, Option<u64>)>();
    (any_name(), any_key(), any_count(), vec(any_url(), 0..5), numbers, any_signature()).prop_map(
        |(name, key, count, trackers, (shared_at_ms, bytes), signature)| Publication {
            name,
            key,
            count,
            trackers,
            shared_at_ms,
            bytes,
            signature,
        },
    )
}

fn any_signature() -> impl Strategy<Value = Option<SignatureText>> {
    option::of(
        "[a-zé ]{0,99}"
            .prop_map(|comment| format!("untrusted comment: {comment}\n{SIGNED}").parse().unwrap()),
    )
}

fn any_stage() -> impl Strategy<Value = Stage> {
    prop_oneof![Just(Stage::Leeching), Just(Stage::Seeding)]
}

fn any_entry() -> impl Strategy<Value = PeerEntry> {
    let texts = (".{0,16}", ".{0,16}", option::of("[a-z0-9]{1,16}"));
    (any_addr(), any::<[u8; 16]>(), any_key(), any_stage(), any::<u32>(), any_count(), texts).prop_map(
        |(addr, id, key, stage, have, count, (zone, host, node))| PeerEntry {
            addr,
            peer_id: PeerId(id),
            key,
            stage,
            have,
            count,
            zone,
            host,
            node: node.map(|node| node.parse().unwrap()),
        },
    )
}

fn any_offer() -> impl Strategy<Value = Offer> {
    let role = prop_oneof![Just(Role::Claims), Just(Role::Shares), Just(Role::Holds)];
    (any_publication(), role).prop_map(|(publication, role)| Offer { publication, role })
}

fn any_namesake() -> impl Strategy<Value = Namesake> {
    (any_name(), any::<[u8; 32]>(), any_addr(), any::<Option<u64>>()).prop_map(
        |(name, id, by, shared_ago_ms)| Namesake { name, resource: ResourceId(id), by, shared_ago_ms },
    )
}

fn any_tracker_request() -> impl Strategy<Value = TrackerRequest> {
    let numbers = any::<(u32, u8, Option<u64>)>();
    let announce = (any_key(), any_stage(), any_count(), numbers, vec(any_name(), 0..4));
    let announce = announce.prop_map(|(key, stage, count, (have, peers_wanted, bytes), names)| Announce {
        key,
        stage,
        have,
        count,
        peers_wanted,
        names,
        bytes,
    });
    prop_oneof![
        vec(announce, 0..40).prop_map(|entries| TrackerRequest::Announce { entries }),
        vec(any_key(), 0..40).prop_map(|keys| TrackerRequest::Withdraw { keys }),
        (any_addr(), option::of(any_key()))
            .prop_map(|(peer, after)| TrackerRequest::ResourcesOf { peer, after }),
        any_offer().prop_map(|offer| TrackerRequest::Publish { offer }),
        (vec(any_offer(), 0..5), vec(any::<u8>(), 0..5000)).prop_map(|(offers, hashes)| {
            TrackerRequest::PublishWhole { offers, hashes: bytes::Bytes::from(hashes).into() }
        }),
        (any_key(), any::<u32>(), vec(any::<u8>(), 0..5000)).prop_map(|(key, page, hashes)| {
            TrackerRequest::PublishPage { key, page, hashes: bytes::Bytes::from(hashes).into() }
        }),
        any_name().prop_map(|name| TrackerRequest::Find { what: Lookup::Name(name) }),
        option::of(any_name()).prop_map(|after| TrackerRequest::List { after }),
        (any_place(), any::<u32>())
            .prop_map(|(since, changes_max)| TrackerRequest::Changes { since, changes_max }),
    ]
}

fn any_list_entry() -> impl Strategy<Value = ListEntry> {
    let entry = (any_publication(), any::<(u32, u32)>());
    entry.prop_map(|(publication, (seeders, leechers))| ListEntry { publication, seeders, leechers })
}

fn any_place() -> impl Strategy<Value = CataloguePlace> {
    any::<(u64, u64)>().prop_map(|(epoch, sequence)| CataloguePlace { epoch, sequence })
}

fn any_changes() -> impl Strategy<Value = Changes> {
    let change = (any_name(), any_key(), any::<(u64, Option<u64>)>());
    let change =
        change.prop_map(|(name, key, (shared_at_ms, bytes))| Change { name, key, shared_at_ms, bytes });
    let changes = (any_place(), vec(change, 0..10), any::<(bool, u32, u64)>());
    changes.prop_map(|(place, changes, (more, poll_ms, now_ms))| Changes {
        place,
        changes,
        more,
        poll_ms,
        now_ms,
    })
}

fn any_tracker_response() -> impl Strategy<Value = TrackerResponse> {
    let rest = any::<(u32, bool, bool, Option<u64>, u32, u32, Option<u64>)>();
    let refusal = option::of((".{0,40}", any_name(), option::of((any::<u32>(), ".{0,40}"))));
    let answer = (vec(any_entry(), 0..5), rest, vec(any_namesake(), 0..4), refusal);
    let answer = answer.prop_map(|(peers, rest, newer, refusal)| {
        let (interval_ms, want_manifest, conflict, shared_at_ms, seeders, leechers, bytes) = rest;
        let not_allowed =
            refusal.map(|(you, name, rule)| NotAllowed { you, right: Right::Fetch, name: Some(name), rule });
        AnnounceAnswer {
            peers,
            interval_ms,
            want_manifest,
            conflict,
            shared_at_ms,
            seeders,
            leechers,
            newer,
            bytes,
            not_allowed,
        }
    });
    prop_oneof![
        (vec(answer, 0..10), any_place()).prop_map(|(answers, catalogue)| {
            TrackerResponse::Announce(Ok(AnnounceReply { answers, catalogue }))
        }),
        any_changes().prop_map(|changes| TrackerResponse::Changes(Ok(changes))),
        vec(any_entry(), 0..20).prop_map(|peers| TrackerResponse::PeersOf(Ok(peers))),
        vec(any_list_entry(), 0..10).prop_map(|entries| TrackerResponse::List(Ok(entries))),
        ".{0,40}".prop_map(|why| TrackerResponse::Publish(Err(TrackerError::Full(why)))),
        option::of(any_namesake()).prop_map(|other| {
            TrackerResponse::PublishWhole(Ok(vec![
                Ok(PublishReply::Published(other)),
                Ok(PublishReply::NeedPage(3)),
            ]))
        }),
        vec(any::<u8>(), 0..5000).prop_map(|hashes| {
            TrackerResponse::Manifest(Ok(ManifestPage { hashes: bytes::Bytes::from(hashes).into() }))
        }),
    ]
}

fn any_tree_options() -> impl Strategy<Value = TreeOptions> {
    let symlinks = prop_oneof![Just(Symlinks::Inside), Just(Symlinks::Any), Just(Symlinks::Skip)];
    (symlinks, any::<(bool, bool)>()).prop_map(|(symlinks, (skip_special, has_times))| TreeOptions {
        symlinks,
        skip_special,
        has_times,
    })
}

fn any_control_request() -> impl Strategy<Value = ControlRequest> {
    let share = (any_name(), vec(any_url(), 0..4), any::<(bool, u64, u64)>(), option::of(any_tree_options()));
    let share = share.prop_map(|(name, trackers, (replace, bytes, data_bytes), tree)| {
        let to_be_signed = !replace;
        let request = ShareRequest { name, trackers, replace, bytes, data_bytes, tree, to_be_signed };
        ControlRequest::Import { request }
    });
    let what = prop_oneof![
        any_signature().prop_map(|signature| GetWhat::Manifest { signature }),
        (any_name(), option::of(any_url())).prop_map(|(name, tracker)| GetWhat::Name { name, tracker }),
        (any::<[u8; 32]>(), option::of(any_url()))
            .prop_map(|(id, tracker)| GetWhat::Resource { resource: ResourceId(id), tracker }),
    ];
    prop_oneof![
        share,
        (what, any::<(bool, bool, bool)>()).prop_map(|(what, (replace, reuse, is_copied))| {
            let (as_file, links_outside, allows_older) = (!replace, !reuse, !is_copied);
            let request =
                GetRequest { what, replace, reuse, as_file, links_outside, is_copied, allows_older };
            ControlRequest::Get { request }
        }),
        any::<([u8; 32], u32)>().prop_map(|(id, index)| ControlRequest::Read {
            resource: ResourceId(id),
            index: ChunkIndex(index),
        }),
        (any::<u64>(), vec(any::<u8>(), 0..5000)).prop_map(|(task, bytes)| ControlRequest::ImportPart {
            task: TaskId(task),
            bytes: bytes::Bytes::from(bytes).into(),
        }),
        (option::of(".{0,40}"), any::<(u64, u32)>())
            .prop_map(|(what, (seen, wait_ms))| ControlRequest::Watch { what, seen, wait_ms }),
        (".{0,40}", any::<bool>()).prop_map(|(what, delete)| ControlRequest::Remove { what, delete }),
        (option::of(any_url()), option::of(any_name()))
            .prop_map(|(tracker, after)| ControlRequest::TrackerList { tracker, after }),
        (option::of(any_url()), any::<([u8; 32], [u8; 32], [u8; 16], u32)>()).prop_map(|(tracker, of)| {
            let (resource, digest, peer_id, machines_max) = of;
            let (resource, digest) = (ResourceId(resource), ListDigest(digest));
            let (key, peer_id) = (SwarmKey { resource, digest }, PeerId(peer_id));
            let after = Some(FleetPlace { key, addr: ([10, 0, 0, 1], 7987).into(), peer_id });
            let what = Lookup::Resource(resource);
            ControlRequest::TrackerFleet { tracker, what, after, machines_max }
        }),
    ]
}

fn any_control_response() -> impl Strategy<Value = ControlResponse> {
    let kind = prop_oneof![
        Just(ErrorKind::Internal),
        Just(ErrorKind::Usage),
        Just(ErrorKind::Refused),
        Just(ErrorKind::TimedOut),
        Just(ErrorKind::BadData),
        Just(ErrorKind::NoSpace),
    ];
    let error = (kind, ".{0,40}", option::of(".{0,40}"));
    let error = error.prop_map(|(kind, message, hint)| ControlError { kind, message, hint });
    prop_oneof![
        error.prop_map(|error| ControlResponse::Status(Err(error))),
        vec(any_name(), 0..20).prop_map(|names| ControlResponse::Pause(Ok(names))),
        vec(any::<u8>(), 0..5000)
            .prop_map(|bytes| ControlResponse::Read(Ok(bytes::Bytes::from(bytes).into()))),
        (any_url(), vec(any_list_entry(), 0..10), option::of(any_name())).prop_map(
            |(tracker, entries, next)| {
                ControlResponse::TrackerList(Ok(TrackerAnswer { tracker, answer: Page { entries, next } }))
            }
        ),
        (any_url(), vec(any_entry(), 0..20)).prop_map(|(tracker, answer)| {
            ControlResponse::TrackerPeers(Ok(TrackerAnswer { tracker, answer }))
        }),
        (".{0,40}", any::<(u16, bool, u64, u64, u64, u64, u32)>()).prop_map(|(software, rest)| {
            let (version, is_local, round_trip_us, clock_ms, asked_ms, answered_ms, of_our_node) = rest;
            ControlResponse::TrackerExamine(Ok(TrackerExamined {
                version,
                software,
                is_local,
                round_trip_us,
                clock_ms,
                asked_ms,
                answered_ms,
                of_our_node,
            }))
        }),
        any::<(u32, u32, Option<(u64, Vec<String>)>)>().prop_map(|(chunks_good, chunks_total, edited)| {
            let edited = edited.map(|(files, first)| EditedFiles { files, first });
            ControlResponse::Task(Ok(TaskState::Verified { chunks_good, chunks_total, edited }))
        }),
        (any_name(), any::<[u8; 32]>(), any_count(), any::<bool>()).prop_map(
            |(name, id, count, complete)| {
                ControlResponse::Get(Ok(Accepted {
                    name,
                    resource: ResourceId(id),
                    count,
                    complete,
                    is_tree: !complete,
                    comparing: None,
                }))
            }
        ),
    ]
}

/// Sends a request through a decoder. Returns what came out as text, and its bytes.
macro_rules! check_request {
    ($type:ty, $id:expr, $request:expr) => {{
        let (shown, mut sent) = (format!("{:?}", $request), $request);
        let body = crate::rpc::Message::payload(&mut sent).map(|payload| payload.bytes.clone());
        let context = tarpc::context::current();
        let bytes = frame(ClientMessage::Request(Request { id: $id, context, message: sent }));
        let mut decoder = Decoder::<ClientMessage<$type>>::new(None, Meter::new());
        let mut decoded = feed(&mut decoder, &bytes, || 700, |_, _| {}).unwrap();
        let Some(ClientMessage::Request(mut request)) = decoded.pop() else { panic!("no request: {shown}") };
        prop_assert!(decoded.is_empty() && decoder.is_between_frames());
        prop_assert_eq!(request.id, $id);
        prop_assert_eq!(format!("{:?}", request.message), shown);
        let payload = crate::rpc::Message::payload(&mut request.message);
        prop_assert_eq!(payload.map(|payload| payload.bytes.clone()), body);
    }};
}

/// Sends a response through a decoder, and checks that it has the same bytes when written again.
macro_rules! check_response {
    ($type:ty, $id:expr, $response:expr) => {{
        let bytes = frame(Response { request_id: $id, message: Ok($response) });
        let mut decoder = Decoder::<Response<$type>>::new(None, Meter::new());
        let mut decoded = feed(&mut decoder, &bytes, || 700, |_, _| {}).unwrap();
        let response = decoded.pop().unwrap();
        prop_assert!(decoded.is_empty() && decoder.is_between_frames());
        prop_assert_eq!(response.request_id, $id);
        prop_assert_eq!(frame(response), bytes);
    }};
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn requests_to_a_tracker_come_out_as_they_went_in(id: u64, request in any_tracker_request()) {
        check_request!(TrackerRequest, id, request);
    }

    #[test]
    fn answers_of_a_tracker_come_out_as_they_went_in(id: u64, response in any_tracker_response()) {
        check_response!(TrackerResponse, id, response);
    }

    #[test]
    fn requests_of_ttctl_come_out_as_they_went_in(id: u64, request in any_control_request()) {
        check_request!(ControlRequest, id, request);
    }

    #[test]
    fn answers_to_ttctl_come_out_as_they_went_in(id: u64, response in any_control_response()) {
        check_response!(ControlResponse, id, response);
    }
}
