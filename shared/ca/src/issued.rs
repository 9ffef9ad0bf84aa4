//! The list of certificates that were issued, one line each. Pure.
//!
//! The file is only appended to, and each line has a checksum of its own: a line that was torn by a crash was never
//! followed by the certificate's delivery, so it is dropped.

use crate::fingerprint::Fingerprint;
use crate::sealed::{checksum, digest, hex, unhex};
use shared::identity::{Group, Node, NodeName, Role};
use std::collections::BTreeSet;
use std::fmt;

/// The first line of the file.
pub(crate) const FIRST: &str = "tt-ca-issued 1\n";

/// How long a certificate stays in the list after its end, in seconds: 90 days. Nothing is decided about older ones, so
/// no grace for renewals may be longer.
pub const KEPT_S: u64 = 90 * 24 * 3600;

/// The digits of each line's checksum.
const SUM: usize = 8;

/// How somebody came to a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// A person issued it with `ttctl ca`.
    Issued,
    /// A machine joined with a token.
    Joined,
    /// A machine renewed the one that it had.
    Renewed,
}

impl How {
    /// The word in the list.
    pub fn as_str(self) -> &'static str {
        match self {
            How::Issued => "issued",
            How::Joined => "joined",
            How::Renewed => "renewed",
        }
    }
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Its serial number.
    pub serial: Vec<u8>,
    /// Whose it is.
    pub node: Node,
    /// The SHA-256 of its public key (the DER of the `SubjectPublicKeyInfo`).
    pub key: [u8; 32],
    /// The last second of its life, since 1970.
    pub not_after: u64,
    /// How the node came to it.
    pub how: How,
    /// The authorities that the node was told to trust with it. The first one signed it.
    pub authorities: Vec<Fingerprint>,
}

impl fmt::Display for Issued {
    /// Its line, without the line feed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roles: Vec<&str> = self.node.roles.iter().map(|role| role.as_str()).collect();
        let said = format!(
            "{} {} {} {} {} {} {} {}",
            hex(&self.serial),
            self.node.name,
            roles.join(","),
            groups_text(&self.node.groups),
            hex(&self.key),
            self.not_after,
            self.how.as_str(),
            prints_text(&self.authorities)
        );
        write!(f, "{said} {}", &checksum(&said)[..SUM])
    }
}

/// Groups with commas between them; `-` if there are none.
pub(crate) fn groups_text(groups: &BTreeSet<Group>) -> String {
    let names: Vec<&str> = groups.iter().map(Group::as_str).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(",") }
}

/// What [`groups_text`] wrote.
pub(crate) fn groups_of(text: &str) -> Option<BTreeSet<Group>> {
    if text == "-" {
        return Some(BTreeSet::new());
    }
    text.split(',').map(|group| group.parse().ok()).collect()
}

fn prints_text(prints: &[Fingerprint]) -> String {
    prints.iter().map(Fingerprint::to_string).collect::<Vec<_>>().join(",")
}

fn line_of(line: &str) -> Option<Issued> {
    let (said, sum) = line.rsplit_once(' ')?;
    if sum != &checksum(said)[..SUM] {
        return None;
    }
    let fields: Vec<&str> = said.split(' ').collect();
    let [serial, name, roles, groups, key, not_after, how, authorities] = fields[..] else { return None };
    let roles = roles.split(',').map(|role| role.parse::<Role>().ok()).collect::<Option<_>>()?;
    Some(Issued {
        serial: unhex(serial)?,
        node: Node { name: name.parse().ok()?, roles, groups: groups_of(groups)? },
        key: digest(key)?,
        not_after: not_after.parse().ok()?,
        how: [How::Issued, How::Joined, How::Renewed].into_iter().find(|known| known.as_str() == how)?,
        authorities: authorities.split(',').map(|print| print.parse().ok()).collect::<Option<_>>()?,
    })
}

/// The whole list, in the order in which the certificates were issued.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct List {
    /// The certificates.
    pub entries: Vec<Issued>,
    /// How many bytes of the file are whole. What follows is a torn line.
    pub whole_bytes: u64,
}

