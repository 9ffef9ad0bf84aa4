//! What a hook writes, as lines for the journal: 64 KiB of a run at most, and the rest is counted. Pure.

/// Limits the bytes of a run that are logged. The rest is only counted.
pub const LOGGED_BYTES_MAX: usize = 64 << 10;

/// Limits the lines of a run that are logged, because each costs the journal more than its bytes.
const LINES_MAX: usize = 1_000;

/// Limits a line in bytes. A longer one goes on in the next line of the journal.
const LINE_BYTES_MAX: usize = 2_048;

/// The output of a run so far.
#[derive(Debug, Default)]
pub struct Output {
    /// A line that has not ended.
    line: Vec<u8>,
    lines: usize,
    logged_bytes: usize,
    bytes: u64,
}

impl Output {
    /// Takes what the hook wrote, and returns the lines that are complete and to be logged.
    pub fn take(&mut self, written: &[u8]) -> Vec<String> {
        self.bytes = self.bytes.saturating_add(written.len() as u64);
        let mut lines = Vec::new();
        let mut rest = written;
        while !rest.is_empty() && !self.is_full() {
            let room = (LINE_BYTES_MAX - self.line.len()).min(LOGGED_BYTES_MAX - self.logged_bytes);
            let part = &rest[..rest.len().min(room)];
            let end = part.iter().position(|byte| *byte == b'\n');
            self.line.extend_from_slice(&part[..end.unwrap_or(part.len())]);
            let taken = end.map_or(part.len(), |end| end + 1);
            self.logged_bytes += taken;
            rest = &rest[taken..];
            if end.is_some() || self.line.len() == LINE_BYTES_MAX || self.is_full() {
                lines.extend(self.end_line());
            }
        }
        lines
    }

    /// The last line, if it had no end.
    pub fn finish(&mut self) -> Option<String> {
        self.end_line().filter(|line| !line.is_empty())
    }

    /// How many bytes the hook wrote.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many of them were not logged.
    pub fn left_out(&self) -> u64 {
        self.bytes - self.logged_bytes as u64
    }

    fn is_full(&self) -> bool {
        self.logged_bytes >= LOGGED_BYTES_MAX || self.lines >= LINES_MAX
    }

    /// Bytes that are no UTF-8 are replaced, and empty lines are left out.
    fn end_line(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
        if line.is_empty() {
            return None;
        }
        self.lines += 1;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_put_together_whatever_the_pieces() {
        let mut output = Output::default();
        assert_eq!(output.take(b"one\ntw"), ["one"]);
        assert_eq!(output.take(b"o\r\n\n\nthree"), ["two"]);
        assert_eq!(output.finish().as_deref(), Some("three"));
        assert_eq!((output.finish(), output.left_out()), (None, 0));
        assert_eq!(output.take(b"\xff\xfe\x00\n"), ["\u{fffd}\u{fffd}\0"]);
    }

    #[test]
    fn a_flood_is_counted_and_not_logged() {
        let mut output = Output::default();
        let block = vec![b'x'; 1 << 20];
        let logged: usize = (0..1024).flat_map(|_| output.take(&block)).map(|line| line.len()).sum();
        assert_eq!(logged, LOGGED_BYTES_MAX);
        assert_eq!(output.bytes(), 1 << 30);
        assert_eq!(output.left_out(), (1 << 30) - LOGGED_BYTES_MAX as u64);
        let mut output = Output::default();
        assert_eq!(output.take(&b"x\n".repeat(50_000)).len(), LINES_MAX);
    }

    proptest! {
        #[test]
        fn whatever_is_written_stays_within_the_limits(
            runs in proptest::collection::vec((prop_oneof![Just(b'\n'), any::<u8>()], 0usize..9_000), 0..30),
        ) {
            let mut output = Output::default();
            let mut lines: Vec<String> = Vec::new();
            for (byte, count) in &runs {
                lines.extend(output.take(&vec![*byte; *count]));
            }
            lines.extend(output.finish());
            let written: usize = runs.iter().map(|(_, count)| count).sum();
            prop_assert_eq!(output.bytes(), written as u64);
            prop_assert!(output.left_out() <= output.bytes());
            prop_assert!(lines.len() <= LINES_MAX + 1);
            // a byte that is no UTF-8 becomes three
            prop_assert!(lines.iter().all(|line| line.len() <= 3 * LINE_BYTES_MAX && !line.contains('\n')));
            prop_assert!(lines.iter().map(String::len).sum::<usize>() <= 3 * LOGGED_BYTES_MAX);
        }
    }
}
