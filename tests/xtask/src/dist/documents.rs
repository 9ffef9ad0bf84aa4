//! README.md as it is in a package, where every link must lead to an existing file.

/// README.md for `/usr/share/doc/tinytorrent`, beside the other documents. Links to files that the package lacks become
/// plain text.
pub(super) fn readme(text: &str) -> String {
    map_links(text, |target| match target {
        "CHANGELOG.md" => Some("changelog.gz".to_owned()),
        "LICENSE-MIT" | "LICENSE-APACHE" => Some("copyright".to_owned()),
        "config" => Some("/etc/tinytorrent".to_owned()),
        "systemd" => Some("/usr/lib/systemd/system".to_owned()),
        _ if is_elsewhere(target) => Some(target.to_owned()),
        _ => target.strip_prefix("docs/").map(str::to_owned),
    })
}

/// Whether a link leads out of the project, or to a heading of the same document.
fn is_elsewhere(target: &str) -> bool {
    target.contains("://") || target.starts_with('#')
}

/// Replaces the target of every link of a Markdown text. Where `new` returns `None`, only the link's text remains.
pub(super) fn map_links(text: &str, new: impl Fn(&str) -> Option<String>) -> String {
    let mut mapped = String::new();
    let mut rest = text;
    while let Some((before, label, target, after)) = next_link(rest) {
        mapped += before;
        mapped += &match new(target) {
            Some(target) => format!("[{label}]({target})"),
            None => label.to_owned(),
        };
        rest = after;
    }
    mapped + rest
}

/// The text before the next `[label](target)`, its two parts, and the text after it.
fn next_link(text: &str) -> Option<(&str, &str, &str, &str)> {
    for (middle, _) in text.match_indices("](") {
        let Some(open) = text[..middle].rfind('[') else { continue };
        let target = &text[middle + 2..];
        let Some(close) = target.find([')', '\n']).filter(|&at| target[at..].starts_with(')')) else {
            continue;
        };
        return Some((&text[..open], &text[open + 1..middle], &target[..close], &target[close + 1..]));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn targets(text: &str) -> Vec<String> {
        let mut targets = Vec::new();
        let mut rest = text;
        while let Some((_, _, target, after)) = next_link(rest) {
            targets.push(target.to_owned());
            rest = after;
        }
        targets
    }

    #[test]
    fn links_are_mapped_and_the_rest_stays() {
        let text =
            "a [`b`](docs/b.md), [c](CONTRIBUTING.md) [d] (e) [f](https://g) and [two\nlines](LICENSE-MIT)";
        let expected = "a [`b`](b.md), c [d] (e) [f](https://g) and [two\nlines](copyright)";
        assert_eq!(readme(text), expected);
    }

    /// The files of the package tinytorrent, by its list in daemon/Cargo.toml and the generated ones.
    #[test]
    fn every_link_in_the_package_leads_somewhere() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let assets = include_str!("../../../../daemon/Cargo.toml");
        assert!(assets.contains("\"target/release/package/documents/README.md\""));
        let is_there = |target: &str| match target {
            "copyright" => assets.contains("license-file ="),
            "changelog.gz" => assets.contains(target),
            _ if target.starts_with('/') => {
                assets.contains(&format!("\"{}/", target.trim_start_matches('/')))
            }
            _ => assets.contains("\"../docs/*.md\"") && root.join("docs").join(target).is_file(),
        };
        let mut documents = vec![("README.md".to_owned(), readme(include_str!("../../../../README.md")))];
        for entry in std::fs::read_dir(root.join("docs")).unwrap() {
            let path = entry.unwrap().path();
            documents.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
        let mut count = 0;
        for (name, text) in documents {
            for target in targets(&text).iter().filter(|target| !is_elsewhere(target)) {
                assert!(is_there(target), "{name} links to {target}");
                count += 1;
            }
        }
        assert!(count > 10);
    }
}
