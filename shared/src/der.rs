//! Where values of DER end, so that several of them can stand one after another. Nothing else of DER is known here.

/// The tag of a sequence, with which certificates and lists of revoked ones begin.
const SEQUENCE: u8 = 0x30;

/// The sequences of which the bytes consist, at most `max`; `None` if there are more, if there is none, or if something else
/// is among them.
pub fn sequences(mut bytes: &[u8], max: usize) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (one, rest) = bytes.split_at_checked(length(bytes)?)?;
        found.push(one);
        bytes = rest;
        if found.len() > max {
            return None;
        }
    }
    Some(found).filter(|found| !found.is_empty())
}

/// The length of the first value with its head.
fn length(bytes: &[u8]) -> Option<usize> {
    let [SEQUENCE, first, rest @ ..] = bytes else { return None };
    match usize::from(*first) {
        short @ ..=0x7f => Some(2 + short),
        long => {
            let digits = rest.get(..long & 0x7f).filter(|digits| (1..=4).contains(&digits.len()))?;
            let content = digits.iter().fold(0_usize, |length, &digit| length << 8 | usize::from(digit));
            content.checked_add(2 + digits.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_told_apart_and_what_is_cut_is_none() {
        let long = [&[0x30, 0x82, 0x01, 0x00][..], &[7; 256]].concat();
        let short = [0x30, 2, 5, 0];
        let both = [&long[..], &short].concat();
        assert_eq!(sequences(&both, 2), Some(vec![&long[..], &short[..]]));
        assert_eq!(sequences(&both, 1), None);
        for end in 0..both.len() {
            let whole = end == long.len();
            assert_eq!(sequences(&both[..end], 2).is_some(), whole, "cut at {end}");
        }
        for bad in [&[0x30, 0x80][..], &[0x30, 0x85, 0, 0, 0, 0, 0], &[0x31, 0], &[0x30, 0xff]] {
            assert_eq!(sequences(bad, 9), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn all_bytes_are_in_a_value(bytes in proptest::collection::vec(prop_oneof![Just(0x30), any::<u8>()], 0..40)) {
            if let Some(found) = sequences(&bytes, 8) {
                prop_assert_eq!(found.concat(), bytes);
            }
        }
    }
}
