//! Which resources' files are examined next. A change of a file that nobody reads is noticed within two seconds per
//! thousand resources, so 100,000 take three minutes and no more processor time than 1,000 do.

use shared::id::SwarmKey;

/// Limits the resources whose files are examined every two seconds, so that the driver is not held up. The others
/// follow in the next slices.
pub const SLICE_MAX: usize = 1024;

/// The examination of all resources' files, one slice after the other.
#[derive(Debug, Default)]
pub struct Slices {
    /// Whether a slice is being examined.
    is_looking: bool,
    /// The number of the current slice. The answer of an earlier one is ignored.
    number: u64,
    /// The last resource whose files were examined; `None` at the beginning of a round.
    last: Option<SwarmKey>,
}

impl Slices {
    /// The resource after which the next slice begins; `None` if it begins with the first.
    pub fn last(&self) -> Option<SwarmKey> {
        self.last
    }

    /// Begins a slice and returns its number, unless one is running.
    pub fn begin(&mut self) -> Option<u64> {
        if std::mem::replace(&mut self.is_looking, true) {
            return None;
        }
        self.number += 1;
        Some(self.number)
    }

    /// Notes the slice that is being examined: `count` resources, of which `last` is the last. A shorter slice ends the
    /// round.
    pub fn took(&mut self, last: Option<SwarmKey>, count: usize) {
        self.last = last.filter(|_| count == SLICE_MAX);
    }

    /// Ends a slice. Returns whether its result counts, which it does not if the slice was given up.
    pub fn ended(&mut self, number: u64) -> bool {
        number == self.number && std::mem::take(&mut self.is_looking)
    }

    /// Gives up the running slice. Its result is ignored.
    pub fn give_up(&mut self) {
        self.is_looking = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, ResourceId};

    #[test]
    fn a_look_that_was_given_up_says_nothing() {
        let mut slices = Slices::default();
        let first = slices.begin().unwrap();
        assert_eq!(slices.begin(), None, "one at a time");
        slices.give_up();
        assert!(!slices.ended(first), "it was given up");
        let second = slices.begin().unwrap();
        assert!(!slices.ended(first), "that was another one");
        assert!(slices.ended(second));
        assert!(!slices.ended(second), "once");
    }

    #[test]
    fn after_the_last_slice_comes_the_first() {
        let key = SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([1; 32]) };
        let mut slices = Slices::default();
        slices.took(Some(key), SLICE_MAX);
        assert_eq!(slices.last(), Some(key));
        slices.took(Some(key), SLICE_MAX - 1);
        assert_eq!(slices.last(), None);
    }
}
