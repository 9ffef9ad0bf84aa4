//! When something was shared, told between machines whose clocks do not agree: what counts is how long ago that was.

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
    match from_ms.checked_sub(date_ms) {
        Some(ago_ms) if date_ms > 0 => to_ms.saturating_sub(ago_ms).max(1),
        _ => 0,
    }
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
            assert_eq!(clocks.theirs(clocks.ours_ms + 1), 0, "still to come");
            assert_eq!(clocks.ours(u64::MAX), 0, "still to come");
        }
        let new = Clocks { ours_ms: 1_000_000, theirs_ms: 10 };
        assert_eq!(new.theirs(1), 1, "longer ago than their clock goes back, and yet known");
    }
}
