//! The listing of a tree, and what follows from it.

use shared::tree::{EntryKind, Listing, PROBE_BYTES, Probe, Segment, Sums, TreeLayout, probe};

/// The bytes are a listing, or, behind a line that says so, what a tree begins with.
pub(super) fn tree(bytes: &[u8]) {
    if let Some(start) = bytes.strip_prefix(b"probe\n") {
        if let Probe::Tree { listing_bytes } = probe(start) {
            assert!(start.len() >= PROBE_BYTES && listing_bytes <= shared::tree::LISTING_BYTES_MAX);
        }
        return;
    }
    match Listing::parse(bytes) {
        Ok(listing) => check(listing, bytes),
        Err(error) => super::text::check_shown(&error),
    }
}

fn check(listing: Listing, bytes: &[u8]) {
    assert_eq!(listing.to_bytes(), bytes, "it has one form");
    for index in listing.indices() {
        let entry = listing.entry(index);
        assert!(entry.mode <= 0o777);
        assert!(entry.path.components().all(|name| !matches!(name, "" | "." | "..") && !name.contains('\0')));
        let parent = entry.path.parent().map(|parent| listing.find(parent).expect("its directory is there"));
        assert!(parent.is_none_or(|parent| parent < index && listing.entry(parent).is_directory()));
        let is_link = matches!(entry.kind, EntryKind::Symlink { .. });
        assert!(is_link || !listing.leads_outside(index));
    }
    let Ok(layout) = TreeLayout::new(listing) else { return };
    let sums = Sums::unknown(&layout);
    let text = sums.to_bytes(&layout);
    assert_eq!(Sums::parse(&layout, &text).as_ref(), Ok(&sums));
    // The beginning, and a range with the end of the last entry and the sums.
    let end = layout.bytes();
    for range in [0..end.min(3000), layout.contents_end().saturating_sub(700)..end] {
        let mut buffer = vec![0xee; (range.end - range.start).min(64 << 10) as usize];
        let range = range.start..range.start + buffer.len() as u64;
        layout.fill_synthetic(range.start, &mut buffer);
        let covered: u64 = layout.segments(range).map(Segment::bytes).sum();
        assert_eq!(covered, buffer.len() as u64);
    }
    let mut start = vec![0; PROBE_BYTES];
    layout.fill_synthetic(0, &mut start);
    assert_eq!(probe(&start), Probe::Tree { listing_bytes: bytes.len() as u64 });
}
