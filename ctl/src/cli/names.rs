//! The names that a shell offers: of files that are here, and of those in the catalogue. ttd has half a second to tell
//! them, and what goes wrong offers nothing.

use super::global::Global;
use crate::connect::Daemon;
use clap_complete::CompletionCandidate;
use shared::rpc::control::ControlCaller;
use std::ffi::OsString;
use std::time::Duration;

/// Limits the time that a shell waits for names; a ttd that takes longer offers none.
const WITHIN: Duration = Duration::from_millis(500);

/// Limits the names that are offered. A list of more is of no use to anybody.
const NAMES_MAX: usize = 1_000;

/// The names of the files that are here.
pub(super) fn here() -> Vec<CompletionCandidate> {
    ask(async |caller| {
        let found = caller.status(None, WITHIN).await.ok()?.ok()?;
        Some(found.into_iter().map(|resource| resource.name.to_string()).collect())
    })
}

/// The names in the catalogue of the first tracker that answers.
pub(super) fn published() -> Vec<CompletionCandidate> {
    ask(async |caller| {
        let page = caller.tracker_list(None, None, WITHIN).await.ok()?.ok()?.answer;
        Some(page.entries.into_iter().map(|entry| entry.publication.name.to_string()).collect())
    })
}

fn ask(names: impl AsyncFn(&ControlCaller) -> Option<Vec<String>>) -> Vec<CompletionCandidate> {
    let global = which_daemon(std::env::args_os());
    let asked = async {
        let daemon = Daemon::connect(&global).await.ok()?;
        names(&daemon.caller).await
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let names = runtime.ok().and_then(|runtime| {
        let names = runtime.block_on(async { tokio::time::timeout(WITHIN, asked).await });
        runtime.shutdown_background();
        names.ok().flatten()
    });
    let mut names = names.unwrap_or_default();
    names.dedup();
    // a name with a control character would break the shell's list
    names.retain(|name| !name.contains(char::is_control));
    names.into_iter().take(NAMES_MAX).map(CompletionCandidate::new).collect()
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
}
