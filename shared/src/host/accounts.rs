//! Users and groups of this machine, by name and by number: those in /etc/passwd and /etc/group. What a directory
//! service knows beyond them has to be named by its number.

/// A group's number, by number or by name.
pub fn group_id(group: &str) -> Option<u32> {
    group.parse().ok().or_else(|| find("/etc/group", |fields| fields[0] == group)?.1)
}

/// A group's name.
pub fn group_name(id: u32) -> Option<String> {
    find("/etc/group", |fields| fields[2].parse() == Ok(id)).map(|(name, _)| name)
}

/// A user's name.
pub fn user_name(id: u32) -> Option<String> {
    find("/etc/passwd", |fields| fields[2].parse() == Ok(id)).map(|(name, _)| name)
}

/// Name and number of the first line that fits.
fn find(file: &str, fits: impl Fn(&[&str]) -> bool) -> Option<(String, Option<u32>)> {
    let text = std::fs::read_to_string(file).ok()?;
    let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = fields.into_iter().find(|fields| fields.len() > 2 && fits(fields))?;
    Some((found[0].to_owned(), found[2].parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known() {
        assert_eq!((group_id("root"), group_id("0"), group_id("4711")), (Some(0), Some(0), Some(4711)));
        assert_eq!((group_name(0).as_deref(), user_name(0).as_deref()), (Some("root"), Some("root")));
        assert_eq!((group_id("no such group"), user_name(u32::MAX)), (None, None));
    }
}
