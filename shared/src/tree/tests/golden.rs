//! The bytes of trees are frozen: whoever changes them changes the id of every directory. They are those of the example
//! in docs/tree-format.md.

use crate::id::ResourceId;
use crate::tree::{Entry, EntryIndex, EntryKind, Listing, Segment, Sums, TreeLayout, TreePath};

const DOCUMENT: &str = include_str!("../../../../docs/tree-format.md");

fn entry<'a>(path: &'a str, mode: u16, time: i64, kind: EntryKind<'a>) -> Entry<'a> {
    Entry { path: TreePath::new(path).expect("a path"), mode, time: Some(time), kind }
}

/// The example's tar.
fn tar() -> (TreeLayout, Vec<u8>) {
    let contents: [&[u8]; 3] = [b"x", b"hello\n", b""];
    let entries = [
        entry("", 0o755, 1_700_000_002, EntryKind::Directory),
        entry("bin-notes.txt", 0o640, 1_700_000_000, EntryKind::File { bytes: 1 }),
        entry("bin", 0o755, 1_700_000_001, EntryKind::Directory),
        entry("bin/tool", 0o755, 1_700_000_000, EntryKind::File { bytes: 6 }),
        entry("latest", 0o777, 1_700_000_000, EntryKind::Symlink { target: "bin/tool" }),
        entry("模型", 0o644, -1, EntryKind::File { bytes: 0 }),
    ];
    let listing = Listing::new("app".parse().expect("a name"), entries).expect("a tree");
    let layout = TreeLayout::new(listing).expect("it is small");
    let files = [EntryIndex(1), EntryIndex(3), EntryIndex(5)];
    let content = |index| contents[files.iter().position(|&file| file == index).expect("a file")];
    let mut sums = Sums::unknown(&layout);
    files.iter().for_each(|&file| sums.set(file, ResourceId::of(content(file))));

    let mut tar = vec![0xee; layout.bytes() as usize];
    layout.fill_synthetic(0, &mut tar);
    let mut at = 0;
    for segment in layout.segments(0..layout.bytes()) {
        let place = at..at + segment.bytes() as usize;
        at = place.end;
        match segment {
            Segment::Synthetic { .. } => {}
            Segment::File { entry, .. } => tar[place].copy_from_slice(content(entry)),
            Segment::Sums { .. } => tar[place].copy_from_slice(&sums.to_bytes(&layout)),
        }
    }
    (layout, tar)
}

/// The first block of the document that begins like this and is not followed by "```" at once.
fn block(first: &str) -> &'static str {
    let start = DOCUMENT.find(&format!("```\n{first}")).expect("the example is there") + "```\n".len();
    DOCUMENT[start..].split("```").next().expect("it has an end")
}

#[test]
fn the_example_of_the_document_is_what_is_made() {
    let (layout, tar) = tar();
    let range = |range: std::ops::Range<u64>| {
        std::str::from_utf8(&tar[range.start as usize..range.end as usize]).expect("text")
    };
    let head = "#mtree\n# tinytorrent-tree 1\n. type=dir\n";
    assert_eq!(range(layout.listing_range()), block(&format!("{head}./app type")));
    assert_eq!(block(head), head);
    assert_eq!(range(layout.sums_range()), block("2d71"));
    assert_eq!(tar.len(), 8192);
    let id = "65f98a2d00fe69040de8095a67a651f637696bafb284bd554541cba4519ff84c";
    assert_eq!(ResourceId::of(&tar).to_string(), id);
    assert!(DOCUMENT.contains(&format!("\n`{id}`.")));
}

#[test]
fn the_hexadecimal_examples_are_what_is_made() {
    let (_, tar) = tar();
    for offset in [3072, 5120] {
        let (_, rest) = DOCUMENT.split_once(&format!("```hex {offset}\n")).expect("the example is there");
        let mut expected = [0; 512];
        for line in rest.split("```").next().expect("it has an end").lines() {
            let (place, bytes) = line.split_once("  ").expect("an offset and bytes");
            let place = usize::from_str_radix(place, 16).expect("an offset");
            for (byte, hex) in expected[place..place + 16].iter_mut().zip(bytes.split(' ')) {
                *byte = u8::from_str_radix(hex, 16).expect("two digits");
            }
        }
        assert_eq!(tar[offset..offset + 512], expected, "{offset}");
    }
}

#[test]
fn the_blocks_are_where_the_document_says() {
    let (_, tar) = tar();
    let (_, rows) = DOCUMENT.split_once("Its blocks:").expect("the table is there");
    let headers = rows.lines().filter_map(|row| {
        let (offset, what) = row.strip_prefix("| ")?.split_once(" | ")?;
        let name = what.strip_prefix("header of `")?.split('`').next()?;
        Some((offset.parse::<usize>().ok()?, name))
    });
    let mut count = 0;
    for (offset, name) in headers {
        assert!(tar[offset..].starts_with(name.as_bytes()), "{offset}: {name}");
        count += 1;
    }
    assert_eq!(count, 7);
}
