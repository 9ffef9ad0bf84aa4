//! Whether other people's programs agree with the bytes of a tree.

use super::directory::{self, OPTIONS};
use crate::tree::{Entry, EntryKind, Listing, TreeOptions, TreePath};
use cluster::skip::skipped;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Unpacks a tar and says what is in it.
const PYTHON: &str = "
import os, sys, tarfile
os.umask(0)
with tarfile.open(sys.argv[1]) as tar:
    extra = {'filter': 'fully_trusted'} if hasattr(tarfile, 'fully_trusted_filter') else {}
    tar.extractall(**extra)
    for member in tar:
        kind = 'dir' if member.isdir() else 'file' if member.isreg() else 'link' if member.issym() else '?'
        print(ascii(member.name), kind, '%03o' % member.mode, int(member.mtime), member.size, ascii(member.linkname))
";

#[test]
fn gnu_tar_unpacks_a_tree() {
    let (room, app) = directory::difficult();
    directory::write(&app.join("names/e\u{301}"), b"the same letter in another form");
    unpacked_is_the_same(
        &room,
        &app,
        &["tar", "--extract", "--preserve-permissions", "--file", "../app.tar"],
    );
}

/// Without a name in a decomposed form: bsdtar of libarchive 3.6 composes it.
#[test]
fn bsdtar_unpacks_a_tree() {
    let (room, app) = directory::difficult();
    unpacked_is_the_same(&room, &app, &["bsdtar", "-x", "-p", "-f", "../app.tar"]);
}

