//! Which resources' files are looked at next. A change of a file that nobody reads is noticed within two seconds for each
//! thousand resources, so that 100,000 take three minutes and no more of a processor than 1,000 do.

use shared::id::SwarmKey;

/// The files of this many resources are looked at every two seconds.
pub const SLICE_MAX: usize = 1024;

/// The looks at the files of all resources, one slice after the other.
#[derive(Debug, Default)]
pub struct Slices {
    /// A slice is being looked at.
    is_looking: bool,
    /// The number of the last look: the answer of an earlier one is ignored.
    number: u64,
    /// The last resource whose files were looked at; none at the beginning and at the end of all of them.
    last: Option<SwarmKey>,
}

impl Slices {
    /// The resource after which the next slice begins; without one, it begins with the first.
    pub fn last(&self) -> Option<SwarmKey> {
        self.last
    }

    /// The number of a look that begins, unless one goes on.
    pub fn begin(&mut self) -> Option<u64> {
        if std::mem::replace(&mut self.is_looking, true) {
            return None;
        }
        self.number += 1;
        Some(self.number)
    }

    /// The slice that is being looked at: `count` resources of which this is the last. After the last of all the next slice
    /// begins with the first.
    pub fn took(&mut self, last: Option<SwarmKey>, count: usize) {
        self.last = last.filter(|_| count == SLICE_MAX);
    }

    /// A look came to its end. Whether it says anything: not if it was given up.
    pub fn ended(&mut self, number: u64) -> bool {
        number == self.number && std::mem::take(&mut self.is_looking)
    }

    /// The look that goes on is given up: its answer says nothing.
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
