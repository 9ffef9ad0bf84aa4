//! Listings: what is one, and what is not.

use super::model;
use crate::tree::{
    BadListing, BadPath, BadTree, DEPTH_MAX, Entry, EntryIndex, EntryKind, Listing, PATH_BYTES_MAX, Refused,
    TreeName, TreePath, file_of_line,
};
use proptest::prelude::*;

const HEAD: &str = "#mtree\n# tinytorrent-tree 1\n. type=dir\n";
const TOP: &str = "./app type=dir mode=755 time=0.0\n";

fn name() -> TreeName {
    "app".parse().expect("a name")
}

proptest! {
    #[test]
    fn each_line_says_which_file_it_is_about(layout in model::tree()) {
        let text = layout.listing().to_bytes();
        let mut lines = text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"./"));
        for entry in layout.listing().entries() {
            let mut buffer = Vec::new();
            let found = file_of_line(lines.next().unwrap(), &mut buffer);
            let wanted = entry.is_file().then(|| (entry.path.as_str(), entry.content_bytes()));
            prop_assert_eq!(found, wanted);
        }
        prop_assert_eq!(lines.next(), None);
    }

    #[test]
    fn a_listing_comes_back(layout in model::tree()) {
        let listing = layout.listing();
        let bytes = listing.to_bytes();
        prop_assert_eq!(bytes.len() as u64, listing.bytes());
        prop_assert_eq!(&Listing::parse(&bytes).unwrap(), listing);
        prop_assert_eq!(&Listing::new(listing.name().clone(), listing.entries().rev()).unwrap(), listing);
        let path = |entry: Entry<'_>| format!("{}{}", entry.path, if entry.is_directory() { "/" } else { "" });
        let paths: Vec<Vec<u8>> = listing.entries().skip(1).map(|entry| path(entry).into_bytes()).collect();
        prop_assert!(paths.is_sorted_by(|a, b| a < b));
        for index in listing.indices() {
            prop_assert_eq!(listing.find(listing.entry(index).path), Some(index));
        }
    }

    /// Whatever is changed in a listing, it is refused or it is read as what it says.
    #[test]
    fn a_changed_listing_has_one_form(
        layout in model::tree(),
        at in any::<prop::sample::Index>(),
        byte in prop::sample::select(b"\n 0a\\.=/#-\xff".to_vec()),
        is_inserted in any::<bool>(),
    ) {
        let mut bytes = layout.listing().to_bytes();
        let at = at.index(bytes.len());
        match is_inserted {
            true => bytes.insert(at, byte),
            false => bytes[at] = byte,
        }
        if let Ok(listing) = Listing::parse(&bytes) {
            prop_assert_eq!(listing.to_bytes(), bytes);
        }
    }
}

/// What is wrong with a listing of these lines behind the top directory's.
fn wrong(lines: &str) -> BadListing {
    Listing::parse(format!("{HEAD}{TOP}{lines}").as_bytes()).expect_err(lines)
}

#[test]
fn what_is_not_written_as_it_must_be_is_refused_with_its_line() {
    let lines = [
        "./app/a type=dir mode=755 time=0.0",
        "\n",
        "./app/a type=dir mode=755 time=0.0 \n",
        "./app/a  type=dir mode=755 time=0.0\n",
        "./app/a type=dir time=0.0 mode=755\n",
        "./app/a type=dir mode=0755 time=0.0\n",
        "./app/a type=dir mode=85 time=0.0\n",
        "./app/a type=dir mode=755 time=0\n",
        "./app/a type=dir mode=755 time=0.5\n",
        "./app/a type=dir mode=755 time=-0.0\n",
        "./app/a type=dir mode=755 time=00.0\n",
        "./app/a type=dir mode=755 time=+1.0\n",
        "./app/a type=dir mode=755 time=9223372036854775808.0\n",
        "./app/a type=dir mode=755 time=.0\n",
        "./app/a type=dir mode=755 time=0.0 size=1\n",
        "./app/a type=file mode=644 time=0.0\n",
        "./app/a type=file mode=644 time=0.0 size=\n",
        "./app/a type=file mode=644 time=0.0 size=01\n",
        "./app/a type=file mode=644 time=0.0 size=-1\n",
        "./app/a type=file mode=644 time=0.0 size=18446744073709551616\n",
        "./app/a type=file mode=644 time=0.0 size=1 nochange\n",
        "./app/a type=link mode=777 time=0.0 link=a b\n",
        "./app/a type=fifo mode=644 time=0.0\n",
        r"./app/\141 type=dir mode=755 time=0.0
",
        "./app/é type=dir mode=755 time=0.0\n",
        r"./app/\377 type=dir mode=755 time=0.0
",
        "./b/a type=dir mode=755 time=0.0\n",
        "./app/ type=dir mode=755 time=0.0\n",
        "/app/a type=dir mode=755 time=0.0\n",
        "app/a type=dir mode=755 time=0.0\n",
        "/set type=dir\n",
    ];
    for line in lines {
        assert_eq!(wrong(line), BadListing::Line { line: 5 }, "{line:?}");
    }
    for text in ["", "#mtree\n", "#mtree\n# tinytorrent-tree 2\n. type=dir\n", &HEAD[1..]] {
        assert_eq!(Listing::parse(text.as_bytes()), Err(BadListing::Head), "{text:?}");
    }
}

