//! Which versions a rule keeps: `keep` newest ones of each name, and no more than `quota` bytes together. Pure.
//!
//! Three kinds of versions are never taken away: the current one of a name, what a person wants, and what is being fetched. All others
//! are former versions; the oldest go first.
//!
//! Nothing uses this yet. What connects it:
//! - Today a former version does not outlive its replacement: `driver/publish` exchanges the files, and the former one goes to the
//!   trash. To keep it, it is renamed into the slot of its swarm (`.tinytorrent/resources/…`) instead, with its record in a phase of its
//!   own that serves it and has no name in view. A directory takes the same way as `store/trash`, before it is deleted.
//! - The order of arrival of each version is in the rule's record, since the dates of publications are other machines' clocks.
//! - `plan` is asked before a version is fetched (`offered`), and again without one after each publication, after each change of the rule,
//!   and after a person stops wanting something. Its `remove` goes to the driver as removals; `ttctl prune --dry-run` shows it.
//! - A version that does not fit waits with the reason `quota`, and `Fits` says whether that can end by itself.

use shared::name::ResourceName;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// What a rule keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How many of the newest versions of each name, the current one included; `None`: all.
    pub keep: Option<NonZeroU32>,
    /// How many bytes all versions may have together that came by this rule; `None`: any number.
    pub quota_bytes: Option<u64>,
}

/// Why a version stays, whatever the rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Nothing holds it: it is a former version.
    Former,
    /// It is what the name means now.
    Current,
    /// A person wants it.
    Wanted,
    /// It is being fetched. It takes up its whole size, and is no version that is here yet.
    Fetching,
}

/// One version that came by the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub name: ResourceName,
    /// Its size.
    pub bytes: u64,
    /// Which arrived before which: a larger number is newer.
    pub arrival: u64,
    /// Whether something holds it.
    pub hold: Hold,
}

/// A version that is to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered<'a> {
    /// Its name.
    pub name: &'a ResourceName,
    /// Its size.
    pub bytes: u64,
}

/// Whether a version that is offered fits into the quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fits {
    /// It does, once what the plan removes is gone.
    Yes,
    /// Not now, by this many bytes: something that is fetched or wanted takes up the room.
    NotNow {
        /// The bytes that are missing.
        missing_bytes: u64,
    },
    /// It never does: with the version that it replaces, which stays until it is there, it is larger than the quota.
    Never,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The versions to remove, as positions in the list that was given, in the order in which they go.
    pub remove: Vec<usize>,
    /// Whether the version that is offered fits; `Yes` if there is none.
    pub fits: Fits,
}

impl Retention {
    /// Decides what goes. For a version that does not fit anyway, nothing is removed.
    pub fn plan(&self, versions: &[Kept], offered: Option<Offered<'_>>) -> Plan {
        let mut remove = self.beyond_keep(versions);
        let mut former: Vec<usize> = (0..versions.len())
            .filter(|index| versions[*index].hold == Hold::Former && !remove.contains(index))
            .collect();
        former.sort_by_key(|index| (versions[*index].arrival, *index));
        let Some(quota) = self.quota_bytes else { return Plan { remove, fits: Fits::Yes } };
        let mut used: u128 = versions.iter().map(|version| u128::from(version.bytes)).sum();
        used -= remove.iter().map(|index| u128::from(versions[*index].bytes)).sum::<u128>();
        let mut former = former.into_iter();
        // What is here already must fit, also after the quota was made smaller.
        while used > u128::from(quota)
            && let Some(index) = former.next()
        {
            used -= u128::from(versions[index].bytes);
            remove.push(index);
        }
        let Some(offered) = offered else { return Plan { remove, fits: Fits::Yes } };
        let needed = used + u128::from(offered.bytes);
        let room: u128 = former.clone().map(|index| u128::from(versions[index].bytes)).sum();
        let Some(missing) = (needed - room).checked_sub(u128::from(quota)).filter(|missing| *missing > 0)
        else {
            let mut used = needed;
            while used > u128::from(quota)
                && let Some(index) = former.next()
            {
                used -= u128::from(versions[index].bytes);
                remove.push(index);
            }
            return Plan { remove, fits: Fits::Yes };
        };
        let replaced =
            versions.iter().filter(|version| version.hold == Hold::Current && version.name == *offered.name);
        let least =
            replaced.map(|version| u128::from(version.bytes)).sum::<u128>() + u128::from(offered.bytes);
        let fits = match least > u128::from(quota) {
            true => Fits::Never,
            false => Fits::NotNow { missing_bytes: u64::try_from(missing).unwrap_or(u64::MAX) },
        };
        Plan { remove, fits }
    }

