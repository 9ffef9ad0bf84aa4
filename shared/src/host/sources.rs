//! Where this machine has its groups: `/etc/nsswitch.conf` names the sources.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const SOURCES: &str = "/etc/nsswitch.conf";

/// The sources that know all their groups when the first service starts.
const LOCAL: &[&str] = &["files", "compat", "systemd"];

/// What lies behind this many bytes of the file is not read.
const SOURCES_BYTES_MAX: u64 = 64 << 10;

/// Whether a source of groups may be started later than we are, such as sssd or LDAP: until then it may say that there is
/// no such group.
pub fn may_learn_groups() -> bool {
    // without the file the C library asks /etc/group alone
    read(Path::new(SOURCES)).is_ok_and(|text| names_directory(&text))
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SOURCES_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether a line of `group` names another source than the [`LOCAL`] ones. In brackets stands what follows an answer, as in
/// `group: files [SUCCESS=merge] sss`.
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
