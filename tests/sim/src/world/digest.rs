//! What two runs are compared by.

use crate::node::NodeId;
use shared::swarm::{Action, Time};
use std::fmt::{self, Write};

/// Of all actions so far, as they are printed (FNV-1a): it says whether two runs are the same, no more.
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
