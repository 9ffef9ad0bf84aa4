//! Section 5: the two config files, from the declarations of their keys, and the manifest.

use crate::page::Page;
use shared::host::config::{DaemonConfig, Key, Shape, TrackerConfig};

pub(crate) fn ttd_toml() -> Page {
    let mut page = Page::new("ttd.toml", 5, "the configuration of ttd");
    config(&mut page, "ttd", DaemonConfig::KEYS, DaemonConfig::FIXED, &DaemonConfig::example());
    page.heading("EXAMPLES");
    page.example(
        "# A server of a fleet, at a site whose uplink is shared with others.\n\
         trackers = [\"tt://tracker.example\"]\n\
         zone = \"paris\"\n\
         upload_limit = \"200 Mbit/s\"\n\
         file_mode = \"0640\"\n\
         file_group = \"www-data\"",
    );
    page.paragraph(
        "For file_group, the user of ttd must be in that group; for ttd.service a drop-in with \
         SupplementaryGroups=www-data does that. Without file_group, files in a shared directory with the setgid bit \
         get the group of that directory.",
    );
    files(&mut page, "ttd.toml");
    page.see_also(&["ttd(1)", "ttctl(1)", "tt-tracker.toml(5)"]);
    page
}

pub(crate) fn tt_tracker_toml() -> Page {
    let mut page = Page::new("tt-tracker.toml", 5, "the configuration of tt-tracker");
    config(&mut page, "tt-tracker", TrackerConfig::KEYS, TrackerConfig::FIXED, &TrackerConfig::example());
    page.heading("EXAMPLES");
    page.example("listen = \"10.0.0.1:7986\"\npublication_ttl = \"24 h\"");
    files(&mut page, "tt-tracker.toml");
    page.see_also(&["tt-tracker(1)", "ttd.toml(5)"]);
    page
}

fn config(page: &mut Page, program: &str, keys: &[Key], fixed: &[&str], example: &str) {
    let before = match program {
        "ttd" => "Options on the command line override the environment, which overrides the file.",
        _ => "Options on the command line override the file.",
    };
    page.heading("DESCRIPTION");
    page.paragraph(&format!(
        "A TOML file: one \"key = value\" per line. A key that is left out has its default. The file may be \
         missing. {before} `{program} --check-config` \
         checks the file, and reports a mistake with its line, its key and what was expected."
    ));
    page.paragraph(&format!(
        "After the file its drop-ins are read, *.toml in {program}.d beside it, in the order of the bytes of their names; \
         after FILE.toml of --config FILE.toml, those in FILE.d. A later file overrides an earlier one; a list replaces \
         the whole former list, and each file adds its own tables to an array of tables. The drop-ins are read even if \
         the file does not exist. Directories, and names that begin with a dot, are ignored. A drop-in that cannot be \
         read is an error. At most 256 drop-ins of at most 1 MiB each are read; more are an error. \
         `{program} --check-config` names the files that are read."
    ));
    page.paragraph(&format!(
        "On SIGHUP (`systemctl reload {program}`) {program} reads all of it again. If a file has a mistake, nothing \
         changes. A change of these keys needs a restart, and is logged: {}.",
        fixed.join(", ")
    ));
    page.heading("KEYS");
    terms(page, keys, "", example);
}

/// Each key as a term; after a table come its own keys, with its name before theirs.
fn terms(page: &mut Page, keys: &[Key], table: &str, example: &str) {
    for key in keys {
        let path = if table.is_empty() { key.name.to_owned() } else { format!("{table}.{}", key.name) };
        let text = key.description.concat();
        let text = text.trim();
        match key.shape {
            Shape::Value if key.is_required => page.term(&path, &format!("{text} It must be set.")),
            Shape::Value => {
                page.term(&path, &format!("{text} Default: {}", default(example, table, key.name)))
            }
            Shape::Table(below) => {
                page.term(&format!("[{path}]"), text);
                terms(page, below, &path, example);
            }
            Shape::Tables(below) => {
                page.term(&format!("[[{path}]]"), text);
                terms(page, below, &path, example);
            }
        }
    }
}

/// The default of a key, as the example file shows it in this table.
fn default<'a>(example: &'a str, table: &str, name: &str) -> &'a str {
    let mut current = "";
    for line in example.lines() {
        if let Some(header) = line.strip_prefix("#[") {
            current = header.trim_matches(['[', ']']);
        }
        let value = line.strip_prefix('#').and_then(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        if let Some(value) = value.filter(|_| current == table) {
            return value;
        }
    }
    panic!("the example file has no {name} in [{table}]")
}