/// What a program unpacks is the same tree again, and both of its lists are right about it.
fn unpacked_is_the_same(room: &tempfile::TempDir, app: &Path, program: &[&str]) {
    if missing(program[0]) {
        return;
    }
    let (tar, tree) = directory::tar(app, OPTIONS);
    fs::write(room.path().join("app.tar"), &tar).expect("a file");
    let out = room.path().join("out");
    fs::create_dir(&out).expect("a directory");
    run(&out, program);
    let again = directory::hash(&out.join("app"), OPTIONS).expect("it is a tree");
    let (ours, theirs) = (tree.walked.layout.listing(), again.walked.layout.listing());
    for (ours, theirs) in ours.entries().zip(theirs.entries()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(again.hashed.resource, tree.hashed.resource);
    check_lists(&out);
}

/// `.MTREE` and `.SHA256SUMS` are right about what is beside them.
fn check_lists(out: &Path) {
    run(out, &["sha256sum", "--check", "--strict", "--quiet", ".SHA256SUMS"]);
    let files = fs::read_to_string(out.join(".SHA256SUMS")).expect("it is text").lines().count();
    assert!(files > 25, "{files}");
    if missing("mtree") {
        return;
    }
    let found = run(out, &["mtree", "-f", ".MTREE", "-p", "."]);
    let mut found: Vec<&str> = found.lines().collect();
    found.sort_unstable();
    assert_eq!(found, ["extra: .MTREE", "extra: .SHA256SUMS"]);
    fs::write(out.join("app/block"), "other").expect("a file");
    let changed = output(out, &["mtree", "-f", ".MTREE", "-p", "."]);
    assert_eq!(changed.status.code(), Some(2), "mtree does compare");
}

#[test]
fn python_reads_a_tree() {
    if missing("python3") {
        return;
    }
    let (room, app) = directory::difficult();
    let (tar, tree) = directory::tar(&app, OPTIONS);
    fs::write(room.path().join("app.tar"), &tar).expect("a file");
    let out = room.path().join("out");
    fs::create_dir(&out).expect("a directory");
    let read = run(&out, &["python3", "-c", PYTHON, "../app.tar"]);
    let listing = tree.walked.layout.listing();
    let members: Vec<&str> = read.lines().collect();
    assert_eq!(members.len(), listing.len() + 2);
    let size = |name: &str| fs::metadata(out.join(name)).expect("it was unpacked").len();
    assert_eq!(members[0], format!("'.MTREE' file 644 0 {} ''", size(".MTREE")));
    assert_eq!(members[members.len() - 1], format!("'.SHA256SUMS' file 644 0 {} ''", size(".SHA256SUMS")));
    for (entry, member) in listing.entries().zip(&members[1..]) {
        assert_eq!(*member, as_python_shows(&entry));
    }
    run(&out, &["sha256sum", "--check", "--strict", "--quiet", ".SHA256SUMS"]);
}

/// What the program above prints of an entry.
fn as_python_shows(entry: &Entry<'_>) -> String {
    let (kind, bytes, target) = match entry.kind {
        EntryKind::Directory => ("dir", 0, ""),
        EntryKind::File { bytes } => ("file", bytes, ""),
        EntryKind::Symlink { target } => ("link", 0, target),
    };
    let slash = if entry.path.is_top() { "" } else { "/" };
    let (path, time) = (format!("app{slash}{}", entry.path), entry.time.unwrap_or(0));
    format!("{} {kind} {:03o} {time} {bytes} {}", ascii(&path), entry.mode, ascii(target))
}

/// Python's `ascii()`.
fn ascii(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for char in text.chars() {
        match char {
            '\\' => out += "\\\\",
            _ if char == quote => out += &format!("\\{char}"),
            ' '..='~' => out.push(char),
            _ if u32::from(char) < 0x100 => out += &format!("\\x{:02x}", u32::from(char)),
            _ => out += &format!("\\u{:04x}", u32::from(char)),
        }
    }
    out.push(quote);
    out
}

/// docs/tree-format.md says enough for somebody else's program to make the same bytes: `tree_format.py` was written
/// from it and knows nothing of this crate.
#[test]
fn another_program_makes_the_same_bytes() {
    if missing("python3") {
        return;
    }
    let (room, app) = directory::difficult();
    let script = include_str!("tree_format.py");
    for options in [OPTIONS, TreeOptions { has_times: false, ..OPTIONS }] {
        let (tar, _) = directory::tar(&app, options);
        let times: &[&str] = if options.has_times { &[] } else { &["--no-times"] };
        let made = output(room.path(), &[&["python3", "-c", script, "app"], times].concat());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let same = tar.iter().zip(&made.stdout).take_while(|(ours, theirs)| ours == theirs).count();
        assert!(tar == made.stdout, "they differ at byte {same} of {} and {}", tar.len(), made.stdout.len());
    }
}

/// The sizes that need a pax header cannot be written down in a test; only their headers are read.
#[test]
fn gnu_tar_and_bsdtar_read_sizes_of_8_gib() {
    let entry =
        |path, mode, kind| Entry { path: TreePath::new(path).expect("a path"), mode, time: Some(0), kind };
    let entries =
        [entry("", 0o755, EntryKind::Directory), entry("big", 0o644, EntryKind::File { bytes: 8 << 30 })];
    let layout = crate::tree::TreeLayout::new(Listing::new(directory::name(), entries).expect("a tree"));
    let layout = layout.expect("it is not too large");
    let room = tempfile::tempdir().expect("a directory");
    let path = room.path().join("app.tar");
    let file = fs::File::create(&path).expect("a file");
    // A sparse file: only the ends of the tar are written.
    let content = layout.content_range(crate::tree::EntryIndex(1));
    for range in [0..content.start, content.end..layout.bytes()] {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        layout.fill_synthetic(range.start, &mut bytes);
        if range.start > 0 {
            let sums = crate::tree::Sums::unknown(&layout).to_bytes(&layout);
            let start = (layout.sums_range().start - range.start) as usize;
            bytes[start..start + sums.len()].copy_from_slice(&sums);
        }
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, range.start).expect("it is written");
    }
    for program in [["tar", "-tvf"], ["bsdtar", "-tvf"]] {
        if !missing(program[0]) {
            let listed = run(room.path(), &[&program[..], &["app.tar"]].concat());
            assert!(listed.contains("8589934592") && listed.contains(".SHA256SUMS"), "{listed}");
        }
    }
}

fn missing(program: &str) -> bool {
    let is_there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    let is_there = is_there.expect("sh runs").status.success();
    if !is_there {
        skipped(&format!("{program} is missing (apt-get install libarchive-tools mtree-netbsd python3)"));
    }
    !is_there
}

fn output(directory: &Path, command: &[&str]) -> Output {
    let mut run = Command::new(command[0]);
    run.args(&command[1..]).current_dir(directory).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    run.output().expect("it runs")
}

#[track_caller]
fn run(directory: &Path, command: &[&str]) -> String {
    let output = output(directory, command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said} {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).expect("text")
}