    /// The former versions beyond `keep` of each name, the oldest first.
    fn beyond_keep(&self, versions: &[Kept]) -> Vec<usize> {
        let Some(keep) = self.keep else { return Vec::new() };
        let mut names: BTreeMap<&ResourceName, Vec<usize>> = BTreeMap::new();
        for (index, version) in
            versions.iter().enumerate().filter(|(_, version)| version.hold != Hold::Fetching)
        {
            names.entry(&version.name).or_default().push(index);
        }
        let mut beyond = Vec::new();
        for mut of in names.into_values() {
            // The current one counts first: after a rollback it is not the newest.
            of.sort_by_key(|index| {
                let version = &versions[*index];
                (version.hold != Hold::Current, std::cmp::Reverse((version.arrival, *index)))
            });
            let rest = of.into_iter().skip(keep.get() as usize);
            beyond.extend(rest.filter(|index| versions[*index].hold == Hold::Former));
        }
        beyond.sort_by_key(|index| (versions[*index].arrival, *index));
        beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(name: &str, bytes: u64, arrival: u64, hold: Hold) -> Kept {
        Kept { name: name.parse().unwrap(), bytes, arrival, hold }
    }

    fn rule(keep: u32, quota_bytes: impl Into<Option<u64>>) -> Retention {
        Retention { keep: NonZeroU32::new(keep), quota_bytes: quota_bytes.into() }
    }

    #[test]
    fn the_newest_of_each_name_stay_and_the_current_one_counts() {
        let versions = [
            kept("a", 1, 1, Hold::Former),
            kept("a", 1, 2, Hold::Former),
            kept("b", 1, 3, Hold::Current),
            kept("a", 1, 4, Hold::Current),
            kept("a", 1, 5, Hold::Fetching),
        ];
        let removed = |keep| rule(keep, None).plan(&versions, None).remove;
        assert!(removed(0).is_empty(), "all");
        assert_eq!(removed(1), [0, 1]);
        assert_eq!(removed(2), [0]);
        assert!(removed(3).is_empty());
        // After a rollback the current one is older than a former one.
        let versions =
            [kept("a", 1, 1, Hold::Former), kept("a", 1, 2, Hold::Current), kept("a", 1, 3, Hold::Former)];
        assert_eq!(rule(2, None).plan(&versions, None).remove, [0]);
        assert_eq!(rule(1, None).plan(&versions, None).remove, [0, 2]);
        let wanted = [kept("a", 1, 1, Hold::Wanted), kept("a", 1, 2, Hold::Current)];
        assert!(rule(1, None).plan(&wanted, None).remove.is_empty(), "a person wants it");
    }

    #[test]
    fn the_oldest_make_room_and_no_more_than_is_needed() {
        let versions = [
            kept("b", 30, 3, Hold::Former),
            kept("a", 30, 1, Hold::Former),
            kept("a", 30, 2, Hold::Current),
            kept("b", 30, 4, Hold::Current),
        ];
        let (a, c) = ("a".parse().unwrap(), "c".parse().unwrap());
        let plan = |quota, name, bytes| rule(0, quota).plan(&versions, Some(Offered { name, bytes }));
        assert_eq!(plan(150, &a, 30), Plan { remove: vec![], fits: Fits::Yes });
        assert_eq!(plan(149, &a, 30), Plan { remove: vec![1], fits: Fits::Yes });
        assert_eq!(plan(120, &a, 60), Plan { remove: vec![1, 0], fits: Fits::Yes });
        // Not removed for something that does not fit.
        let not_now = |missing_bytes| Fits::NotNow { missing_bytes };
        assert_eq!(plan(120, &a, 61), Plan { remove: vec![], fits: not_now(1) });
        assert_eq!(
            plan(120, &a, 91),
            Plan { remove: vec![], fits: Fits::Never },
            "with the one that it replaces"
        );
        assert_eq!(plan(120, &c, 91), Plan { remove: vec![], fits: not_now(31) }, "it replaces nothing");
        assert_eq!(plan(120, &c, 121), Plan { remove: vec![], fits: Fits::Never });
        // A quota that was made smaller.
        assert_eq!(rule(0, 100).plan(&versions, None).remove, [1]);
        assert_eq!(rule(0, 10).plan(&versions, None).remove, [1, 0], "the current ones stay");
        let huge = [kept("a", u64::MAX, 1, Hold::Current), kept("a", u64::MAX, 2, Hold::Fetching)];
        let offered = Some(Offered { name: &a, bytes: u64::MAX });
        assert_eq!(rule(1, u64::MAX).plan(&huge, offered).fits, Fits::Never);
    }

    fn any_versions() -> impl Strategy<Value = Vec<Kept>> {
        let hold = proptest::sample::select(vec![
            Hold::Former,
            Hold::Former,
            Hold::Former,
            Hold::Wanted,
            Hold::Fetching,
        ]);
        proptest::collection::vec((0u8..3, 0u64..50, 0u64..20, hold), 0..16).prop_map(|all| {
            let mut versions: Vec<Kept> = all
                .into_iter()
                .map(|(name, bytes, arrival, hold)| kept(&format!("n{name}"), bytes, arrival, hold))
                .collect();
            // A name has one current version at most.
            for name in ["n0", "n1"] {
                let first = versions.iter_mut().find(|version| version.name.as_str() == name);
                first.into_iter().for_each(|version| version.hold = Hold::Current);
            }
            versions
        })
    }

    proptest! {
        #[test]
        fn the_promises_hold_whatever_there_is(
            versions in any_versions(),
            keep in 0u32..5,
            quota in proptest::option::of(0u64..400),
            offered in proptest::option::of((0u8..4, 0u64..200)),
        ) {
            let rule = rule(keep, quota);
            let name = offered.map(|(name, _)| format!("n{name}").parse::<ResourceName>().unwrap());
            let offered = offered.zip(name.as_ref()).map(|((_, bytes), name)| Offered { name, bytes });
            let Plan { remove, fits } = rule.plan(&versions, offered);
            let is_left = |index: &usize| !remove.contains(index);
            let left: Vec<Kept> = (0..versions.len()).filter(is_left).map(|index| versions[index].clone()).collect();
            let bytes = |all: &[Kept]| all.iter().map(|version| version.bytes).sum::<u64>();

            // Nothing that is held goes, and nothing twice.
            prop_assert!(remove.iter().all(|index| versions[*index].hold == Hold::Former));
            prop_assert_eq!(left.len() + remove.len(), versions.len());

            // No more former versions of a name stay than `keep` says, and the newest of them.
            if let Some(keep) = rule.keep {
                for of in ["n0", "n1", "n2"] {
                    let here = left.iter().filter(|version| version.name.as_str() == of && version.hold != Hold::Fetching);
                    let (former, held): (Vec<&Kept>, Vec<&Kept>) = here.partition(|version| version.hold == Hold::Former);
                    prop_assert!(former.is_empty() || former.len() + usize::from(held.iter().any(|version| version.hold == Hold::Current)) <= keep.get() as usize);
                }
            }
            for of in ["n0", "n1", "n2"] {
                let newest_gone = remove.iter().map(|index| &versions[*index]).filter(|version| version.name.as_str() == of).map(|version| version.arrival).max();
                let oldest_left = left.iter().filter(|version| version.name.as_str() == of && version.hold == Hold::Former).map(|version| version.arrival).min();
                prop_assert!(newest_gone.zip(oldest_left).is_none_or(|(gone, left)| gone <= left), "the oldest go first");
            }

            // The quota holds for all that is not held, and a version that fits leaves it whole.
            if let Some(quota) = quota {
                let is_held = left.iter().all(|version| version.hold != Hold::Former);
                prop_assert!(bytes(&left) <= quota || is_held);
                if let (Fits::Yes, Some(offered)) = (fits, offered) {
                    prop_assert!(bytes(&left) + offered.bytes <= quota);
                }
                if let (Fits::NotNow { missing_bytes }, Some(offered)) = (fits, offered) {
                    let held: u64 = versions.iter().filter(|version| version.hold != Hold::Former).map(|version| version.bytes).sum();
                    prop_assert_eq!(held + offered.bytes, quota + missing_bytes);
                }
            } else {
                prop_assert_eq!(fits, Fits::Yes);
            }

            // For a version that does not fit, nothing goes that would stay otherwise; and the plan is all there is to do.
            let alone = rule.plan(&versions, None).remove;
            if fits != Fits::Yes {
                prop_assert_eq!(&remove, &alone);
            }
            prop_assert_eq!(rule.plan(&left, None).remove, Vec::<usize>::new());
            // No more goes than is needed: without the last one it would not fit.
            if let (Some(last), true, Some(quota), Some(offered)) = (remove.last(), remove.len() > alone.len(), quota, offered) {
                prop_assert!(bytes(&left) + versions[*last].bytes + offered.bytes > quota);
            }
        }
    }
}
