//! Makes the man pages: `manual OUT` writes OUT/tinytorrent/man1/ttd.1 and all others, by package and section.
//!
//! The text comes from the programs as far as possible: command lines from clap, config keys from their declarations.
//! `page` writes one page, `programs` has those of section 1 (`synopsis` their first lines, `notes` the text of their
//! help), `formats` those of section 5.

mod formats;
mod notes;
mod page;
mod programs;
mod synopsis;

use page::Page;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A page, and which package brings it.
struct Delivered {
    package: &'static str,
    page: Page,
}

fn main() -> ExitCode {
    let Some(out) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: manual OUT");
        return ExitCode::from(2);
    };
    match write(&out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("manual: {}: {error}", out.display());
            ExitCode::FAILURE
        }
    }
}

fn write(out: &Path) -> io::Result<()> {
    for Delivered { package, page } in pages() {
        let folder = out.join(package).join(format!("man{}", page.section()));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("{}.{}", page.name(), page.section())), page.text())?;
    }
    Ok(())
}

fn pages() -> Vec<Delivered> {
    let daemon = [programs::ttd(), formats::ttd_toml(), formats::tinytorrent()];
    let tracker = [programs::tt_tracker(), formats::tt_tracker_toml()];
    let of = |package: &'static str| move |page| Delivered { package, page };
    let with_ttctl = daemon.into_iter().chain(programs::ttctl());
    with_ttctl.map(of("tinytorrent")).chain(tracker.into_iter().map(of("tinytorrent-tracker"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn every_page_is_there_and_complete() {
        let pages = pages();
        let find = |name: &str| {
            let found = pages.iter().find(|delivered| delivered.page.name() == name);
            found.unwrap_or_else(|| panic!("there is no page {name}")).page.text()
        };
        for name in ["ttd", "ttctl", "tt-tracker"] {
            let text = find(name);
            for section in ["NAME", "SYNOPSIS", "EXAMPLES", "FILES", "ENVIRONMENT", "EXIT CODES", "SEE ALSO"]
            {
                assert!(
                    text.contains(&format!(".SH \"{section}\""))
                        || text.contains(&format!(".SH {section}\n")),
                    "{name} has no section {section}"
                );
            }
        }
        let text = find("ttd.toml");
        for key in shared::host::config::DaemonConfig::KEYS {
            assert!(text.contains(&key.name.replace('_', "\\_")) || text.contains(key.name), "{}", key.name);
        }
        assert!(find("tinytorrent").contains("SHA\\-256") || find("tinytorrent").contains("SHA-256"));
        find("ttctl-share");
        find("ttctl-tracker-list");
    }

    /// `man ttctl` leads to nothing that is not there.
    #[test]
    fn every_page_of_ours_that_is_named_exists() {
        let pages = pages();
        let names: Vec<String> =
            pages.iter().map(|made| format!("{}({})", made.page.name(), made.page.section())).collect();
        let mut count = 0;
        for made in &pages {
            let text = made.page.text().replace('\\', "");
            let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "-._()".contains(c)));
            for word in words.filter(|word| word.ends_with("(1)") || word.ends_with("(5)")) {
                if word.starts_with("tt") || word.starts_with("tinytorrent") {
                    assert!(names.iter().any(|name| name == word), "{} names {word}", made.page.name());
                    count += 1;
                }
            }
        }
        assert!(count > 30, "{count}");
    }

    #[test]
    fn a_synopsis_fits_a_person() {
        let pages = pages();
        let get = pages.iter().find(|made| made.page.name() == "ttctl-get").unwrap().page.text();
        let (_, rest) = get.split_once(".SH SYNOPSIS\n").unwrap();
        let line =
            rest.split(".SH").next().unwrap().replace("\\fB", "").replace("\\fR", "").replace("\\fI", "");
        let line = line.replace('\\', "").replace('\u{a0}', " ");
        for part in ["ttctl get [-o PATH]", "[--detach | --timeout DURATION]", " WHAT"] {
            assert!(line.contains(part), "{line}");
        }
        assert!(!line.contains("--socket") && !line.contains("--help"), "{line}");
        assert!(get.contains(".SH ARGUMENTS"), "{get}");
    }

    /// All pages as files.
    fn written(out: &Path) -> Vec<PathBuf> {
        write(out).unwrap();
        let mut files = Vec::new();
        for package in ["tinytorrent", "tinytorrent-tracker"] {
            for section in ["man1", "man5"] {
                let folder = fs::read_dir(out.join(package).join(section)).unwrap();
                files.extend(folder.map(|entry| entry.unwrap().path()));
            }
        }
        assert!(files.len() > 15);
        files
    }

    #[test]
    fn a_page_fits_80_columns_and_its_name_one_line() {
        let out = tempfile::tempdir().unwrap();
        for file in written(out.path()) {
            let groff = ["-man", "-Tutf8", "-Kutf8", "-rLL=78n", "-P-cbou"];
            let Ok(output) = Command::new("groff").args(groff).arg(&file).output() else {
                return cluster::skip::skipped("groff is not installed");
            };
            let page = String::from_utf8_lossy(&output.stdout);
            for line in page.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", file.display());
            }
            let after: Vec<&str> = page.lines().skip_while(|line| *line != "NAME").skip(1).collect();
            assert!(after[0].contains(" - ") && after[1].is_empty(), "{}: {after:?}", file.display());
        }
    }

    /// groff's own opinion; where it is not installed there is none.
    #[test]
    fn groff_has_nothing_to_say() {
        let out = tempfile::tempdir().unwrap();
        for file in written(out.path()) {
            let groff = ["-man", "-ww", "-z", "-Tutf8", "-Kutf8"];
            let Ok(output) = Command::new("groff").args(groff).arg(&file).output() else {
                return cluster::skip::skipped("groff is not installed");
            };
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{}: {said}", file.display());
        }
    }
}
