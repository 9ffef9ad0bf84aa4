//! The machines of the fleet, by what they do in it.

use crate::machine::Machine;
use std::path::PathBuf;

/// All machines, and the packages.
pub(super) struct Fleet {
    /// Where the tracker runs: the first. It has a daemon, too.
    pub(super) machines: Vec<Machine>,
    pub(super) daemon: PathBuf,
    pub(super) tracker: PathBuf,
    pub(super) upgrade: PathBuf,
}

impl Fleet {
    pub(super) fn tracker(&self) -> &Machine {
        &self.machines[0]
    }

    /// Where the first file comes from: in the small fleet the tracker's own machine.
    pub(super) fn publisher(&self) -> &Machine {
        if self.machines.len() > 2 { &self.machines[1] } else { &self.machines[0] }
    }

    /// All that fetch.
    pub(super) fn servers(&self) -> &[Machine] {
        if self.machines.len() > 2 { &self.machines[2..] } else { &self.machines[1..] }
    }

    pub(super) fn last(&self) -> &Machine {
        &self.machines[self.machines.len() - 1]
    }
}
