//! Input from connections: heads of all services in both directions, and the stream that carries them.

use shared::rpc::control::{ControlRequest, ControlResponse};
use shared::rpc::peer::{PeerRequest, PeerResponse};
use shared::rpc::tracker::{TrackerRequest, TrackerResponse};
use shared::rpc::wire::fuzz;

/// The length of a prefix: how many bytes say how the stream is cut.
const PIECES: usize = 4;

pub fn peer_request(head: &[u8]) {
    fuzz::request_head::<PeerRequest>(head);
}

pub fn peer_response(head: &[u8]) {
    fuzz::response_head::<PeerResponse>(head);
}

pub fn tracker_request(head: &[u8]) {
    fuzz::request_head::<TrackerRequest>(head);
}

pub fn tracker_response(head: &[u8]) {
    fuzz::response_head::<TrackerResponse>(head);
}

pub fn control_request(head: &[u8]) {
    fuzz::request_head::<ControlRequest>(head);
}

pub fn control_response(head: &[u8]) {
    fuzz::response_head::<ControlResponse>(head);
}

/// The first byte selects the service, the direction, and whether hello was accepted. The next bytes say how the stream
/// is cut.
pub fn stream(bytes: &[u8]) {
    let Some((&kind, rest)) = bytes.split_first() else { return };
    let Some((pieces, stream)) = rest.split_at_checked(PIECES) else { return };
    let is_greeted = kind & 0x80 != 0;
    match kind & 0x7f {
        0 => fuzz::requests::<PeerRequest>(stream, pieces, is_greeted),
        1 => fuzz::responses::<PeerResponse>(stream, pieces),
        2 => fuzz::requests::<TrackerRequest>(stream, pieces, is_greeted),
        3 => fuzz::responses::<TrackerResponse>(stream, pieces),
        4 => fuzz::requests::<ControlRequest>(stream, pieces, is_greeted),
        5 => fuzz::responses::<ControlResponse>(stream, pieces),
        _ => {}
    }
}
