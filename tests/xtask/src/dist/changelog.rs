//! Makes the changelog of a Debian package from the entries in CHANGELOG.md.

/// The longest line in a Debian changelog, in characters; longer entries are wrapped.
const LINE_MAX: usize = 80;

/// One entry in Debian's form: the changes that CHANGELOG.md lists under `[upstream]`, or under `[Unreleased]` if that
/// version is not released yet. `version` is the package's, `date` is in the format of RFC 5322.
pub(super) fn debian(
    text: &str,
    package: &str,
    upstream: &str,
    version: &str,
    date: &str,
) -> Result<String, String> {
    let of = |title: &str| text.split("\n## ").find(|part| part.starts_with(&format!("[{title}]")));
    let section = of(upstream).or_else(|| of("Unreleased"));
    let section = section.ok_or_else(|| format!("CHANGELOG.md has neither [{upstream}] nor [Unreleased]"))?;
    let mut changes = String::new();
    for group in section.split("\n### ").skip(1) {
        let (title, entries) = group.split_once('\n').unwrap_or((group, ""));
        changes += &format!("\n  [ {title} ]\n");
        for entry in format!("\n{entries}").split("\n- ").skip(1) {
            changes += &wrap(&without_links(entry));
        }
    }
    if changes.is_empty() {
        return Err("CHANGELOG.md lists no changes for this version".to_owned());
    }
    let maintainer = "TinyTorrent maintainers <maintainers@tinytorrent.invalid>";
    Ok(format!("{package} ({version}) unstable; urgency=medium\n{changes}\n -- {maintainer}  {date}\n"))
}

/// Wraps an entry. Only a long word makes a longer line.
fn wrap(entry: &str) -> String {
    let mut lines = String::new();
    let mut line = "  *".to_owned();
    for word in entry.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > LINE_MAX {
            lines += &format!("{line}\n");
            line = "   ".to_owned();
        }
        line += &format!(" {word}");
    }
    lines + &line + "\n"
}

/// Replaces each link by its text.
fn without_links(text: &str) -> String {
    super::documents::map_links(text, |_| None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Changelog\n\n## [Unreleased]\n\n### Added\n- New.\n\n## [0.1.0] - 2026-01-01\n\n### Added\n\
        - One that is\n  told in [two lines](docs/a.md).\n- Another.\n\n### Fixed\n- A third.\n";

    #[test]
    fn the_changes_of_a_version_are_told() {
        let made = debian(TEXT, "p", "0.1.0", "0.1.0+x", "Thu, 01 Jan 2026 00:00:00 +0000").unwrap();
        let expected = "p (0.1.0+x) unstable; urgency=medium\n\n  [ Added ]\n  * One that is told in two lines.\n  * Another.\n\n  \
            [ Fixed ]\n  * A third.\n\n -- TinyTorrent maintainers <maintainers@tinytorrent.invalid>  \
            Thu, 01 Jan 2026 00:00:00 +0000\n";
        assert_eq!(made, expected);
    }

    #[test]
    fn what_is_not_released_is_told_as_well() {
        let made = debian(TEXT, "p", "0.2.0", "0.2.0", "now").unwrap();
        assert!(made.contains("  * New.\n") && !made.contains("Another"), "{made}");
        assert!(debian("# Changelog\n", "p", "1", "1", "now").is_err());
        assert!(debian("\n## [Unreleased]\n", "p", "1", "1", "now").is_err());
    }

    #[test]
    fn no_line_of_our_own_is_too_long() {
        let text = include_str!("../../../../CHANGELOG.md");
        let made = debian(text, "p", "0.1.0", "0.1.0", "now").unwrap();
        let long = made.lines().find(|line| line.chars().count() > LINE_MAX);
        assert!(long.is_none() && made.lines().count() > 50, "{long:?}");
    }
}
