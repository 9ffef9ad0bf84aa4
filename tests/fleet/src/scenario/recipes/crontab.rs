//! Lines of `/etc/cron.d`.

/// A line of a file in `/etc/cron.d`: five times, a user, and what the shell is given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    times: [&'a str; 5],
    pub(super) user: &'a str,
    pub(super) command: &'a str,
}

impl<'a> Line<'a> {
    /// Every line that is neither empty nor a comment.
    pub(super) fn all(text: &'a str) -> Result<Vec<Line<'a>>, String> {
        let is_line = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
        text.lines().filter(is_line).map(Line::read).collect()
    }

    fn read(line: &'a str) -> Result<Line<'a>, String> {
        let bad = || format!("not a line of /etc/cron.d: {line}");
        let mut rest = line.trim_start();
        let mut words = [""; 6];
        for word in &mut words {
            let (first, after) = rest.split_once(char::is_whitespace).ok_or_else(bad)?;
            (*word, rest) = (first, after.trim_start());
        }
        // cron makes a line feed of a percent sign
        if rest.is_empty() || rest.contains('%') {
            return Err(bad());
        }
        let [a, b, c, d, e, user] = words;
        Ok(Line { times: [a, b, c, d, e], user, command: rest })
    }

    /// The same, every minute.
    pub(super) fn every_minute(&self) -> String {
        format!("* * * * * {} {}\n", self.user, self.command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart() {
        let lines = Line::all("# /etc/cron.d/x\n\n5 */4 * * 1-5  root  a \"b  c\" >/dev/null\n").unwrap();
        let expected =
            Line { times: ["5", "*/4", "*", "*", "1-5"], user: "root", command: "a \"b  c\" >/dev/null" };
        assert_eq!(lines, [expected]);
        assert_eq!(lines[0].every_minute(), "* * * * * root a \"b  c\" >/dev/null\n");
    }

    #[test]
    fn a_line_without_a_user_or_a_command_is_refused() {
        for bad in ["* * * * * root", "* * * * root", "5 4 * * * root date +%s"] {
            assert!(Line::all(bad).is_err(), "{bad}");
        }
    }
}
