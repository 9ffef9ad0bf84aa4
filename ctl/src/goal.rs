//! How far a rollout is, for `ttctl wait --peers` and `--percent`: whether enough machines have all of a file, and the
//! line that says so.

use crate::human;
use shared::rpc::tracker::{Fleet, FleetMachine};

/// The time in milliseconds after which a restarted tracker knows all machines. They connect again within 15 s, and
/// announce again within 72 s.
const KNOWS_ALL_MS: u64 = 90_000;

/// Limits the outdated machines that one line names; the others are counted. Three fit on a line.
const NAMED_MAX: usize = 3;

/// The condition that ends the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// This number of machines has all of it.
    Machines(u32),
    /// This percentage of the machines has all of it. Machines that finished and left are not counted; outdated ones
    /// are.
    Percent(u8),
}

impl Goal {
    /// Whether it is reached. `most` is the largest number of machines that was counted and believed during this wait:
    /// a percentage of fewer says nothing while a restarted tracker may not know all of them.
    pub(crate) fn is_met(self, fleet: &Fleet, most: Option<u64>) -> bool {
        let (done, all) = (u64::from(fleet.seeders), all(fleet));
        match self {
            Goal::Machines(wanted) => fleet.seeders >= wanted,
            Goal::Percent(percent) => {
                knows_all(fleet, most) && all > 0 && done * 100 >= all * u64::from(percent)
            }
        }
    }
}

/// The number of machines that count: those that take part, those that left before they were done, and those that still
/// have a former version.
pub(crate) fn all(fleet: &Fleet) -> u64 {
    let Fleet { seeders, leechers, gone_unfinished, outdated, .. } = *fleet;
    [seeders, leechers, gone_unfinished, outdated].into_iter().map(u64::from).sum()
}

/// Whether the tracker may be expected to know all machines, if `most` were counted and believed before. A tracker that was
/// started after the file was shared was restarted, so its first count is not believed; nor is it if the tracker does not
/// know the date, because whoever shared the file may not have published it again yet.
pub(crate) fn knows_all(fleet: &Fleet, most: Option<u64>) -> bool {
    let was_restarted = fleet.shared_ago_ms.is_none_or(|shared_ago_ms| shared_ago_ms > fleet.up_ms);
    fleet.up_ms >= KNOWS_ALL_MS || most.map_or(!was_restarted, |most| all(fleet) >= most)
}

/// The message after the timeout: "big.img is on 4 of the 9 machines after 2 s".
pub(crate) fn missed(what: &str, goal: Goal, fleet: &Fleet, most: Option<u64>, span: &str) -> String {
    match goal {
        Goal::Machines(wanted) => {
            let outdated = outdated(fleet).map_or(String::new(), |outdated| format!("; {outdated}"));
            let machines = if wanted == 1 { "machine" } else { "machines" };
            format!("{what} is on {} of the {wanted} {machines} after {span}{outdated}", fleet.seeders)
        }
        Goal::Percent(_) => format!("after {span}, {what} is {}", text_so_far(fleet, most)),
    }
}

/// "outdated: pc-17 (10.0.0.17:7987)", "outdated: pc-17 (10.0.0.17:7987), 10.0.0.18:7987 and 30 more"
fn outdated(fleet: &Fleet) -> Option<String> {
    if fleet.outdated == 0 {
        return None;
    }
    let name = |machine: &FleetMachine| match human::machine(machine.node.as_ref(), &machine.host) {
        None => machine.addr.to_string(),
        Some(name) => format!("{} ({})", human::clean(&name), machine.addr),
    };
    let named: Vec<String> = fleet.some_outdated.iter().take(NAMED_MAX).map(name).collect();
    let rest = (fleet.outdated as usize).saturating_sub(named.len());
    Some(match (named.is_empty(), rest) {
        (true, rest) => format!("{rest} outdated"),
        (false, 0) => format!("outdated: {}", named.join(", ")),
        (false, rest) => format!("outdated: {} and {rest} more", named.join(", ")),
    })
}

/// "done on 12 of 40 machines (30 %), 1 left unfinished; outdated: pc-17 (10.0.0.17:7987)"
pub(crate) fn text(fleet: &Fleet) -> String {
    let all = all(fleet);
    let percent = human::percent(fleet.seeders.into(), all.max(1));
    let mut text = format!("done on {} of {} ({percent})", fleet.seeders, human::count(all, "machine"));
    match fleet.gone_unfinished {
        0 => (),
        1 => text.push_str(", 1 left unfinished"),
        gone => text.push_str(&format!(", {gone} left unfinished")),
    }
    if let Some(outdated) = outdated(fleet) {
        text.push_str(&format!("; {outdated}"));
    }
    text
}

