//! Dates between machines whose clocks differ: the time elapsed since a date is what both agree on.

/// A date at most this many milliseconds ahead of a clock counts as now, since no two clocks agree exactly. A later
/// date is wrong and counts as unknown: otherwise it would make its publication the newest of its name until that date.
pub const AHEAD_MS_MAX: u64 = 1_000;

/// The times on two machines' clocks at the same moment, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// The time on this machine's clock.
    pub ours_ms: u64,
    /// The time on the other machine's clock.
    pub theirs_ms: u64,
}

impl Clocks {
    /// Converts a date of ours to their clock. The result is 0, unknown, if the date is 0 or in the future, which
    /// happens when a clock was set back.
    pub fn theirs(&self, date_ms: u64) -> u64 {
        moved(date_ms, self.ours_ms, self.theirs_ms)
    }

    /// Converts a date of theirs to our clock; 0, unknown, in the same cases.
    pub fn ours(&self, date_ms: u64) -> u64 {
        moved(date_ms, self.theirs_ms, self.ours_ms)
    }
}

fn moved(date_ms: u64, from_ms: u64, to_ms: u64) -> u64 {
    if date_ms == 0 || date_ms > from_ms.saturating_add(AHEAD_MS_MAX) {
        return 0;
    }
    to_ms.saturating_sub(from_ms.saturating_sub(date_ms)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_as_long_ago_on_both_sides() {
        for clocks in [
            Clocks { ours_ms: 1_000_000, theirs_ms: 1_000_000 },
            Clocks { ours_ms: 1_000_000, theirs_ms: 86_400_000 },
            Clocks { ours_ms: 86_400_000, theirs_ms: 1_000_000 },
        ] {
            assert_eq!(clocks.theirs(clocks.ours_ms), clocks.theirs_ms);
            assert_eq!(clocks.theirs(clocks.ours_ms - 5_000), clocks.theirs_ms - 5_000);
            assert_eq!(clocks.ours(clocks.theirs_ms - 5_000), clocks.ours_ms - 5_000);
            assert_eq!(clocks.theirs(0), 0, "not known");
            assert_eq!(clocks.theirs(clocks.ours_ms + 1000), clocks.theirs_ms, "about now");
            assert_eq!(clocks.theirs(clocks.ours_ms + 1001), 0, "in the future");
            assert_eq!(clocks.ours(u64::MAX), 0, "in the future");
        }
        let new = Clocks { ours_ms: 1_000_000, theirs_ms: 10 };
        assert_eq!(new.theirs(1), 1, "longer ago than their clock goes back, and yet known");
    }
}
