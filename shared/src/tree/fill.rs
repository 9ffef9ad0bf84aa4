//! Makes the bytes of a tree's tar that are on no disk.

use super::entry::EntryIndex;
use super::header::{member_head, push_head};
use super::layout::{Part, PartSource, TreeLayout};
use super::name::{LISTING_MEMBER, SUMS_MEMBER};
use super::text::{HEAD, push_line};

impl TreeLayout {
    /// Makes the headers, the listing and the padding in a range of the tar. The buffer's first byte is the byte
    /// `start` of the tar. The bytes of files and sums, and what is behind the end of the tar, are left as they are.
    pub fn fill_synthetic(&self, start: u64, buffer: &mut [u8]) {
        let end = start + buffer.len() as u64;
        let mut made = Vec::new();
        let (mut byte, mut hint) = (start, EntryIndex::TOP);
        while byte < end
            && let Some(Part { range, source }) = self.part_at(byte, hint)
        {
            let wanted = byte..range.end.min(end);
            let place = &mut buffer[(wanted.start - start) as usize..(wanted.end - start) as usize];
            let skipped = (wanted.start - range.start) as usize;
            made.clear();
            match source {
                PartSource::ListingHead => {
                    made.extend(member_head(LISTING_MEMBER, self.listing().bytes()));
                }
                PartSource::Listing => self.fill_listing(skipped as u64, place),
                PartSource::Head(index) => {
                    hint = index;
                    push_head(&mut made, self.listing().name(), index, &self.listing().entry(index));
                }
                PartSource::Content(index) => hint = index,
                PartSource::SumsHead => made.extend(member_head(SUMS_MEMBER, self.sums_bytes())),
                PartSource::Sums => {}
                PartSource::Zeros => place.fill(0),
            }
            if !made.is_empty() {
                place.copy_from_slice(&made[skipped..skipped + place.len()]);
            }
            byte = wanted.end;
        }
    }

    /// Makes the bytes of the listing from `start` on.
    fn fill_listing(&self, start: u64, place: &mut [u8]) {
        let mut text = String::new();
        let first = match usize::try_from(start) {
            Ok(start) if start < HEAD.len() => {
                text.push_str(&HEAD[start..]);
                EntryIndex::TOP
            }
            _ => self.line_at(start),
        };
        let mut skipped = if text.is_empty() { (start - self.line_start(first)) as usize } else { 0 };
        let mut filled = 0;
        for index in self.listing().indices().skip(first.slot()) {
            push_line(&mut text, self.listing().name(), &self.listing().entry(index));
            let bytes = (text.len() - skipped).min(place.len() - filled);
            place[filled..filled + bytes].copy_from_slice(&text.as_bytes()[skipped..skipped + bytes]);
            filled += bytes;
            if filled == place.len() {
                return;
            }
            text.clear();
            skipped = 0;
        }
    }
}
