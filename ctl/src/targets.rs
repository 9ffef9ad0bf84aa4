//! Resolves the words on a command line to files that are here, for commands that accept several.

use crate::cli::resource_name;
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::error::Error;
use crate::human;
use crate::select::{self, Known, Meaning, NoMeaning};
use shared::id::digits_hint;
use shared::rpc::control::{ErrorKind, ResourceStatus};
use std::collections::BTreeSet;

/// A valid name that hardly any file has, for a question that ttd answers when all names are loaded.
const NO_NAME: &str = "*";

/// What words mean: for each word the names or ids that ttd accepts, without duplicates, or why it means nothing.
#[derive(Debug)]
pub(crate) struct Targets(Vec<(String, Result<Vec<String>, Error>)>);

impl Targets {
    /// The names and ids one by one, each with its word.
    pub(crate) fn each(self) -> impl Iterator<Item = (String, Result<String, Error>)> {
        self.0.into_iter().flat_map(|(what, found)| match found {
            Ok(found) => found.into_iter().map(|name| (what.clone(), Ok(name))).collect::<Vec<_>>(),
            Err(error) => vec![(what, Err(error))],
        })
    }

    /// Whether a word is a pattern that means other files than the one of just this name.
    pub(crate) fn has_any_by_pattern(&self) -> bool {
        let is_by_pattern = |(what, found): &(String, Result<Vec<String>, Error>)| {
            let is_other = |name: &String| name != resource_name(what);
            select::is_pattern(what) && found.as_ref().is_ok_and(|found| found.iter().any(is_other))
        };
        self.0.iter().any(is_by_pattern)
    }

    /// The names and ids.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.iter().filter_map(|(_, found)| found.as_ref().ok()).flatten().map(String::as_str).collect()
    }

    /// The number of names and ids.
    pub(crate) fn count(&self) -> usize {
        self.0.iter().filter_map(|(_, found)| found.as_ref().ok()).map(Vec::len).sum()
    }
}

/// Whether the words mean a single file, which is shown in more detail than several.
pub(crate) fn is_single(whats: &[String]) -> bool {
    matches!(whats, [what] if !select::is_pattern(what))
}

/// Resolves the words; without words, everything that is here. A word that is neither a pattern nor the beginning of an
/// id is passed to ttd unchanged, which says whether it knows it; ttd is asked for a list only if there are other
/// words.
pub(crate) async fn targets(daemon: &Daemon, whats: &[String]) -> Result<Targets, Error> {
    let lists = whats.is_empty() || whats.iter().any(|what| select::needs_list(resource_name(what)));
    let here = if lists { all_here(daemon).await? } else { Vec::new() };
    if whats.is_empty() {
        let each = here.iter().map(|resource| resource.name.to_string());
        return Ok(Targets(each.map(|name| (name.clone(), Ok(vec![name]))).collect()));
    }
    let known = known(&here);
    let mut taken = BTreeSet::new();
    Ok(Targets(whats.iter().map(|what| (what.clone(), target(what, &known, &mut taken))).collect()))
}

/// The status of everything that is here, once ttd has loaded it all. A list is answered at once, and lacks what a ttd
/// that has just started has not loaded yet.
pub(crate) async fn all_here(daemon: &Daemon) -> Result<Vec<ResourceStatus>, Error> {
    loaded(daemon).await?;
    Ok(daemon.caller.status(None, CALL_TIMEOUT).await??)
}

/// Waits until ttd knows all names: a question about a name is answered only when ttd knows whether it has the name. ttd
/// gives up after 20 s of loading, which is an error with exit code 5.
pub(crate) async fn loaded(daemon: &Daemon) -> Result<(), Error> {
    match daemon.caller.status(Some(NO_NAME.to_owned()), CALL_TIMEOUT).await? {
        Err(error) if error.kind == ErrorKind::TimedOut => Err(error.into()),
        _ => Ok(()),
    }
}

/// Resolves one word that is not a pattern to a name or an id that ttd accepts.
pub(crate) async fn target_of_one(daemon: &Daemon, what: &str) -> Result<String, Error> {
    let mut targets = targets(daemon, &[what.to_owned()]).await?.each();
    targets.next().map_or_else(|| Ok(resource_name(what).to_owned()), |(_, found)| found)
}

/// The names and ids of what is here.
pub(crate) fn known(here: &[ResourceStatus]) -> Vec<Known> {
    let known = |resource: &ResourceStatus| Known {
        name: resource.name.clone(),
        id: resource.resource,
        may_be_tree: resource.is_tree,
    };
    here.iter().map(known).collect()
}

fn target(what: &str, known: &[Known], taken: &mut BTreeSet<String>) -> Result<Vec<String>, Error> {
    let word = resource_name(what);
    let found = match select::needs_list(word) {
        false => Ok(vec![word.to_owned()]),
        true => match select::select(word, known) {
            Ok(Meaning::Name(name)) => Ok(vec![name.to_string()]),
            Ok(Meaning::Id(id)) => Ok(vec![id.to_string()]),
            Ok(Meaning::Names(names)) => Ok(names.iter().map(ToString::to_string).collect()),
            // ttd itself says that it does not know the name.
            Err(NoMeaning::Unknown) => Ok(vec![word.to_owned()]),
            Err(why) => Err(no_meaning(what, &why, "`ttctl list` shows what is here")),
        },
    };
    found.map(|found: Vec<String>| found.into_iter().filter(|name| taken.insert(name.clone())).collect())
}

/// The resources that words mean, in their order, and why some words mean none.
pub(crate) fn matching<'a>(
    here: &'a [ResourceStatus],
    whats: &[String],
) -> (Vec<&'a ResourceStatus>, Vec<(String, Error)>) {
    let known = known(here);
    let (mut is_meant, mut failed) = (vec![false; here.len()], Vec::new());
    for what in whats {
        let meaning = match select::select(resource_name(what), &known) {
            Ok(meaning) => meaning,
            Err(why) => {
                failed.push((what.clone(), no_meaning(what, &why, "`ttctl list` shows what is here")));
                continue;
            }
        };
        for (resource, is_meant) in here.iter().zip(&mut is_meant) {
            *is_meant |= match &meaning {
                Meaning::Name(name) => resource.name == *name,
                Meaning::Id(id) => resource.resource == *id,
                Meaning::Names(names) => names.binary_search(&resource.name).is_ok(),
            };
        }
    }
    let meant = here.iter().zip(is_meant).filter(|(_, is_meant)| *is_meant).map(|(resource, _)| resource);
    (meant.collect(), failed)
}

/// Refuses a pattern that cannot be read, for commands that also show what comes later.
pub(crate) fn check_patterns(whats: &[String]) -> Result<(), Error> {
    select::check_patterns(whats).map_err(|(what, why)| no_meaning(what, &why, ""))
}

/// The error for a word that means nothing.
pub(crate) fn no_meaning(what: &str, why: &NoMeaning, hint: &str) -> Error {
    match why {
        NoMeaning::Unknown => {
            Error::refused(format!("no such file: {what}")).hint(format!("{hint}{}", digits_hint(what)))
        }
        NoMeaning::NoMatch => Error::refused(format!("no file matches {what}")).hint(hint),
        NoMeaning::Ambiguous(found) => {
            let ids = human::count(found.len() as u64, "id");
            Error::refused(format!("{what} is the beginning of {ids}"))
                .hint(format!("write more digits: {}", select::candidates(found)))
        }
        NoMeaning::BadPattern(why) => Error::usage(format!("{what} is not a pattern: {why}"))
            .hint("`*` stands for any text, `?` for one character, `[a-z]` for one of these"),
    }
}
