//! Decides which columns of a table fit next to one another, and how wide each of them is.

/// Spaces between two columns.
pub(crate) const GAP: usize = 2;

/// The width to which names are shortened before a column is dropped, in columns of the terminal.
const NARROW: usize = 24;

/// The width to which names are shortened when no column is left to drop.
const NARROWEST: usize = 8;

/// The wishes of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The width of its widest cell or its head.
    pub(crate) width: usize,
    /// Whether its cells may be shortened.
    pub(crate) shortens: bool,
    /// The order in which columns are dropped: the lowest number first; `None` last, from the right.
    pub(crate) drop: Option<u8>,
}

/// The width of each column, or `None` for columns that are dropped, so that a line takes at most `room` columns of the
/// terminal. The first column always stays.
pub(crate) fn fit(wishes: &[Wish], room: usize) -> Vec<Option<usize>> {
    let mut widths: Vec<Option<usize>> = wishes.iter().map(|wish| Some(wish.width)).collect();
    loop {
        if shrunk(wishes, &mut widths, room, NARROW) {
            return widths;
        }
        let kept = |place: &usize| widths[*place].is_some();
        let first =
            (1..wishes.len()).filter(kept).filter_map(|place| Some((wishes[place].drop?, place))).min();
        let Some((_, place)) = first else { break };
        widths[place] = None;
    }
    while !shrunk(wishes, &mut widths, room, NARROWEST) {
        match (1..wishes.len()).rev().find(|&place| widths[place].is_some()) {
            Some(place) => widths[place] = None,
            None => {
                widths.iter_mut().take(1).for_each(|width| *width = width.map(|width| width.min(room)));
                break;
            }
        }
    }
    widths
}

/// Narrows the widest of the columns that may be shortened, one at a time, until the line fits. If the line does not
/// fit even with all of them at `least`, nothing is changed.
fn shrunk(wishes: &[Wish], widths: &mut [Option<usize>], room: usize, least: usize) -> bool {
    let mut tried = widths.to_vec();
    while total(&tried) > room {
        let can = |place: &usize| wishes[*place].shortens && tried[*place].is_some_and(|width| width > least);
        let Some(widest) = (0..wishes.len()).filter(can).max_by_key(|&place| tried[place]) else {
            return false;
        };
        tried[widest] = tried[widest].map(|width| width - 1);
    }
    widths.copy_from_slice(&tried);
    true
}

fn total(widths: &[Option<usize>]) -> usize {
    let kept = || widths.iter().flatten();
    kept().sum::<usize>() + GAP * kept().count().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Wish = Wish { width: 40, shortens: true, drop: None };

    fn fixed(width: usize) -> Wish {
        Wish { width, shortens: false, drop: None }
    }

    fn dropped(width: usize, drop: u8) -> Wish {
        Wish { width, shortens: false, drop: Some(drop) }
    }

    #[test]
    fn a_name_is_shortened_before_a_column_goes_and_takes_the_room_of_one_that_went() {
        let wishes = [NAME, fixed(11), dropped(8, 2), dropped(5, 1)];
        assert_eq!(fit(&wishes, 80), [Some(40), Some(11), Some(8), Some(5)]);
        assert_eq!(fit(&wishes, 60), [Some(30), Some(11), Some(8), Some(5)]);
        assert_eq!(fit(&wishes, 53), [Some(30), Some(11), Some(8), None]);
        assert_eq!(fit(&wishes, 40), [Some(27), Some(11), None, None]);
        assert_eq!(fit(&wishes, 21), [Some(8), Some(11), None, None]);
        assert_eq!(fit(&wishes, 20), [Some(20), None, None, None]);
        assert_eq!(fit(&wishes, 3), [Some(3), None, None, None]);
    }

    #[test]
    fn of_two_names_the_longer_one_is_shortened() {
        assert_eq!(fit(&[NAME, Wish { width: 20, ..NAME }], 50), [Some(28), Some(20)]);
    }

    #[test]
    fn whatever_there_is_fits() {
        let wishes = [NAME, dropped(64, 1), fixed(30), Wish { width: 60, ..NAME }, dropped(9, 2), fixed(12)];
        for room in 1..300 {
            let widths = fit(&wishes, room);
            assert!(total(&widths) <= room, "{room}: {widths:?}");
            assert!(widths[0].is_some());
        }
        assert_eq!(fit(&[], 10), []);
    }
}
