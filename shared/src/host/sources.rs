//! Finds out from `/etc/nsswitch.conf` which sources this machine has for groups.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const SOURCES: &str = "/etc/nsswitch.conf";

/// Sources that know all their groups before any service starts.
const LOCAL: &[&str] = &["files", "compat", "systemd"];

/// The most bytes of the file that are read; the rest is ignored. The file usually has one or two KiB.
const SOURCES_BYTES_MAX: u64 = 64 << 10;

/// Whether a source of groups, such as sssd or LDAP, may start later than this service. Until then it may deny that a
/// group exists.
pub fn may_learn_groups() -> bool {
    // without the file the C library asks only /etc/group
    read(Path::new(SOURCES)).is_ok_and(|text| names_directory(&text))
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SOURCES_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether a line of `group` names another source than the [`LOCAL`] ones. Words in brackets are not sources but
/// reactions to an answer, as in `group: files [SUCCESS=merge] sss`.
fn names_directory(text: &str) -> bool {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut groups = lines.filter_map(|line| line.split_once(':')).filter(|(name, _)| name.trim() == "group");
    groups.any(|(_, sources)| {
        let mut is_source = true;
        let outside = |c: char| match c {
            '[' | ']' => {
                is_source = c == ']';
                ' '
            }
            c if is_source => c,
            _ => ' ',
        };
        let sources: String = sources.chars().map(outside).collect();
        sources.split_whitespace().any(|source| !LOCAL.contains(&source))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_that_are_started_later_are_told_from_local_ones() {
        for text in ["", "group: files systemd\n", "group:\n", "passwd: files sss\ngroup: compat\n"] {
            assert!(!names_directory(text), "{text:?}");
        }
        assert!(!names_directory("group: files # sss\n#group: sss\ngroup_compat: nis\n"));
        assert!(!names_directory("group: files [NOTFOUND=return UNAVAIL=continue] systemd\n"));
        for text in
            ["group: files sss", " group :\tsss\n", "group: files[SUCCESS=merge]ldap", "group: hesiod"]
        {
            assert!(names_directory(text), "{text:?}");
        }
    }
}