#[test]
fn what_is_no_tree_is_refused_with_its_line() {
    let file = "./app/a type=file mode=644 time=0.0 size=1\n";
    let link = "./app/a type=link mode=777 time=0.0 link=/etc\n";
    let cases = [
        (format!("{file}{file}"), 6, Refused::Twice),
        (format!("{file}./app/B type=dir mode=755 time=0.0\n"), 6, Refused::Order),
        (format!("{file}./app/a/b type=dir mode=755 time=0.0\n"), 6, Refused::ParentNotDirectory),
        (format!("{link}./app/a/b type=file mode=644 time=0.0 size=9\n"), 6, Refused::ParentNotDirectory),
        (format!("{file}./app/b/c type=dir mode=755 time=0.0\n"), 6, Refused::NoParent),
        (format!("{file}./app/b type=dir mode=755\n"), 6, Refused::Times),
        (format!("{file}./app/a type=dir mode=755 time=0.0\n"), 6, Refused::Twice),
        (
            format!("{file}./app/a-b type=dir mode=755 time=0.0\n./app/a type=dir mode=755 time=0.0\n"),
            7,
            Refused::Twice,
        ),
        (
            "./app/a type=dir mode=755 time=0.0\n./app/a-b type=dir mode=755 time=0.0\n".to_owned(),
            6,
            Refused::Order,
        ),
        (TOP.to_owned(), 5, Refused::Twice),
        ("./app/a type=link mode=755 time=0.0 link=b\n".to_owned(), 5, Refused::Mode),
        ("./app/a type=link mode=777 time=0.0 link=\n".to_owned(), 5, Refused::Target),
        (r"./app/a type=link mode=777 time=0.0 link=a\012b".to_owned() + "\n", 5, Refused::Target),
        ("./app/a type=file mode=644 time=0.0 size=4398046511105\n".to_owned(), 5, Refused::Size),
        ("./app/.. type=dir mode=755 time=0.0\n".to_owned(), 5, Refused::Path(BadPath::Dots)),
        ("./app/a/../b type=dir mode=755 time=0.0\n".to_owned(), 5, Refused::Path(BadPath::Dots)),
        ("./app/a//b type=dir mode=755 time=0.0\n".to_owned(), 5, Refused::Path(BadPath::Empty)),
        (r"./app/a\012 type=dir mode=755 time=0.0".to_owned() + "\n", 5, Refused::Path(BadPath::Control)),
        (r"./app/a\000 type=dir mode=755 time=0.0".to_owned() + "\n", 5, Refused::Path(BadPath::Control)),
    ];
    for (lines, line, why) in cases {
        assert_eq!(wrong(&lines), BadListing::Entry { line, why }, "{lines:?}");
    }
    let first = |line: &str| Listing::parse(format!("{HEAD}{line}").as_bytes());
    assert_eq!(first(""), Err(BadListing::Entry { line: 4, why: Refused::Top }));
    assert_eq!(first(file), Err(BadListing::Entry { line: 4, why: Refused::Top }));
    let top = "./app type=file mode=644 time=0.0 size=1\n";
    assert_eq!(first(top), Err(BadListing::Entry { line: 4, why: Refused::Top }));
    assert!(matches!(first(&TOP.replace("app", ".MTREE")), Err(BadListing::Name(_))));
    assert!(matches!(first(&TOP.replace("app", "..")), Err(BadListing::Name(_))));
    assert!(matches!(first(&TOP.replace("app", ".tinytorrent")), Err(BadListing::Name(_))));
}

