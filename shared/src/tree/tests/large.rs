//! A tree with as many entries as are allowed.

use crate::tree::{
    ENTRIES_MAX, Entry, EntryIndex, EntryKind, Listing, ListingBuilder, Refused, Segment, TreeLayout,
    TreePath,
};

/// The path of an entry: a hundred files to a directory.
fn path(number: usize) -> String {
    match number.checked_sub(1) {
        None => String::new(),
        Some(number) if number % 100 == 0 => format!("directory-{:06}", number / 100),
        Some(number) => {
            format!("directory-{:06}/a file with a name of usual length {number:08}.dat", number / 100)
        }
    }
}

#[test]
fn a_million_entries_are_laid_out_in_little_memory() {
    let mut builder = ListingBuilder::new("app".parse().expect("a name"));
    let entry = |number: usize| {
        let is_file = number % 100 != 1 && number > 0;
        if is_file { EntryKind::File { bytes: number as u64 % 5000 } } else { EntryKind::Directory }
    };
    let push = |builder: &mut ListingBuilder, number: usize| {
        let path = path(number);
        let path = TreePath::new(&path).expect("a path");
        builder.push(&Entry { path, mode: 0o644, time: Some(number as i64), kind: entry(number) })
    };
    (0..ENTRIES_MAX).rev().for_each(|number| push(&mut builder, number).expect("it is allowed"));
    assert_eq!(push(&mut builder, ENTRIES_MAX), Err(Refused::TooMany));
    let listing = builder.finish().expect("a tree");
    let bytes = listing.to_bytes();
    let parsed = Listing::parse(&bytes).expect("it is read again");
    assert!(parsed == listing);
    // The texts, and 24 bytes for each entry.
    let texts: usize = (0..ENTRIES_MAX).map(|number| path(number).len()).sum();
    assert!(parsed.memory_bytes() <= texts + 24 * ENTRIES_MAX, "{} bytes", parsed.memory_bytes());

    let layout = TreeLayout::new(listing).expect("it is not too large");
    let last = EntryIndex(ENTRIES_MAX as u32 - 1);
    let range = layout.content_range(last);
    let segments: Vec<Segment> = layout.segments(range.clone()).collect();
    let bytes = range.end - range.start;
    assert_eq!(segments, [Segment::File { entry: last, offset: 0, bytes }]);
    // The end of the listing's text is made from its last lines.
    let mut end = [0; 300];
    layout.fill_synthetic(layout.listing_range().end - 300, &mut end);
    assert_eq!(end, layout.listing().to_bytes()[layout.listing().bytes() as usize - 300..]);
}
