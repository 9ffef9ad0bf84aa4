//! The queue of finished files without a record that must still be examined.

use shared::name::ResourceName;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The names that must still be examined.
#[derive(Debug, Default)]
pub struct Strays {
    pub left: VecDeque<ResourceName>,
    comparing: Option<Comparing>,
}

/// The stray that is being compared.
#[derive(Debug)]
struct Comparing {
    name: ResourceName,
    /// Tells its thread to end.
    stop: Arc<AtomicBool>,
}

impl Strays {
    /// Takes the next name, unless one is being compared. `may_be` says which names may be compared now; the others stay.
    pub fn next(&mut self, may_be: impl Fn(&ResourceName) -> bool) -> Option<ResourceName> {
        if self.comparing.is_some() {
            return None;
        }
        let next = self.left.iter().position(may_be)?;
        self.left.remove(next)
    }

    /// Notes that a name is being compared. The returned flag tells the comparison to end.
    pub fn begin(&mut self, name: ResourceName) -> Arc<AtomicBool> {
        let stop = Arc::<AtomicBool>::default();
        self.comparing = Some(Comparing { name, stop: stop.clone() });
        stop
    }

    /// Whether a name is being compared.
    pub fn compares(&self, name: &ResourceName) -> bool {
        self.comparing.as_ref().is_some_and(|comparing| comparing.name == *name)
    }

    /// Tells the comparison to end.
    pub fn stop(&self) {
        if let Some(comparing) = &self.comparing {
            comparing.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Notes that the comparison has ended. Returns whether it was told to.
    pub fn end(&mut self) -> bool {
        self.comparing.take().is_some_and(|comparing| comparing.stop.load(Ordering::Relaxed))
    }
}
