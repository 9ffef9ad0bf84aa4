//! The tar's bytes through the layout.

use super::model;
use crate::chunk::CHUNK_BYTES;
use crate::tree::{
    BadStart, BadSums, EntryIndex, EntryKind, LISTING_BYTES_MAX, Listing, PROBE_BYTES, Probe, Segment, Sums,
    SumsCheck, TreeLayout, probe,
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn every_range_is_part_of_one_tar(layout in model::tree(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let sums = model::sums(&layout);
        let bytes = layout.bytes();
        let whole = model::read(&layout, &sums, 0..bytes);
        let mut cuts: Vec<u64> = cuts.iter().map(|cut| cut.index(bytes as usize) as u64).collect();
        cuts.extend([0, bytes]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| model::read(&layout, &sums, cut[0]..cut[1]));
        prop_assert_eq!(pieces.collect::<Vec<_>>().concat(), &whole[..]);

        let range = |range: std::ops::Range<u64>| &whole[range.start as usize..range.end as usize];
        prop_assert_eq!(range(layout.listing_range()), layout.listing().to_bytes());
        prop_assert_eq!(range(layout.sums_range()), sums.to_bytes(&layout));
        for index in layout.listing().indices() {
            let size = layout.listing().entry(index).content_bytes();
            prop_assert_eq!(range(layout.content_range(index)), model::content(index, size));
        }
        prop_assert_eq!(probe(&whole), Probe::Tree { listing_bytes: layout.listing().bytes() });
        prop_assert!(whole.ends_with(&[0; 1024]) && whole.len().is_multiple_of(512));
    }

    #[test]
    fn segments_alternate_and_cover_the_range(layout in model::tree(), from in any::<prop::sample::Index>(), bytes in 0..5000_u64) {
        let start = from.index(layout.bytes() as usize) as u64;
        let segments: Vec<Segment> = layout.segments(start..start + bytes).collect();
        let covered: u64 = segments.iter().map(|segment| segment.bytes()).sum();
        prop_assert_eq!(covered, bytes.min(layout.bytes() - start));
        prop_assert!(segments.iter().all(|segment| segment.bytes() > 0));
        let is_made = |segment: &Segment| matches!(segment, Segment::Synthetic { .. });
        prop_assert!(!segments.windows(2).any(|two| is_made(&two[0]) && is_made(&two[1])));
    }

    #[test]
    fn sums_come_back(layout in model::tree(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let sums = model::sums(&layout);
        let mut bytes = sums.to_bytes(&layout);
        let parsed = Sums::parse(&layout, &bytes).unwrap();
        prop_assert_eq!(parsed.to_bytes(&layout), &bytes[..]);
        let mut check = SumsCheck::new(&layout);
        for piece in bytes.chunks(1 + usize::from(byte)) {
            check.push(piece).unwrap();
        }
        check.finish().unwrap();
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(sums) = Sums::parse(&layout, &bytes) {
                prop_assert_eq!(sums.to_bytes(&layout), &bytes[..]);
            }
            prop_assert!(Sums::parse(&layout, &bytes[1..]).is_err());
        }
        bytes.push(b'\n');
        prop_assert!(Sums::parse(&layout, &bytes).is_err());
    }
}

#[test]
fn what_begins_like_a_tree_is_one_or_invalid() {
    let text = "#mtree\n# tinytorrent-tree 1\n. type=dir\n./app type=dir mode=755\n";
    let layout = TreeLayout::new(Listing::parse(text.as_bytes()).expect("a listing")).expect("it is small");
    let whole = model::read(&layout, &Sums::unknown(&layout), 0..layout.bytes());
    let listing_bytes = text.len() as u64;
    assert_eq!(probe(&whole[..PROBE_BYTES]), Probe::Tree { listing_bytes });
    assert_eq!(probe(&whole[..PROBE_BYTES - 1]), Probe::NotATree);
    assert_eq!(probe(b""), Probe::NotATree);

    let changed = |at: usize, bytes: &[u8]| {
        let mut whole = whole.clone();
        whole[at..at + bytes.len()].copy_from_slice(bytes);
        probe(&whole)
    };
    assert_eq!(changed(0, b".mtree"), Probe::NotATree);
    assert_eq!(changed(6, b"E"), Probe::NotATree);
    assert_eq!(changed(512 + 26, b"2"), Probe::NotATree);
    // A mode, a size that is not octal, a size that has another checksum.
    assert_eq!(changed(105, b"7"), Probe::Invalid(BadStart::Header));
    assert_eq!(changed(124, b"9"), Probe::Invalid(BadStart::Header));
    assert_eq!(changed(134, b"1"), Probe::Invalid(BadStart::Header));
    let beyond = format!("{:011o}", LISTING_BYTES_MAX + 1);
    assert_eq!(changed(124, beyond.as_bytes()), Probe::Invalid(BadStart::TooLong));
}

#[test]
fn sums_name_the_line_that_is_wrong() {
    let text = "#mtree\n# tinytorrent-tree 1\n. type=dir\n./app type=dir mode=755\n\
        ./app/a\\134b type=file mode=644 size=1\n./app/c type=file mode=644 size=2\n";
    let layout = TreeLayout::new(Listing::parse(text.as_bytes()).expect("a listing")).expect("it is small");
    let bytes = model::sums(&layout).to_bytes(&layout);
    let text = String::from_utf8(bytes.clone()).expect("text");
    assert!(
        text.starts_with('\\') && text.contains("  app/a\\\\b\n") && text.ends_with("  app/c\n"),
        "{text}"
    );
    let upper = text.to_ascii_uppercase().replace("APP", "app");
    assert_eq!(Sums::parse(&layout, upper.as_bytes()), Err(BadSums { line: 1 }));
    let other = text.replace("app/c", "app/d");
    assert_eq!(Sums::parse(&layout, other.as_bytes()), Err(BadSums { line: 2 }));
    assert_eq!(Sums::parse(&layout, &bytes[..bytes.len() - 1]), Err(BadSums { line: 2 }));
    assert_eq!(Sums::parse(&layout, &[&bytes[..], b"x"].concat()), Err(BadSums { line: 3 }));
}

#[test]
fn sizes_of_terabytes_are_laid_out() {
    let listing = |sizes: &[u64]| {
        let mut text = "#mtree\n# tinytorrent-tree 1\n. type=dir\n./app type=dir mode=755\n".to_owned();
        for (number, size) in sizes.iter().enumerate() {
            text += &format!("./app/{number:03} type=file mode=644 size={size}\n");
        }
        Listing::parse(text.as_bytes()).expect("a listing")
    };
    let tera = 1 << 40;
    let layout = TreeLayout::new(listing(&[tera, 8 << 30, (8 << 30) - 1, tera])).expect("2 TiB and 16 GiB");
    // Sizes of 8 GiB and more have a pax header: two blocks more.
    let heads: Vec<u64> = (1..5)
        .map(|index| {
            let before = layout.content_range(EntryIndex(index - 1)).end.next_multiple_of(512);
            layout.content_range(EntryIndex(index)).start - before
        })
        .collect();
    assert_eq!(heads, [1536, 1536, 512, 1536]);
    let middle = layout.content_range(EntryIndex(4)).start + tera / 2;
    let chunk: Vec<Segment> = layout.segments(middle..middle + u64::from(CHUNK_BYTES)).collect();
    let expected = Segment::File { entry: EntryIndex(4), offset: tera / 2, bytes: CHUNK_BYTES.into() };
    assert_eq!(chunk, [expected]);
    assert!(matches!(layout.listing().entry(EntryIndex(1)).kind, EntryKind::File { bytes } if bytes == tera));
    assert!(TreeLayout::new(listing(&[4 * tera])).is_err());
    assert!(TreeLayout::new(listing(&[4 * tera; 500])).is_err());
}
