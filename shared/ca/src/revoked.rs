//! The certificates that no longer count. Pure.

use crate::issued::KEPT_S;
use crate::sealed::{hex, unhex};
use shared::identity::NodeName;

/// A certificate that was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number.
    pub serial: Vec<u8>,
    /// Whose it was.
    pub node: NodeName,
    /// When it was revoked, in seconds since 1970.
    pub at: u64,
    /// The last second of its life.
    pub not_after: u64,
}

/// All of them, and the number of the list that was signed last.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Revocations {
    /// The number of the signed list. It only grows: daemons refuse an older list.
    pub number: u64,
    /// The certificates, in the order in which they were revoked.
    pub entries: Vec<Revoked>,
}

impl Revocations {
    /// Whether a certificate was revoked.
    pub fn contains(&self, serial: &[u8]) -> bool {
        self.entries.iter().any(|entry| entry.serial == serial)
    }

    /// Takes the next number for a list, and lets certificates go that could not be renewed any more.
    ///
    /// The number is the time where that is more than one further: a directory that was restored from a backup must not
    /// give its next list a number that daemons have seen.
    pub fn turn(&mut self, now: u64) {
        self.number = self.number.saturating_add(1).max(now);
        self.entries.retain(|entry| entry.not_after.saturating_add(KEPT_S) >= now);
    }

    /// The lines of the file.
    pub(crate) fn to_lines(&self) -> String {
        let mut lines = format!("number {}\n", self.number);
        for Revoked { serial, node, at, not_after } in &self.entries {
            lines += &format!("{} {node} {at} {not_after}\n", hex(serial));
        }
        lines
    }

    /// Reads the lines of a file; `None` if one of them makes no sense.
    pub(crate) fn of_lines(lines: &str) -> Option<Revocations> {
        let mut lines = lines.lines();
        let number = lines.next()?.strip_prefix("number ")?.parse().ok()?;
        let entry = |line: &str| {
            let fields: Vec<&str> = line.split(' ').collect();
            let [serial, node, at, not_after] = fields[..] else { return None };
            Some(Revoked {
                serial: unhex(serial)?,
                node: node.parse().ok()?,
                at: at.parse().ok()?,
                not_after: not_after.parse().ok()?,
            })
        };
        Some(Revocations { number, entries: lines.map(entry).collect::<Option<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let entry = Revoked { serial: vec![0x41, 2], node: "web-1".parse().unwrap(), at: 7, not_after: 9 };
        let some = Revocations { number: 12, entries: vec![entry.clone(), entry] };
        assert_eq!(Revocations::of_lines(&some.to_lines()), Some(some));
        assert_eq!(Revocations::of_lines("number 0\n"), Some(Revocations::default()));
        for bad in ["", "number\n", "number 1\nx\n", "number 1\n41 WEB! 1 1\n"] {
            assert_eq!(Revocations::of_lines(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_only_grow_whatever_the_clock_does() {
        let mut list = Revocations::default();
        let numbers = [1000, 1000, 10, 5000, 4000].map(|now| {
            list.turn(now);
            list.number
        });
        assert_eq!(numbers, [1000, 1001, 1002, 5000, 5001]);
    }

    #[test]
    fn a_certificate_stays_until_nobody_could_renew_it() {
        let entry = Revoked { serial: vec![1], node: "a".parse().unwrap(), at: 7, not_after: 9 };
        let mut list = Revocations { number: 0, entries: vec![entry] };
        list.turn(9 + KEPT_S);
        assert!(list.contains(&[1]));
        list.turn(10 + KEPT_S);
        assert!(!list.contains(&[1]));
    }
}
