//! Decides what a word on the command line means: a name, a whole id, the beginning of an id, or a pattern.

use globset::{GlobBuilder, GlobMatcher};
use shared::id::{ID_DIGITS_MIN, ResourceId};
use shared::name::ResourceName;
use shared::rpc::tracker::ListEntry;
use shared::tree::TreeName;
use std::collections::BTreeSet;

/// Limits the ids that an error lists when a word is the beginning of several; the others are only counted. Eight lines
/// fit on any screen.
const CANDIDATES_MAX: usize = 8;

/// A name and an id that belong together. A name may have several ids, and an id several names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Known {
    pub(crate) name: ResourceName,
    pub(crate) id: ResourceId,
    /// Whether it is known to be a directory, or may be one: a directory may be called without `.tar`.
    pub(crate) may_be_tree: bool,
}

impl From<&ListEntry> for Known {
    fn from(entry: &ListEntry) -> Known {
        Known {
            name: entry.publication.name.clone(),
            id: entry.publication.key.resource,
            may_be_tree: false, // a tracker does not know
        }
    }
}

/// What a word means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// This name, whatever its id.
    Name(ResourceName),
    /// This id, with all its names.
    Id(ResourceId),
    /// The names that match a pattern: at least one, in order.
    Names(Vec<ResourceName>),
}

/// Why a word means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoMeaning {
    /// There is no such name or id.
    Unknown,
    /// No name matches the pattern.
    NoMatch,
    /// It is the beginning of several ids. Each is listed with one of its names.
    Ambiguous(Vec<Known>),
    /// It is not a valid pattern, for this reason.
    BadPattern(String),
}

/// Whether a list of all names is needed to know what a word means. Any other word is a name or a whole id.
pub(crate) fn needs_list(what: &str) -> bool {
    is_pattern(what) || is_id_prefix(what)
}

/// Whether a word has a character that makes it a pattern.
pub(crate) fn is_pattern(what: &str) -> bool {
    let has_choice =
        |(_, rest): (&str, &str)| rest.split_once('}').is_some_and(|(choice, _)| choice.contains(','));
    what.contains(['*', '?', '[']) || what.split_once('{').is_some_and(has_choice)
}

/// Checks the words that are patterns. The error is that of the first that cannot be read, with the word.
pub(crate) fn check_patterns(whats: &[String]) -> Result<(), (&str, NoMeaning)> {
    let patterns = whats.iter().filter(|what| is_pattern(what));
    for what in patterns {
        matcher(what).map_err(|why| (what.as_str(), NoMeaning::BadPattern(why)))?;
    }
    Ok(())
}

