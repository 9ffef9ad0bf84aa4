//! Prepares the production code that the tests run, at each build and from the files themselves: `std`'s locks and
//! threads give way to those of this crate, which the tests can run in any order, and bounds to smaller ones, which few
//! threads reach. So nothing is copied by hand, and production code knows nothing of this crate.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// A production file, where it is put in `OUT_DIR`, and the bounds that become smaller.
struct Source {
    from: &'static str,
    to: &'static str,
    bounds: &'static [(&'static str, &'static str)],
}

const SOURCES: [Source; 5] = [
    Source {
        from: "daemon/src/library/unnoted.rs",
        to: "unnoted.rs",
        bounds: &[("const UNNOTED_MAX: u32 = 64;", "const UNNOTED_MAX: u32 = 2;")],
    },
    Source { from: "daemon/src/library/whole/hash.rs", to: "whole/hash.rs", bounds: &[] },
    Source { from: "daemon/src/library/whole/recent.rs", to: "whole/recent.rs", bounds: &[] },
    Source {
        from: "shared/src/host/hashing.rs",
        to: "hashing/mod.rs",
        bounds: &[("const WINDOW: usize = 8;", "const WINDOW: usize = 2;")],
    },
    Source { from: "shared/src/host/hashing/body.rs", to: "hashing/body.rs", bounds: &[] },
];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    for source in SOURCES {
        let from = root.join(source.from);
        println!("cargo::rerun-if-changed={}", from.display());
        let text = fs::read_to_string(&from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        let to = out.join(source.to);
        fs::create_dir_all(to.parent().expect("it is in a directory")).expect("OUT_DIR takes directories");
        fs::write(&to, prepared(&text, &source)).expect("OUT_DIR takes files");
    }
}

/// The text with each line where it was, so that places in messages are those of the production file.
fn prepared(text: &str, source: &Source) -> String {
    let mut text = text.to_owned();
    for (bound, smaller) in source.bounds {
        assert_eq!(text.matches(bound).count(), 1, "{} no longer says: {bound}", source.from);
        text = text.replace(bound, smaller);
    }
    // Its own tests run with `std`, where it is at home.
    let text = text.replace("#[cfg(test)]\nmod tests", "#[cfg(any())]\nmod tests");
    let text = text.replace("#[cfg(test)]\npub(super) mod tests", "#[cfg(any())]\nmod tests");
    let text = text.replace("std::sync", "crate::sync").replace("std::thread", "crate::thread");
    // `include!` takes no inner documentation.
    let lines =
        text.lines().map(|line| line.strip_prefix("//!").map_or(line.to_owned(), |doc| format!("//{doc}")));
    lines.map(|line| line + "\n").collect()
}
