//! The digest by which two runs are compared.

use crate::node::NodeId;
use shared::swarm::{Action, Time};
use std::fmt::{self, Write};

/// The FNV-1a hash of all printed actions so far. It only tells whether two runs are equal.
pub(super) struct Digest(pub(super) u64);

impl Digest {
    pub(super) fn new() -> Digest {
        Digest(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn add(&mut self, now: Time, node: NodeId, action: &Action) {
        write!(self, "{now} {} {action:?}", node.0).expect("a digest takes everything");
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}
