//! Checks that the pages of a long answer continue in order. Otherwise a tracker that goes round in circles, or never
//! ends, would keep a caller for ever. The decisions are pure.

use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::tracker::{
    ANNOUNCE_MAX, FLEET_MAX, Fleet, FleetPlace, LIST_MAX, ListEntry, OUTDATED_SHOWN_MAX, ResourceEntry,
};

/// A tracker answered out of order, or with more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfOrder;

/// The name after which the next page of a listing begins; `None` after the last page.
///
/// # Errors
/// When the page does not go on after `after`, is not in order, or is too long.
pub fn next_of_list(
    after: Option<&ResourceName>,
    page: &[ListEntry],
) -> Result<Option<ResourceName>, OutOfOrder> {
    next(after, page.iter().map(|entry| &entry.publication.name), LIST_MAX)
}

/// The swarm after which the next page of a peer's resources begins; `None` after the last page.
///
/// # Errors
/// When the page does not go on after `after`, is not in order, or is too long.
pub fn next_of_resources(
    after: Option<&SwarmKey>,
    page: &[ResourceEntry],
) -> Result<Option<SwarmKey>, OutOfOrder> {
    next(after, page.iter().map(|entry| &entry.key), ANNOUNCE_MAX)
}

/// Checks a page of a fleet that follows `after`. Machines are in the order of the addresses that the tracker sees,
/// which may differ from the addresses in the answer; so only the place of the next page is compared.
///
/// # Errors
/// When the page is too long, or the next page would not lie behind this one.
pub fn check_fleet(after: Option<&FleetPlace>, machines_max: u32, fleet: &Fleet) -> Result<(), OutOfOrder> {
    let machines_max = FLEET_MAX.min(machines_max as usize);
    let goes_on = match &fleet.next {
        Some(next) => after.is_none_or(|after| after < next) && !fleet.machines.is_empty(),
        None => true,
    };
    let fits = fleet.machines.len() <= machines_max && fleet.some_outdated.len() <= OUTDATED_SHOWN_MAX;
    (fits && goes_on).then_some(()).ok_or(OutOfOrder)
}

/// The place of the last entry, when the page is full.
fn next<'a, P: Ord + Clone + 'a>(
    after: Option<&'a P>,
    places: impl ExactSizeIterator<Item = &'a P> + Clone,
    entries_max: usize,
) -> Result<Option<P>, OutOfOrder> {
    let count = places.len();
    let is_in_order = after.into_iter().chain(places.clone()).is_sorted_by(|one, other| one < other);
    if !is_in_order || count > entries_max {
        return Err(OutOfOrder);
    }
    Ok(places.last().filter(|_| count == entries_max).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::chunk::ChunkCount;
    use shared::id::{ListDigest, PeerId, ResourceId};
    use shared::rpc::tracker::{FleetMachine, Presence, Publication};

    fn key(number: u8) -> SwarmKey {
        SwarmKey { resource: ResourceId([number; 32]), digest: ListDigest([0; 32]) }
    }

    fn list(numbers: impl IntoIterator<Item = usize>) -> Vec<ListEntry> {
        let count = ChunkCount::new(1).unwrap();
        let entry = |number: usize| {
            let name = format!("{number:06}").parse().unwrap();
            let publication = Publication {
                name,
                key: key(1),
                count,
                trackers: Vec::new(),
                shared_at_ms: 0,
                bytes: None,
                signature: None,
            };
            ListEntry { publication, seeders: 1, leechers: 0 }
        };
        numbers.into_iter().map(entry).collect()
    }

    fn place(port: u16) -> FleetPlace {
        FleetPlace { key: key(1), addr: ([10, 0, 0, 1], port).into(), peer_id: PeerId([0; 16]) }
    }

    fn fleet(machines: usize, next: Option<FleetPlace>) -> Fleet {
        let count = ChunkCount::new(1).unwrap();
        let machine = FleetMachine {
            addr: ([10, 0, 0, 1], 1).into(),
            peer_id: PeerId([0; 16]),
            key: key(1),
            zone: String::new(),
            presence: Presence::Here,
            have: 0,
            count,
            bytes_per_s: None,
            seen_ms: 0,
            still_ms: 0,
            host: String::new(),
            node: None,
        };
        Fleet { machines: vec![machine; machines], next, ..Fleet::default() }
    }

    #[test]
    fn a_full_page_has_a_next_one_and_another_has_none() {
        let name = |number: usize| format!("{number:06}").parse::<ResourceName>().unwrap();
        assert_eq!(next_of_list(None, &list(0..LIST_MAX)), Ok(Some(name(LIST_MAX - 1))));
        assert_eq!(next_of_list(Some(&name(7)), &list(8..20)), Ok(None));
        assert_eq!(next_of_list(Some(&name(7)), &[]), Ok(None));
    }

    #[test]
    fn what_goes_round_in_circles_is_out_of_order() {
        let name = |number: usize| format!("{number:06}").parse::<ResourceName>().unwrap();
        let full = list(0..LIST_MAX);
        assert_eq!(
            next_of_list(Some(&name(LIST_MAX - 1)), &full),
            Err(OutOfOrder),
            "the same page once more"
        );
        assert_eq!(next_of_list(Some(&name(0)), &full), Err(OutOfOrder), "it begins with what was told");
        assert_eq!(next_of_list(None, &list([1, 3, 2])), Err(OutOfOrder));
        assert_eq!(next_of_list(None, &list([1, 1])), Err(OutOfOrder));
        assert_eq!(next_of_list(None, &list(0..=LIST_MAX)), Err(OutOfOrder), "it is too long");
    }

    #[test]
    fn a_fleets_pages_go_on_and_are_no_longer_than_was_asked() {
        assert_eq!(check_fleet(None, 10, &fleet(10, Some(place(5)))), Ok(()));
        assert_eq!(check_fleet(Some(&place(5)), 10, &fleet(3, None)), Ok(()));
        assert_eq!(check_fleet(Some(&place(5)), 10, &fleet(3, Some(place(5)))), Err(OutOfOrder));
        assert_eq!(check_fleet(Some(&place(5)), 10, &fleet(3, Some(place(4)))), Err(OutOfOrder));
        assert_eq!(check_fleet(Some(&place(5)), 10, &fleet(0, Some(place(6)))), Err(OutOfOrder));
        assert_eq!(check_fleet(None, 10, &fleet(11, None)), Err(OutOfOrder));
        assert_eq!(check_fleet(None, u32::MAX, &fleet(FLEET_MAX + 1, None)), Err(OutOfOrder));
        assert_eq!(check_fleet(None, 0, &fleet(0, None)), Ok(()), "it only counts");
    }
}
