//! How far a new authority has come in the place of another, and which machines have not followed. Pure.
//!
//! Both authorities are trusted until the end, so at no moment two machines of the fleet cannot talk: first every machine
//! hears of the new one, then every machine gets a certificate of it, then the old one is dropped. What each machine was
//! told is in the list of certificates, because a machine hears of authorities when it gets a certificate.

use crate::fingerprint::Fingerprint;
use crate::issued::{How, Issued, List};
use crate::revoked::Revocations;
use shared::identity::NodeName;
use std::collections::BTreeMap;

/// How far a new authority has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Machines hear of it when they renew; the old one still issues.
    Announced,
    /// It issues, and machines get certificates of it.
    Issuing,
}

/// A new authority on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// How far it has come.
    pub step: Step,
    /// The one that is being replaced.
    pub leaving: Fingerprint,
    /// The new one.
    pub coming: Fingerprint,
    /// The last second of the life of the one that is being replaced, since 1970.
    pub leaving_until: i64,
    /// The machines that the next step would cut off, by name.
    pub behind: Vec<Behind>,
}

/// A machine that has not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Its name.
    pub node: NodeName,
    /// How it came to its certificate. One that was issued by hand has to be issued again by hand.
    pub how: How,
    /// The last second of its certificate, since 1970.
    pub not_after: u64,
}

/// The machines whose newest certificate counts, and with which they were not told what the next step needs. `except` is the
/// serial number of the tracker's own certificate, which is exchanged at the end.
pub(crate) fn behind(
    list: &List,
    revocations: &Revocations,
    now: u64,
    (step, coming): (Step, Fingerprint),
    except: Option<&[u8]>,
) -> Vec<Behind> {
    let newest: BTreeMap<&NodeName, &Issued> =
        list.entries.iter().map(|entry| (&entry.node.name, entry)).collect();
    let counts = |entry: &Issued| {
        entry.not_after >= now
            && !revocations.contains(&entry.serial)
            && except.is_none_or(|serial| serial != entry.serial)
    };
    let has_followed = |entry: &Issued| match step {
        Step::Announced => entry.authorities.contains(&coming),
        Step::Issuing => entry.authorities.first() == Some(&coming),
    };
    let stays = newest.into_values().filter(|entry| counts(entry) && !has_followed(entry));
    let behind =
        |entry: &Issued| Behind { node: entry.node.name.clone(), how: entry.how, not_after: entry.not_after };
    stays.map(behind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revoked::Revoked;
    use shared::identity::{Node, Role};

    const OLD: Fingerprint = Fingerprint([1; 4]);
    const NEW: Fingerprint = Fingerprint([2; 4]);

    fn entry(serial: u8, name: &str, not_after: u64, authorities: &[Fingerprint]) -> Issued {
        Issued {
            serial: vec![serial],
            node: Node { name: name.parse().unwrap(), roles: [Role::Peer].into(), groups: [].into() },
            key: [0; 32],
            not_after,
            how: How::Renewed,
            authorities: authorities.to_vec(),
        }
    }

    #[test]
    fn the_newest_certificate_says_how_far_a_machine_is() {
        let entries = vec![
            entry(1, "a", 100, &[OLD]),
            entry(2, "b", 100, &[OLD]),
            entry(3, "off", 9, &[OLD]),
            entry(4, "lost", 100, &[OLD]),
            entry(5, "hub", 100, &[OLD]),
            entry(6, "b", 100, &[OLD, NEW]),
            entry(7, "c", 100, &[NEW, OLD]),
        ];
        let list = List { entries, whole_bytes: 0 };
        let lost = Revoked { serial: vec![4], node: "lost".parse().unwrap(), at: 1, not_after: 100 };
        let revocations = Revocations { number: 1, entries: vec![lost] };
        let names = |step, now| -> Vec<String> {
            let all = behind(&list, &revocations, now, (step, NEW), Some(&[5]));
            all.iter().map(|one| one.node.to_string()).collect()
        };
        assert_eq!(names(Step::Announced, 9), ["a", "off"]);
        assert_eq!(names(Step::Announced, 10), ["a"]);
        assert_eq!(names(Step::Issuing, 10), ["a", "b"]);
        assert_eq!(names(Step::Issuing, 101), [""; 0]);
    }
}