fn files(page: &mut Page, name: &str) {
    page.heading("FILES");
    page.term(&format!("/etc/tinytorrent/{name}"), "The configuration of the machine.");
    let program = name.trim_end_matches(".toml");
    page.term(&format!("/etc/tinytorrent/{program}.d/*.toml"), "The drop-ins of the machine.");
    if name == "ttd.toml" {
        page.term("/etc/tinytorrent/NAME/ttd.toml", "The configuration of ttd@NAME.service.");
        page.term("/etc/tinytorrent/NAME/ttd.d/*.toml", "The drop-ins of ttd@NAME.service.");
    }
    page.term(&format!("~/.config/tinytorrent/{name}"), "The configuration of a user.");
    page.term(&format!("~/.config/tinytorrent/{program}.d/*.toml"), "The drop-ins of a user.");
}

pub(crate) fn tinytorrent() -> Page {
    let mut page = Page::new("tinytorrent", 5, "the manifest of a resource, NAME.tinytorrent");
    page.heading("DESCRIPTION");
    page.paragraph(
        "A manifest describes a file, so that it can be fetched from machines that need not be trusted. It is a text in \
         UTF-8; each line ends with a line feed, also the last one:",
    );
    page.term("line 1", "The resource's name: one component of a path.");
    page.term(
        "line 2",
        "The SHA-256 of the whole resource, as 64 hexadecimal digits in lower case. This is the resource's id.",
    );
    page.term(
        "line 3",
        "The address of the tracker, tt://HOST:PORT; the port is 7986 if it is left out. Several are separated by \
         one space. Never empty.",
    );
    page.term(
        "line 4 and on",
        "The SHA-256 of each chunk of 1 MiB (1,048,576 bytes), one per line, in order. The last chunk may be \
         shorter. An empty resource has no such line.",
    );
    page.paragraph(
        "Nothing else is ever in it. There is no size: that of the last chunk is known when it was fetched. A reader \
         also takes carriage returns before line feeds, a missing last line end and upper-case digits, and refuses \
         everything else with the number of the line.",
    );
    page.paragraph(
        "A name is refused if it is empty, \".\" or \"..\", has a \"/\", a \"\\\" or a control character in it, is \
         longer than 243 bytes, begins with \".tinytorrent\", or ends in \".tinytorrent\" or \".tinytorrent.minisig\". \
         A manifest has at most 4,194,304 chunks (4 TiB).",
    );
    page.paragraph(
        "NAME.tinytorrent.minisig is the signature of a manifest, in the format of minisign(1). Of that program's two \
         forms, only the one with a hash is read, which is its default.",
    );
    page.heading("EXAMPLES");
    page.example(
        "hello.txt\n\
         5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\n\
         tt://tracker.example:7986\n\
         5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
    );
    page.paragraph(
        "`ttctl create` makes a manifest, `ttctl check` compares a file with one, `ttctl sign` signs one.",
    );
    page.see_also(&[
        "ttctl(1)",
        "ttctl-create(1)",
        "ttctl-check(1)",
        "ttctl-sign(1)",
        "ttd(1)",
        "sha256sum(1)",
    ]);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_listed_with_their_keys() {
        const fn key(name: &'static str, is_required: bool, shape: Shape) -> Key {
            Key { name, description: &[" What it is."], is_required, shape }
        }
        const BELOW: &[Key] = &[key("zone", false, Shape::Value), key("names", true, Shape::Value)];
        let keys = [key("zone", false, Shape::Value), key("rule", false, Shape::Tables(BELOW))];
        let example = "# What it is.\n#zone = 1\n\n#[[rule]]\n#zone = 2\n#names = []\n";
        let mut page = Page::new("x", 5, "x");
        terms(&mut page, &keys, "", example);
        let text = page.text();
        let places = [
            "What it is. Default: 1",
            "[[rule]]",
            "rule.zone",
            "Default: 2",
            "rule.names",
            "It must be set.",
        ]
        .map(|part| text.find(part).unwrap_or_else(|| panic!("no {part:?} in {text}")));
        assert!(places.is_sorted(), "{text}");
    }
}
