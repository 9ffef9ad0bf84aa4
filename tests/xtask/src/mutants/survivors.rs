//! The mutants that may survive, each with its reason: `tests/mutants/survivors.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Where the list is, from the repository's root.
pub(super) const LIST: &str = "tests/mutants/survivors.toml";

/// How many mutants of a name may survive. The name has no line and no column, so that it stays when the file changes.
#[derive(Debug, Default)]
pub(super) struct Survivors(BTreeMap<String, usize>);

impl Survivors {
    /// Reads the list.
    pub(super) fn read(root: &Path) -> Result<Survivors, String> {
        let path = root.join(LIST);
        let text =
            fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Survivors::parse(&text)
    }

    fn parse(text: &str) -> Result<Survivors, String> {
        let wrong = |what: &str| format!("{LIST}: {what}");
        let document: toml::Table = text.parse().map_err(|error| wrong(&format!("{error}")))?;
        let mut all = BTreeMap::new();
        let entries = document.get("survivor").and_then(toml::Value::as_array);
        for entry in entries.into_iter().flatten() {
            let word = |key: &str| entry.get(key).and_then(toml::Value::as_str).unwrap_or_default().trim();
            let (mutant, reason) = (word("mutant"), word("reason"));
            if mutant.is_empty() || reason.is_empty() {
                return Err(wrong(&format!("an entry lacks its mutant or its reason: {entry}")));
            }
            let count = entry
                .get("count")
                .map_or(Some(1), |count| count.as_integer().and_then(|n| n.try_into().ok()));
            let count: usize =
                count.filter(|&count| count > 0).ok_or_else(|| wrong("a count is no positive number"))?;
            if all.insert(mutant.to_owned(), count).is_some() {
                return Err(wrong(&format!("{mutant} is there twice; use count")));
            }
        }
        Ok(Survivors(all))
    }

    /// Those of these mutants that may not survive.
    pub(super) fn unlisted<'a>(&self, found: &'a [String]) -> Vec<&'a str> {
        let mut left = self.0.clone();
        let is_unlisted = |mutant: &&str| match left.get_mut(&without_place(mutant)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        };
        found.iter().map(String::as_str).filter(is_unlisted).collect()
    }

    /// The listed mutants of these files that are not among those that survived: their entries can go.
    pub(super) fn gone(&self, found: &[String], is_examined: impl Fn(&str) -> bool) -> Vec<&str> {
        let survive = |name: &str| found.iter().filter(|mutant| without_place(mutant) == name).count();
        let listed = self.0.iter().filter(|(name, count)| is_examined(name) && survive(name) < **count);
        listed.map(|(name, _)| name.as_str()).collect()
    }
}

/// "a/b.rs:12:5: replace + with -" without its line and column.
pub(super) fn without_place(mutant: &str) -> String {
    let Some((place, what)) = mutant.split_once(": ") else { return mutant.to_owned() };
    format!("{}: {what}", place.split(':').next().unwrap_or(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        [[survivor]]
        mutant = "a/b.rs: replace < with <= in full"
        count = 2
        reason = "one more or less is allowed"
        [[survivor]]
        mutant = "a/c.rs: replace c -> bool with true"
        reason = "it only saves time"
    "#;

    #[test]
    fn a_survivor_that_is_not_listed_is_found_wherever_it_stands() {
        let survivors = Survivors::parse(TEXT).unwrap();
        let found = [
            "a/b.rs:1:2: replace < with <= in full",
            "a/b.rs:30:9: replace < with <= in full",
            "a/b.rs:40:9: replace < with <= in full",
            "a/c.rs:7:1: replace c -> bool with false",
        ]
        .map(str::to_owned);
        assert_eq!(survivors.unlisted(&found), [&found[2], &found[3]]);
        assert_eq!(survivors.gone(&found, |_| true), ["a/c.rs: replace c -> bool with true"]);
        assert!(survivors.gone(&found, |name| name.starts_with("a/b.rs")).is_empty());
        assert!(survivors.unlisted(&[]).is_empty());
    }

    #[test]
    fn an_entry_needs_a_reason_and_is_there_once() {
        let entry = "[[survivor]]\nmutant = \"a.rs: x\"\nreason = \"y\"\n";
        assert!(Survivors::parse(entry).is_ok());
        assert!(Survivors::parse(&entry.replace("\"y\"", "\" \"")).unwrap_err().contains("lacks"));
        assert!(Survivors::parse(&entry.repeat(2)).unwrap_err().contains("twice"));
        assert!(Survivors::parse(&format!("{entry}count = 0")).unwrap_err().contains("count"));
    }

    #[test]
    fn the_list_can_be_read_and_its_files_are_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for name in Survivors::read(&root).unwrap().0.keys() {
            let (file, _) = name.split_once(": ").unwrap_or((name, ""));
            assert!(root.join(file).is_file(), "{LIST} names {file}, which is not there");
        }
    }
}
