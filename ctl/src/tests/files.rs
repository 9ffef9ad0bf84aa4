//! `create` and `check`, which need no daemon.

use super::fake::Fake;
use super::{bytes, manifest, text, ttctl, ttctl_fails};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs;

const TRACKER: [&str; 2] = ["--tracker", "tt://tracker.example"];

/// The text of a manifest, made in the simplest way.
fn expected(name: &str, bytes: &[u8]) -> String {
    let hex = |bytes: &[u8]| {
        Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        })
    };
    let mut lines = vec![name.to_owned(), hex(bytes), "tt://tracker.example".to_owned()];
    lines.extend(bytes.chunks(1024 * 1024).map(hex));
    lines.join("\n") + "\n"
}

#[test]
fn create_is_exact_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    for len in [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (9 << 20) + 12_345] {
        let path = folder.path().join("a file é");
        let bytes = bytes(len);
        fs::write(&path, &bytes).unwrap();
        let (printed, result) = ttctl(&["create", text(&path), TRACKER[0], TRACKER[1]]);
        result.unwrap();
        let written = folder.path().join("a file é.tinytorrent");
        let expected = expected("a file é", &bytes);
        assert_eq!(fs::read_to_string(&written).unwrap(), expected, "{len} bytes");
        let id = expected.lines().nth(1).unwrap();
        assert_eq!(printed, format!("{id}  {}\n", written.display()));
        let (printed, _) = ttctl(&["create", text(&path), TRACKER[0], TRACKER[1], "-o", "-"]);
        assert_eq!(printed, expected);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no part file is left");
}

#[test]
fn create_says_what_it_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name)).to_owned();
    fs::write(path("x.tinytorrent"), "").unwrap();
    fs::write(path("x"), "").unwrap();
    let create = |path: &str| ttctl_fails(&["create", path, TRACKER[0], TRACKER[1]]);
    assert_eq!(create(&path("none")).0, 4);
    assert_eq!(ttctl_fails(&["create", &path("x"), TRACKER[0], TRACKER[1], "-o", "/dev/null"]).0, 4);
    assert!(create(&path("x.tinytorrent")).1.contains("it is a manifest"));
    assert_eq!(
        ttctl_fails(&["create", &path("x"), TRACKER[0], TRACKER[1], "-o", &path("none/x")]).1,
        format!("cannot write {}: no such file or directory", path("none/x"))
    );
}

#[test]
fn check_finds_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let (file, torrent) = (folder.path().join("x"), folder.path().join("x.tinytorrent"));
    let good = bytes((3 << 20) + 5);
    fs::write(&torrent, manifest("x", &good).to_text()).unwrap();
    let check = || ttctl(&["check", text(&torrent)]);

    assert!(check().0.starts_with("the manifest is valid: x, "), "without a file");
    fs::write(&file, &good).unwrap();
    assert!(check().0.ends_with("x matches (3.0 MiB)\n"));

    let mut corrupt = good.clone();
    corrupt[1 << 20] ^= 1;
    fs::write(&file, &corrupt).unwrap();
    let (printed, result) = ttctl(&["check", text(&torrent), text(&file), "--json"]);
    assert!(
        printed.contains("\"matches\":false,\"chunks_bad\":[1],\"error\":{\"kind\":\"bad_data\","),
        "{printed}"
    );
    let error = result.unwrap_err();
    assert_eq!(error.exit_code(), 6);
    assert_eq!(
        error.message,
        format!("{} does not match: 1 of 4 chunks differs or is missing: 1", file.display())
    );

    fs::write(&torrent, "x\nno hash\n").unwrap();
    let line_2 = format!(
        "{} is not a valid .tinytorrent manifest: line 2: not 64 hexadecimal digits: \"no hash\"",
        torrent.display()
    );
    assert_eq!(ttctl_fails(&["check", text(&torrent)]), (6, line_2));
}

#[test]
fn a_file_and_a_manifest_that_were_mixed_up_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (data, broken, missing) = (path("big file"), path("x.tinytorrent"), path("y.tinytorrent"));
    fs::write(&data, [0xff, 0, 0xfe]).unwrap();
    fs::write(&broken, "x\n").unwrap();
    let fake = Fake::start();
    let said = |args: [&str; 2]| {
        let (_, result) = ttctl(&[args[0], args[1], "--directory", fake.folder()]);
        let error = result.unwrap_err();
        (error.message, error.hint.unwrap())
    };
    let (message, hint) = said(["get", &data]);
    assert_eq!(message, format!("{data} is not a valid .tinytorrent manifest"));
    assert!(hint.starts_with("to share it: `ttctl ") && hint.contains(&format!("share '{data}'`")), "{hint}");
    let (message, hint) = said(["get", &broken]);
    assert!(message.starts_with(&format!("{broken} is not a valid .tinytorrent manifest: ")), "{message}");
    assert!(!hint.contains("share"), "{hint}");
    let (message, hint) = said(["get", &missing]);
    assert_eq!(message, format!("cannot open {missing}: no such file or directory"));
    assert!(hint.starts_with("to fetch it by its name: `ttctl ") && hint.ends_with("get y`"), "{hint}");
    let (message, hint) = said(["share", &broken]);
    assert_eq!(message, format!("cannot share {broken}: it is a manifest"));
    assert!(
        hint.starts_with("to fetch what it describes: `ttctl ") && hint.ends_with(&format!("get {broken}`")),
        "{hint}"
    );
}
