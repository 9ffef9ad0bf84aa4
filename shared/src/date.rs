//! When something was shared, told between machines whose clocks do not agree: what counts is how long ago that was.

/// How far ahead of a clock a date may be that counts as now, in milliseconds: no two clocks agree to the millisecond.
/// What is further ahead is wrong: it would be the newest of its name until then, and again after each restart.
pub const AHEAD_MS_MAX: u64 = 1_000;

/// What two machines' clocks show at the same moment, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// This machine's.
    pub ours_ms: u64,
    /// The other machine's.
    pub theirs_ms: u64,
}

impl Clocks {
    /// A date of ours by their clock. It is 0, not known, when it is not known here, or still to come: then a clock was
    /// put back since.
    pub fn theirs(&self, date_ms: u64) -> u64 {
        moved(date_ms, self.ours_ms, self.theirs_ms)
    }

    /// A date of theirs by our clock, or 0, not known.
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
            assert_eq!(clocks.theirs(clocks.ours_ms + 1001), 0, "still to come");
            assert_eq!(clocks.ours(u64::MAX), 0, "still to come");
        }
        let new = Clocks { ours_ms: 1_000_000, theirs_ms: 10 };
        assert_eq!(new.theirs(1), 1, "longer ago than their clock goes back, and yet known");
    }
}
