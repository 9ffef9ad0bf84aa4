//! The parts of the project whose tests are tried by mutants.

/// Source files, and the tests that must notice when they change.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) package: &'static str,
    /// Patterns of its files, from the repository's root.
    pub(super) files: &'static [&'static str],
    /// The tests that run first: those whose names contain one of these words.
    pub(super) tests: &'static [&'static str],
    /// The packages all of whose tests run for a mutant that these leave alive.
    pub(super) all_tests: &'static [&'static str],
    /// What cargo builds for a program with all mutants.
    pub(super) switched: &'static [&'static str],
    /// Limits the seconds of the first tests. Beyond it a mutant counts as found: it made something endless.
    pub(super) timeout_s: u32,
}

pub(super) const GROUPS: [Group; 5] = [
    Group {
        name: "swarm",
        package: "shared",
        files: &["shared/src/swarm/**/*.rs"],
        tests: &["swarm"],
        all_tests: &["shared", "sim"],
        switched: &["--package", "shared", "--package", "sim", "--all-features", "--lib", "--tests"],
        timeout_s: 60,
    },
    Group {
        name: "library",
        package: "daemon",
        files: &["daemon/src/library/**/*.rs"],
        tests: &["library::"],
        all_tests: &["daemon"],
        switched: &["--package", "daemon", "--lib"],
        timeout_s: 60,
    },
    Group {
        name: "store",
        package: "daemon",
        files: &["daemon/src/store/**/*.rs"],
        tests: &["store::"],
        all_tests: &["daemon"],
        switched: &["--package", "daemon", "--lib"],
        timeout_s: 120,
    },
    Group {
        name: "news",
        package: "daemon",
        files: &[
            "daemon/src/board/news.rs",
            "daemon/src/board/feed.rs",
            "daemon/src/peer/follow.rs",
            "daemon/src/peer/wishes.rs",
        ],
        tests: &["board::", "peer::"],
        all_tests: &["daemon"],
        switched: &["--package", "daemon", "--lib"],
        timeout_s: 60,
    },
    Group {
        name: "registry",
        package: "tracker",
        files: &["tracker/src/memory/**/*.rs"],
        tests: &["memory"],
        all_tests: &["tracker"],
        switched: &["--package", "tracker", "--lib", "--tests"],
        timeout_s: 60,
    },
];

/// The group of this name.
pub(super) fn named(name: &str) -> Result<&'static Group, String> {
    let names = || GROUPS.iter().map(|group| group.name).collect::<Vec<_>>().join(", ");
    GROUPS
        .iter()
        .find(|group| group.name == name)
        .ok_or_else(|| format!("unknown group \"{name}\"; the groups are {}", names()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_files_of_each_group_are_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for pattern in GROUPS.iter().flat_map(|group| group.files) {
            let path = root.join(pattern.trim_end_matches("/**/*.rs"));
            assert!(path.exists(), "{}", path.display());
        }
    }
}
