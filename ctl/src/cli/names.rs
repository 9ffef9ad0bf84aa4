//! The names that a shell offers: of files that are here, and of those in the catalogue. ttd has half a second to
//! answer. If anything goes wrong, no names are offered.

use super::global::Global;
use crate::connect::Daemon;
use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter};
use shared::name::{MANIFEST_SUFFIX, ResourceName};
use shared::rpc::control::{ControlCaller, ResourceStatus};
use shared::rpc::tracker::Lookup;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

/// Limits the time that a shell waits for names; a ttd that takes longer offers none.
const WITHIN: Duration = Duration::from_millis(500);

/// Limits the names that are offered; further ones are left out. Nobody reads a longer list.
const NAMES_MAX: usize = 1_000;

/// The names of the files that are here and begin with what is typed.
pub(super) fn here(typed: &OsStr) -> Vec<CompletionCandidate> {
    ask(typed, async |caller, _| {
        let found = caller.status(None, WITHIN).await.ok()?.ok()?;
        let has_name = |resource: &ResourceStatus| {
            // While ttd is loading, the beginning of the id stands for the name.
            let substitute = format!("{}…", &resource.resource.to_string()[..16]);
            resource.name.as_str() != substitute
        };
        Some(found.into_iter().filter(has_name).map(|resource| resource.name.to_string()).collect())
    })
}

/// The names in the catalogue of the first tracker that answers and that begin with what is typed.
pub(super) fn published(typed: &OsStr) -> Vec<CompletionCandidate> {
    ask(typed, async |caller, typed| {
        let (mut tracker, mut names) = (None, Vec::new());
        let mut after: Option<ResourceName> = typed.parse().ok();
        if let Some(name) = &after {
            let found = caller.tracker_find(None, Lookup::Name(name.clone()), WITHIN).await.ok()?.ok()?;
            names.extend(found.answer.first().map(|_| name.to_string()));
            tracker = Some(found.tracker);
        }
        // The catalogue is in order of names, so those that begin with what is typed follow it.
        loop {
            let page = caller.tracker_list(tracker.take(), after.take(), WITHIN).await.ok()?.ok()?;
            let listed = page.answer.entries.iter().map(|entry| entry.publication.name.to_string());
            names.extend(listed.take_while(|name| name.starts_with(typed) || name.as_str() < typed));
            let is_past = page.answer.entries.last().is_some_and(|entry| {
                let last = entry.publication.name.as_str();
                last > typed && !last.starts_with(typed)
            });
            (tracker, after) = (Some(page.tracker), page.answer.next);
            if after.is_none() || is_past || names.len() > NAMES_MAX {
                return Some(names);
            }
        }
    })
}

/// What `get` accepts: names in the catalogue, and manifests that lie here.
pub(super) fn to_get(typed: &OsStr) -> Vec<CompletionCandidate> {
    or_manifests(typed, published)
}

/// What `sign` accepts: names that are here, and manifests that lie here.
pub(super) fn to_sign(typed: &OsStr) -> Vec<CompletionCandidate> {
    or_manifests(typed, here)
}

fn or_manifests(
    typed: &OsStr,
    names: impl Fn(&OsStr) -> Vec<CompletionCandidate>,
) -> Vec<CompletionCandidate> {
    let is_manifest = |path: &Path| {
        path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(MANIFEST_SUFFIX.as_bytes())
    };
    let is_path = typed.as_encoded_bytes().contains(&b'/');
    let mut candidates = if is_path { Vec::new() } else { names(typed) };
    candidates.extend(PathCompleter::any().filter(is_manifest).complete(typed));
    candidates
}

fn ask(
    typed: &OsStr,
    names: impl AsyncFn(&ControlCaller, &str) -> Option<Vec<String>>,
) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let global = which_daemon(std::env::args_os());
    let asked = async {
        let daemon = Daemon::connect(&global).await.ok()?;
        names(&daemon.caller, typed).await
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let names = runtime.ok().and_then(|runtime| {
        let names = runtime.block_on(async { tokio::time::timeout(WITHIN, asked).await });
        runtime.shutdown_background();
        names.ok().flatten()
    });
    offered(typed, names.unwrap_or_default()).into_iter().map(CompletionCandidate::new).collect()
}

/// The names that are offered: those that begin with what is typed.
fn offered(typed: &str, mut names: Vec<String>) -> Vec<String> {
    // a name with a control character would break the shell's list
    names.retain(|name| name.starts_with(typed) && !name.contains(char::is_control));
    names.dedup();
    names.truncate(NAMES_MAX);
    names
}

/// Which daemon the line means that is being typed.
fn which_daemon(words: impl Iterator<Item = OsString>) -> Global {
    let mut global = Global::default();
    let mut words = words.filter_map(|word| word.into_string().ok());
    while let Some(word) = words.next() {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        let place = match option.as_str() {
            "--socket" => &mut global.socket,
            "--directory" | "--folder" => &mut global.folder,
            _ => continue,
        };
        *place = value.or_else(|| words.next()).map(Into::into);
    }
    global
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_daemon_that_the_line_names() {
        let which = |line: &str| which_daemon(line.split(' ').map(OsString::from)).which_daemon();
        assert_eq!(which("ttctl -- ttctl --directory /srv/a status x"), "--directory /srv/a");
        assert_eq!(which("ttctl -- ttctl status --socket=/s x"), "--socket /s");
        assert_eq!(which("ttctl -- ttctl status --socket"), "");
    }

    #[test]
    fn a_name_after_many_others_is_offered_when_its_beginning_is_typed() {
        let names: Vec<String> = (0..3 * NAMES_MAX).map(|number| format!("lab-{number:04}")).collect();
        assert_eq!(offered("lab-299", names.clone()).len(), 10);
        assert_eq!(offered("", names).len(), NAMES_MAX);
        assert_eq!(offered("x", vec!["x\u{7}".to_owned(), "x".to_owned(), "a".to_owned()]), ["x"]);
    }
}