impl List {
    /// Reads a file.
    ///
    /// # Errors
    /// The number of a line that is damaged and is not the last one, beginning at 1. A torn last line is no error.
    pub fn of(file: &[u8]) -> Result<List, usize> {
        let Some(rest) = file.strip_prefix(FIRST.as_bytes()) else { return Err(1) };
        let mut list = List { entries: Vec::new(), whole_bytes: FIRST.len() as u64 };
        let lines: Vec<&[u8]> = rest.split_inclusive(|&byte| byte == b'\n').collect();
        for (at, line) in lines.iter().enumerate() {
            let whole =
                line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok()).and_then(line_of);
            match whole {
                Some(entry) => list.entries.push(entry),
                None if at + 1 == lines.len() => break,
                None => return Err(at + 2),
            }
            list.whole_bytes += line.len() as u64;
        }
        Ok(list)
    }

    /// The file for these entries.
    pub fn to_file<'a>(entries: impl Iterator<Item = &'a Issued>) -> String {
        let mut file = FIRST.to_owned();
        entries.for_each(|entry| file += &format!("{entry}\n"));
        file
    }

    /// The certificate with this serial number.
    pub fn by_serial(&self, serial: &[u8]) -> Option<&Issued> {
        self.entries.iter().find(|entry| entry.serial == serial)
    }

    /// A node's certificates in at least one of these roles, oldest first. ttd and tt-tracker on one machine have its name, and a
    /// key each.
    pub fn of_node(
        &self,
        name: &NodeName,
        roles: &BTreeSet<Role>,
    ) -> impl DoubleEndedIterator<Item = &Issued> {
        let is_of = move |entry: &&Issued| entry.node.name == *name && !entry.node.roles.is_disjoint(roles);
        self.entries.iter().filter(is_of)
    }

    /// Whether most of the file is about certificates that ended more than [`KEPT_S`] ago, so that it should be written
    /// without them.
    pub fn is_mostly_old(&self, now: u64) -> bool {
        let old = self.entries.iter().filter(|entry| !entry.is_kept(now)).count();
        old > 1000 && old > self.entries.len() / 2
    }
}

impl Issued {
    /// Whether something may still be decided about it.
    pub fn is_kept(&self, now: u64) -> bool {
        self.not_after.saturating_add(KEPT_S) >= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(name: &str, not_after: u64) -> Issued {
        let groups = ["b".parse().unwrap(), "a".parse().unwrap()].into();
        Issued {
            serial: vec![0x40, 1, 2],
            node: Node { name: name.parse().unwrap(), roles: [Role::Peer, Role::Tracker].into(), groups },
            key: [7; 32],
            not_after,
            how: How::Renewed,
            authorities: vec![Fingerprint([1, 2, 3, 4]), Fingerprint([5; 4])],
        }
    }

    fn file() -> String {
        List::to_file([entry("web-1", 5), entry("web-2.x", 6)].iter())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let list = List::of(file().as_bytes()).unwrap();
        assert_eq!(list.entries, [entry("web-1", 5), entry("web-2.x", 6)]);
        assert_eq!(list.whole_bytes, file().len() as u64);
        assert_eq!(List::of(FIRST.as_bytes()).unwrap().entries, []);
    }

    #[test]
    fn a_torn_last_line_is_dropped_wherever_it_is_torn() {
        let one = List::to_file([entry("web-1", 5)].iter());
        for end in one.len()..file().len() {
            let list = List::of(&file().as_bytes()[..end]).unwrap();
            assert_eq!((list.entries.len(), list.whole_bytes), (1, one.len() as u64), "cut at {end}");
        }
        let zeros = [one.as_bytes(), &[0; 300]].concat();
        assert_eq!(List::of(&zeros).unwrap().whole_bytes, one.len() as u64);
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_named() {
        assert_eq!(List::of(file().replace("web-1", "web-3").as_bytes()), Err(2));
        assert_eq!(List::of(b""), Err(1));
        assert_eq!(List::of(b"tt-ca-issued 2\n"), Err(1));
    }

    #[test]
    fn old_certificates_leave_when_they_are_most_of_the_file() {
        let mut list = List { entries: vec![entry("a", 1); 1001], whole_bytes: 0 };
        let now = KEPT_S + 2;
        assert!(list.is_mostly_old(now) && !list.is_mostly_old(now - 1));
        list.entries.extend(vec![entry("b", now); 1002]);
        assert!(!list.is_mostly_old(now));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_list_or_not(rest in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = List::of(&[FIRST.as_bytes(), &rest].concat());
            let _ = List::of(&rest);
        }
    }
}
