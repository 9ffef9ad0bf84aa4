//! The demo's fleet: a tracker and four machines.

use super::machine::{Machine, Scene, Tracker};
use crate::interrupt;

/// The names of the machines. The first one shares.
const NAMES: [&str; 4] = ["A", "B", "C", "D"];

/// The tracker and the machines. They end when this is dropped.
pub(crate) struct Fleet {
    pub(crate) machines: Vec<Machine>,
    _tracker: Tracker,
}

impl Fleet {
    pub(crate) fn start(scene: &Scene) -> Result<Fleet, String> {
        let tracker = scene.start_tracker()?;
        let machines = NAMES.map(|name| scene.start_machine(name, &tracker));
        let machines = machines.into_iter().collect::<Result<Vec<Machine>, String>>()?;
        println!("started a tracker ({}) and four daemons in {}", tracker.url(), scene.folder().display());
        Ok(Fleet { machines, _tracker: tracker })
    }

    /// Prints the logs of the machines if something failed, unless ^C is the reason.
    pub(crate) fn explain<T>(&self, result: Result<T, String>) -> Result<T, String> {
        if result.is_err() && interrupt::check().is_ok() {
            self.machines.iter().for_each(Machine::print_log);
        }
        result
    }
}