fn entry<'a>(path: &'a str, kind: EntryKind<'a>) -> Entry<'a> {
    let mode = if matches!(kind, EntryKind::Symlink { .. }) { 0o777 } else { 0o755 };
    Entry { path: TreePath::new(path).expect("a path"), mode, time: None, kind }
}

#[test]
fn the_limits_are_what_they_say() {
    let directory = |path| entry(path, EntryKind::Directory);
    let deep: Vec<String> = (0..=DEPTH_MAX).map(|depth| vec!["d"; depth].join("/")).collect();
    let entries = deep.iter().map(|path| directory(path));
    assert_eq!(Listing::new(name(), entries).expect("64 are allowed").len(), DEPTH_MAX + 1);
    assert_eq!(TreePath::new(&vec!["d"; DEPTH_MAX + 1].join("/")), Err(BadPath::TooDeep));
    assert_eq!(TreePath::new(&"d".repeat(255)).map(TreePath::depth), Ok(1));
    assert_eq!(TreePath::new(&"d".repeat(256)), Err(BadPath::ComponentTooLong));

    // "app/" and 16 directories with their slashes are 4,096 bytes and a slash.
    let mut long = vec![String::new()];
    for bytes in [&[255; 15][..], &[251]].concat() {
        let parent = long.last().expect("there is one");
        let slash = if parent.is_empty() { "" } else { "/" };
        long.push(format!("{parent}{slash}{}", "d".repeat(bytes)));
    }
    assert_eq!("app/".len() + long.last().map_or(0, String::len), PATH_BYTES_MAX - 1);
    let listing = Listing::new(name(), long.iter().map(|path| directory(path))).expect("4,095 are allowed");
    assert_eq!(Listing::parse(&listing.to_bytes()), Ok(listing));
    let longer: TreeName = "apppp".parse().expect("a name");
    let refused = Listing::new(longer, long.iter().map(|path| directory(path))).expect_err("4,097 bytes");
    assert_eq!(refused.why, Refused::Path(BadPath::TooLong));
}

#[test]
fn entries_that_are_no_tree_are_named() {
    let bad = |entries: &[Entry<'_>]| Listing::new(name(), entries.iter().copied()).expect_err("no tree");
    let (top, file) = (entry("", EntryKind::Directory), entry("a", EntryKind::File { bytes: 1 }));
    let named = |path: &str, why| BadTree { path: path.to_owned(), why };
    assert_eq!(bad(&[]), named("", Refused::Top));
    assert_eq!(bad(&[file]), named("a", Refused::Top));
    assert_eq!(bad(&[top, file, file]), named("a", Refused::Twice));
    assert_eq!(
        bad(&[entry("a/b", EntryKind::Directory), file, top]),
        named("a/b", Refused::ParentNotDirectory)
    );
    assert_eq!(bad(&[top, Entry { mode: 0o4755, ..file }]), named("a", Refused::Mode));
    assert_eq!(bad(&[top, Entry { time: Some(1), ..file }]), named("a", Refused::Times));
}

#[test]
fn a_link_that_could_lead_outside_is_noticed() {
    let links = [
        ("sub/up", "../file", false),
        ("sub/top", "..", false),
        ("sub/out", "../..", true),
        ("sub/round", "../../app/file", true),
        ("absolute", "/etc/passwd", true),
        ("parent", "..", true),
        ("here", ".", false),
        ("missing", "nothing", false),
        ("missing2", "nothing/..", true),
        ("through", "sub/../file", false),
        ("through2", "sub/./..//file", false),
        ("slash", "sub/", false),
        // `here/here/here` is the top directory, and three directories above it are outside.
        ("twice", "here/here/here/../../..", true),
        ("behind", "here/file", false),
        ("dots", "...", false),
        ("via-file", "file/../x", true),
    ];
    let mut entries = vec![
        entry("", EntryKind::Directory),
        entry("sub", EntryKind::Directory),
        entry("file", EntryKind::File { bytes: 0 }),
    ];
    entries.extend(links.map(|(path, target, _)| entry(path, EntryKind::Symlink { target })));
    let listing = Listing::new(name(), entries).expect("a tree");
    for (path, target, outside) in links {
        let index = listing.find(TreePath::new(path).expect("a path")).expect("it is there");
        assert_eq!(listing.leads_outside(index), outside, "{path} -> {target}");
    }
    assert!(!listing.leads_outside(EntryIndex::TOP));
}