/// The same, and whether the tracker may not know all machines: "done on 1 of 1 machine (100 %); the tracker was
/// restarted and knows 1 of 200 machines so far"
pub(crate) fn text_so_far(fleet: &Fleet, most: Option<u64>) -> String {
    if knows_all(fleet, most) {
        return text(fleet);
    }
    let so_far = match most {
        Some(most) => format!("knows {} of {} so far", all(fleet), human::count(most, "machine")),
        None => "may not know all machines yet".to_owned(),
    };
    format!("{}; the tracker was restarted and {so_far}", text(fleet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::chunk::ChunkCount;
    use shared::id::{ListDigest, PeerId, ResourceId, SwarmKey};
    use shared::rpc::tracker::Presence;

    fn fleet(seeders: u32, leechers: u32, gone_unfinished: u32) -> Fleet {
        Fleet { seeders, leechers, gone_unfinished, ..Fleet::default() }
    }

    #[test]
    fn a_goal_is_met_by_those_who_have_all() {
        let is_met = |goal: Goal, fleet: Fleet| goal.is_met(&fleet, Some(all(&fleet)));
        assert!(is_met(Goal::Machines(3), fleet(3, 9, 0)) && !is_met(Goal::Machines(3), fleet(2, 9, 9)));
        assert!(is_met(Goal::Percent(50), fleet(5, 5, 0)) && !is_met(Goal::Percent(51), fleet(5, 5, 0)));
        assert!(!is_met(Goal::Percent(100), fleet(5, 0, 1)), "who went before it was done is not done");
        assert!(!is_met(Goal::Percent(1), fleet(0, 0, 0)), "nobody is no percentage");
    }

    #[test]
    fn a_percentage_is_not_believed_before_a_restarted_tracker_knows_all_machines() {
        let at = |up_ms, seeders| Fleet { up_ms, ..fleet(seeders, 0, 0) };
        assert!(!Goal::Percent(100).is_met(&at(3_000, 1), Some(200)), "199 have not announced again");
        assert_eq!(
            missed("big.img", Goal::Percent(100), &at(3_000, 1), Some(200), "2 s"),
            "after 2 s, big.img is done on 1 of 1 machine (100 %); \
             the tracker was restarted and knows 1 of 200 machines so far"
        );
        assert!(Goal::Percent(100).is_met(&at(30_000, 200), Some(200)), "all are back");
        assert!(Goal::Percent(100).is_met(&at(KNOWS_ALL_MS, 150), Some(200)), "the others are gone");
        assert!(
            Goal::Machines(1).is_met(&at(3_000, 1), Some(200)),
            "a number of machines is enough at any time"
        );
    }

    #[test]
    fn the_first_count_of_a_tracker_that_was_started_after_the_share_is_not_believed() {
        let at = |up_ms, shared_ago_ms| Fleet { up_ms, shared_ago_ms, ..fleet(1, 0, 0) };
        let is_met = |fleet: &Fleet| Goal::Percent(100).is_met(fleet, None);
        let restarted = at(3_000, Some(600_000));
        assert!(!is_met(&restarted), "the others have not announced again");
        assert_eq!(
            text_so_far(&restarted, None),
            "done on 1 of 1 machine (100 %); the tracker was restarted and may not know all machines yet"
        );
        assert!(is_met(&at(KNOWS_ALL_MS, Some(600_000))));
        assert!(is_met(&at(3_000, Some(2_000))), "it was there when the file was shared");
        assert!(!is_met(&at(3_000, None)), "whoever shared it has not published it again");
        assert!(is_met(&at(KNOWS_ALL_MS, None)));
        assert!(Goal::Percent(100).is_met(&restarted, Some(1)), "all that were counted before are back");
    }

    #[test]
    fn the_line_says_how_many_of_how_many() {
        assert_eq!(text(&fleet(5, 6, 1)), "done on 5 of 12 machines (41 %), 1 left unfinished");
        assert_eq!(text(&fleet(0, 0, 0)), "done on 0 of 0 machines (0 %)");
    }
    fn machine(number: u8, host: &str) -> FleetMachine {
        FleetMachine {
            addr: ([10, 0, 0, number], 7987).into(),
            peer_id: PeerId([number; 16]),
            key: SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([1; 32]) },
            zone: String::new(),
            presence: Presence::Here,
            have: 4,
            count: ChunkCount::new(4).unwrap(),
            bytes_per_s: None,
            seen_ms: 0,
            still_ms: 0,
            host: host.to_owned(),
            node: None,
        }
    }

    #[test]
    fn outdated_machines_are_not_done_and_are_named() {
        let one = Fleet { outdated: 1, some_outdated: vec![machine(17, "pc-17")], ..fleet(199, 0, 0) };
        assert!(!Goal::Percent(100).is_met(&one, Some(200)) && Goal::Percent(99).is_met(&one, Some(200)));
        assert_eq!(text(&one), "done on 199 of 200 machines (99 %); outdated: pc-17 (10.0.0.17:7987)");
        let some = (1..=8).map(|number| machine(number, if number == 2 { "pc\u{1b}" } else { "" }));
        let many = Fleet { outdated: 40, some_outdated: some.collect(), ..fleet(0, 0, 0) };
        assert_eq!(
            text(&many),
            "done on 0 of 40 machines (0 %); \
             outdated: 10.0.0.1:7987, pc\\u{1b} (10.0.0.2:7987), 10.0.0.3:7987 and 37 more"
        );
    }

    #[test]
    fn what_was_missed_is_one_sentence() {
        let outdated = Fleet { outdated: 1, some_outdated: vec![machine(17, "pc-17")], ..fleet(4, 0, 0) };
        for (goal, fleet, expected) in [
            (Goal::Machines(9), fleet(4, 0, 0), "big.img is on 4 of the 9 machines after 2 s"),
            (Goal::Machines(1), fleet(0, 1, 0), "big.img is on 0 of the 1 machine after 2 s"),
            (
                Goal::Machines(5),
                outdated.clone(),
                "big.img is on 4 of the 5 machines after 2 s; outdated: pc-17 (10.0.0.17:7987)",
            ),
            (
                Goal::Percent(100),
                outdated,
                "after 2 s, big.img is done on 4 of 5 machines (80 %); outdated: pc-17 (10.0.0.17:7987)",
            ),
        ] {
            assert_eq!(missed("big.img", goal, &fleet, Some(all(&fleet)), "2 s"), expected);
        }
    }
}
