//! The machines of the fleet, by their roles.

use crate::machine::Machine;
use std::path::PathBuf;

/// All machines, and the packages.
pub(super) struct Fleet {
    /// The first machine, which runs the tracker and a daemon.
    pub(super) machines: Vec<Machine>,
    /// A machine with nothing installed, which does not belong to the fleet at first.
    pub(super) stranger: Machine,
    /// The command with which a machine joins, when the fleet is closed.
    pub(super) join: String,
    pub(super) daemon: PathBuf,
    pub(super) tracker: PathBuf,
    pub(super) upgrade: PathBuf,
}

impl Fleet {
    pub(super) fn tracker(&self) -> &Machine {
        &self.machines[0]
    }

    /// The machine that publishes the first file; in the small fleet it is the tracker's.
    pub(super) fn publisher(&self) -> &Machine {
        if self.machines.len() > 2 { &self.machines[1] } else { &self.machines[0] }
    }

    /// All machines that fetch.
    pub(super) fn servers(&self) -> &[Machine] {
        if self.machines.len() > 2 { &self.machines[2..] } else { &self.machines[1..] }
    }

    pub(super) fn last(&self) -> &Machine {
        &self.machines[self.machines.len() - 1]
    }
}
