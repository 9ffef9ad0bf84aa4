//! Section 5: the two config files, from the declarations of their keys, and the manifest.

use crate::page::Page;
use shared::host::config::{DaemonConfig, Key, TrackerConfig};

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
         SupplementaryGroups=www-data sees to it. Without file_group, a shared folder with the setgid bit hands \
         its own group on.",
    );
    files(&mut page, "ttd.toml");
    page.see_also(&["ttd(1)", "ttctl(1)", "tt-tracker.toml(5)"]);
    page
}

pub(crate) fn tt_tracker_toml() -> Page {
    let mut page = Page::new("tt-tracker.toml", 5, "the configuration of tt-tracker");
    config(&mut page, "tt-tracker", TrackerConfig::KEYS, TrackerConfig::FIXED, &TrackerConfig::example());
    page.heading("EXAMPLES");
    page.example("listen = \"10.0.0.1:7986\"\npublication_ttl = \"1 day\"".replace("1 day", "24 h").as_str());
    files(&mut page, "tt-tracker.toml");
    page.see_also(&["tt-tracker(1)", "ttd.toml(5)"]);
    page
}

fn config(page: &mut Page, program: &str, keys: &[Key], fixed: &[&str], example: &str) {
    page.heading("DESCRIPTION");
    page.paragraph(&format!(
        "A TOML file: one \"key = value\" per line. A key that is left out has its default; without the file, \
         everything is as by default. Options on the command line come before the file. `{program} --check-config` \
         tells whether the file is right: a mistake is told with its line, its key and what was expected."
    ));
    page.paragraph(&format!(
        "On SIGHUP (`systemctl reload {program}`) {program} reads the file again. A file with a mistake in it \
         changes nothing. What cannot change while {program} runs is named in its log, and waits for a restart: {}.",
        fixed.join(", ")
    ));
    page.heading("KEYS");
    for key in keys {
        let text = key.description.concat();
        let default = example.lines().find_map(|line| line.strip_prefix(&format!("#{} = ", key.name)));
        let default = default.unwrap_or_else(|| panic!("the example file has no {}", key.name));
        page.term(key.name, &format!("{} Default: {default}", text.trim()));
    }
}

fn files(page: &mut Page, name: &str) {
    page.heading("FILES");
    page.term(&format!("/etc/tinytorrent/{name}"), "The machine's.");
    if name == "ttd.toml" {
        page.term("/etc/tinytorrent/NAME/ttd.toml", "That of ttd@NAME.service.");
    }
    page.term(&format!("~/.config/tinytorrent/{name}"), "A user's own.");
}

pub(crate) fn tinytorrent() -> Page {
    let mut page = Page::new("tinytorrent", 5, "the manifest of a resource, NAME.tinytorrent");
    page.heading("DESCRIPTION");
    page.paragraph(
        "A manifest names a file and everything that is needed to fetch it from machines that nobody trusts. It is \
         a text in UTF-8; its lines end with a line feed, the last one too:",
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
         longer than 243 bytes, begins with \".tinytorrent\" or ends in \".tinytorrent\". A manifest has at most \
         4,194,304 chunks (4 TiB).",
    );
    page.heading("EXAMPLES");
    page.example(
        "hello.txt\n\
         5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\n\
         tt://tracker.example:7986\n\
         5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
    );
    page.paragraph("`ttctl create` makes a manifest, `ttctl check` compares a file with one.");
    page.see_also(&["ttctl(1)", "ttctl-create(1)", "ttctl-check(1)", "ttd(1)", "sha256sum(1)"]);
    page
}
