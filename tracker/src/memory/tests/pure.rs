//! Tests that the memory is pure: it has no clock, socket, file, lock or task.

use std::fs;
use std::path::{Path, PathBuf};

/// Words that must not occur in the memory's files outside tests.
const IMPURE: [&str; 16] = [
    "tokio",
    "tarpc",
    "futures",
    "async ",
    ".await",
    "Instant",
    "SystemTime",
    "std::fs",
    "std::io",
    "std::process",
    "std::sync::Mutex",
    "std::thread",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "rand::",
];

/// The words of these that a file contains, outside comments and the tests at its end.
fn impure_in(text: &str) -> Vec<&'static str> {
    let (code, _) = text.split_once("#[cfg(test)]\nmod tests {").unwrap_or((text, ""));
    let lines = || code.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    IMPURE.into_iter().filter(|word| lines().any(|line| line.contains(word))).collect()
}

/// The files of a folder and its subfolders, without tests.
fn find_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        match path.is_dir() {
            true if path.ends_with("tests") => {}
            true => find_files(&path, files),
            false => files.push(path),
        }
    }
}

#[test]
fn nothing_here_waits_or_has_a_clock() {
    assert_eq!(impure_in("//! no tokio\nuse std::time::Instant;\nuse tokio::time;\n"), ["tokio", "Instant"]);
    assert_eq!(impure_in("use a::B;\n\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n"), [""; 0]);
    let mut files = Vec::new();
    find_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/memory"), &mut files);
    assert!(files.len() > 10, "{files:?}");
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(impure_in(&text), [""; 0], "in {}", path.display());
    }
}