fn is_id_prefix(what: &str) -> bool {
    what.parse::<ResourceId>().is_err()
        && what.len() >= ID_DIGITS_MIN
        && what.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What a word means among the known names and ids. An exact name comes first, even if it looks like a pattern or is
/// the beginning of an id. A word that means nothing else may be a directory's name without `.tar`.
pub(crate) fn select(what: &str, known: &[Known]) -> Result<Meaning, NoMeaning> {
    match select_exactly(what, known) {
        Err(NoMeaning::Unknown) => tree(what, known).ok_or(NoMeaning::Unknown),
        found => found,
    }
}

fn tree(what: &str, known: &[Known]) -> Option<Meaning> {
    let name = what.parse::<TreeName>().ok()?.resource_name();
    known.iter().any(|known| known.may_be_tree && known.name == name).then_some(Meaning::Name(name))
}

fn select_exactly(what: &str, known: &[Known]) -> Result<Meaning, NoMeaning> {
    if let Some(found) = known.iter().find(|known| known.name.as_str() == what) {
        return Ok(Meaning::Name(found.name.clone()));
    }
    if let Ok(id) = what.parse::<ResourceId>() {
        let is_known = known.iter().any(|known| known.id == id);
        return if is_known { Ok(Meaning::Id(id)) } else { Err(NoMeaning::Unknown) };
    }
    if is_pattern(what) {
        let pattern = matcher(what).map_err(NoMeaning::BadPattern)?;
        let names: BTreeSet<&ResourceName> =
            known.iter().map(|known| &known.name).filter(|name| pattern.is_match(name.as_str())).collect();
        let names: Vec<ResourceName> = names.into_iter().cloned().collect();
        return if names.is_empty() { Err(NoMeaning::NoMatch) } else { Ok(Meaning::Names(names)) };
    }
    if is_id_prefix(what) {
        return by_prefix(what, known);
    }
    Err(NoMeaning::Unknown)
}

fn by_prefix(what: &str, known: &[Known]) -> Result<Meaning, NoMeaning> {
    let digits = what.to_ascii_lowercase();
    let mut found: Vec<Known> =
        known.iter().filter(|known| known.id.to_string().starts_with(&digits)).cloned().collect();
    found.sort_by(|a, b| (a.id, &a.name).cmp(&(b.id, &b.name)));
    found.dedup_by_key(|known| known.id);
    match &found[..] {
        [] => Err(NoMeaning::Unknown),
        [one] => Ok(Meaning::Id(one.id)),
        _ => Err(NoMeaning::Ambiguous(found)),
    }
}

/// Parses a pattern in the notation of shells: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}`.
fn matcher(what: &str) -> Result<GlobMatcher, String> {
    let built = GlobBuilder::new(what).backslash_escape(false).build();
    built.map(|glob| glob.compile_matcher()).map_err(|error| error.kind().to_string())
}

/// The ids of an ambiguous word, with enough digits to tell them apart: "4c47b3e81122 (lab.img), 4c47b3e8aabb (x.img)".
pub(crate) fn candidates(found: &[Known]) -> String {
    let ids: Vec<String> = found.iter().map(|known| known.id.to_string()).collect();
    let are_apart = |digits: &usize| {
        let begins: BTreeSet<&str> = ids.iter().map(|id| &id[..*digits]).collect();
        begins.len() == ids.len()
    };
    let digits = (ID_DIGITS_MIN + 4..64).find(are_apart).unwrap_or(64);
    let shown = ids.iter().zip(found).take(CANDIDATES_MAX);
    let mut shown: Vec<String> =
        shown.map(|(id, known)| format!("{} ({})", &id[..digits], known.name)).collect();
    if found.len() > CANDIDATES_MAX {
        shown.push(format!("{} more", found.len() - CANDIDATES_MAX));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str, id: &str) -> Known {
        let id = format!("{id:0<64}").parse().unwrap();
        Known { name: name.parse().unwrap(), id, may_be_tree: name == "app.tar" }
    }

    fn all() -> Vec<Known> {
        vec![
            known("lab-1.img", "aaaaaaaa11"),
            known("lab-2.img", "aaaaaaaa22"),
            known("copy of lab-2", "aaaaaaaa22"),
            known("bbbbbbbb", "cccccccc"),
            known("other", "bbbbbbbb"),
            known("what?", "dddddddd"),
            known("whats", "eeeeeeee"),
        ]
    }

    fn names(what: &str) -> Vec<String> {
        match select(what, &all()) {
            Ok(Meaning::Names(names)) => names.iter().map(ToString::to_string).collect(),
            other => panic!("{what}: {other:?}"),
        }
    }

    #[test]
    fn a_name_comes_before_what_it_looks_like() {
        let name = |name: &str| Ok(Meaning::Name(name.parse().unwrap()));
        assert_eq!(select("lab-1.img", &all()), name("lab-1.img"));
        assert_eq!(select("bbbbbbbb", &all()), name("bbbbbbbb"), "although it begins an id");
        assert_eq!(select("what?", &all()), name("what?"), "although it is a pattern");
    }

    #[test]
    fn a_directory_may_be_called_without_tar() {
        let with = |more: &[&str]| -> Vec<Known> {
            more.iter().map(|name| known(name, "aaaa")).chain(all()).collect()
        };
        let name = |name: &str| Ok(Meaning::Name(name.parse().unwrap()));
        assert_eq!(select("app", &with(&["app.tar"])), name("app.tar"));
        assert_eq!(select("app", &with(&["app.tar", "app"])), name("app"), "that is a file");
        assert_eq!(select("lab", &with(&["lab.tar"])), Err(NoMeaning::Unknown), "that is no directory");
    }

    #[test]
    fn a_pattern_means_all_names_that_match() {
        assert_eq!(names("lab-*"), ["lab-1.img", "lab-2.img"]);
        assert_eq!(names("*lab-?*"), ["copy of lab-2", "lab-1.img", "lab-2.img"]);
        assert_eq!(names("lab-[!1].*"), ["lab-2.img"]);
        assert_eq!(names("*{1,2}.img"), ["lab-1.img", "lab-2.img"]);
        assert_eq!(names("*").len(), all().len());
        assert_eq!(select("lab-?", &all()), Err(NoMeaning::NoMatch));
        assert!(matches!(select("lab-[", &all()), Err(NoMeaning::BadPattern(_))));
    }

    #[test]
    fn eight_digits_of_an_id_are_enough_if_no_other_begins_so() {
        let id = |id: &str| Ok(Meaning::Id(known("x", id).id));
        assert_eq!(select("aaaaaaaa22", &all()), id("aaaaaaaa22"), "it has two names");
        assert_eq!(select("AAAAAAAA1", &all()), id("aaaaaaaa11"));
        assert_eq!(select(&known("x", "eeeeeeee").id.to_string(), &all()), id("eeeeeeee"));
        assert_eq!(select("aaaaaaa", &all()), Err(NoMeaning::Unknown), "seven digits are a name");
        assert_eq!(select("99999999", &all()), Err(NoMeaning::Unknown));
        let Err(NoMeaning::Ambiguous(found)) = select("aaaaaaaa", &all()) else { panic!("it is ambiguous") };
        assert_eq!(candidates(&found), "aaaaaaaa1100 (lab-1.img), aaaaaaaa2200 (copy of lab-2)");
    }

    #[test]
    fn many_candidates_are_counted() {
        let many: Vec<Known> = (10..30).map(|n| known("x", &format!("aaaaaaaaaaaa{n}"))).collect();
        let shown = candidates(&many);
        assert!(shown.starts_with("aaaaaaaaaaaa10 (x), ") && shown.ends_with(", 12 more"), "{shown}");
    }

    #[test]
    fn only_patterns_and_beginnings_of_ids_need_a_list() {
        let whole = "ab".repeat(32);
        for (what, needs) in [
            ("x", false),
            ("deadbee", false),
            ("deadbeef", true),
            ("a*", true),
            ("lab-{1,2}", true),
            ("{a", false),
            ("{5f3c}", false),
            ("a,b", false),
            (&whole, false),
            ("", false),
        ] {
            assert_eq!(needs_list(what), needs, "{what}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_ends() {
        let name = "a".repeat(200);
        let pattern = "a*".repeat(60) + "b";
        assert!(!matcher(&pattern).unwrap().is_match(name));
    }
}
