//! What people and scripts are told of the watch of the shared directory.

use crate::human;
use serde::Serialize;
use shared::rpc::control::{NotShared, WatchState};

/// All of it in one line: "changes are noticed at once; 5 shared, 3 to stand still, 10 to hash (now x.img)".
pub(crate) fn line(watch: &WatchState) -> String {
    let noticed = match &watch.scans_only {
        None => "changes are noticed at once".to_owned(),
        Some(why) => format!("changes are found by scans only ({why})"),
    };
    let now = watch.now.as_ref().map(|name| format!(" (now {name})")).unwrap_or_default();
    let counts = [
        (watch.shared, "shared".to_owned()),
        (watch.settling, "not still for long enough".to_owned()),
        (watch.waiting, format!("to hash{now}")),
        (watch.refused, "cannot be shared".to_owned()),
        (watch.beyond, "too many".to_owned()),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, what)| *count > 0 || what == "shared")
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let waits = watch.waits.as_ref().map(|why| format!("; nothing is shared now: {why}")).unwrap_or_default();
    format!("{noticed}; {}{waits}", counts.join(", "))
}

/// A line for each file that cannot be shared, as far as they are known by name.
pub(crate) fn refused(watch: &WatchState) -> Vec<String> {
    let mut lines: Vec<String> =
        watch.first_refused.iter().map(|NotShared { name, why }| format!("{name}: {why}")).collect();
    let more = u64::from(watch.refused).saturating_sub(lines.len() as u64);
    if more > 0 {
        lines.push(format!("and {} more", human::count(more, "file")));
    }
    lines
}

/// The watch in `info --json`.
#[derive(Debug, Serialize)]
pub(crate) struct WatchDocument {
    /// Why changes are found by scans only; `null` if the system tells of them as well.
    scans_only: Option<String>,
    /// Why nothing is shared now; `null` if nothing keeps it.
    waits: Option<String>,
    shared: u32,
    settling: u32,
    waiting: u32,
    /// The file that is being hashed.
    now: Option<String>,
    refused: u32,
    /// The first of those that cannot be shared.
    first_refused: Vec<RefusedDocument>,
    beyond: u32,
}

#[derive(Debug, Serialize)]
struct RefusedDocument {
    name: String,
    why: String,
}

impl From<&WatchState> for WatchDocument {
    fn from(watch: &WatchState) -> WatchDocument {
        let refused = watch.first_refused.iter();
        WatchDocument {
            scans_only: watch.scans_only.clone(),
            waits: watch.waits.clone(),
            shared: watch.shared,
            settling: watch.settling,
            waiting: watch.waiting,
            now: watch.now.as_ref().map(ToString::to_string),
            refused: watch.refused,
            first_refused: refused
                .map(|NotShared { name, why }| RefusedDocument { name: name.clone(), why: why.clone() })
                .collect(),
            beyond: watch.beyond,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_what_is_being_done_and_what_cannot_be() {
        let calm = WatchState { shared: 5, ..WatchState::default() };
        assert_eq!(line(&calm), "changes are noticed at once; 5 shared");
        assert!(refused(&calm).is_empty());
        let busy = WatchState {
            scans_only: Some("watch = \"scan\"".to_owned()),
            waits: Some("no tracker is configured".to_owned()),
            settling: 3,
            waiting: 10,
            now: Some("x.img".parse().unwrap()),
            refused: 3,
            first_refused: vec![NotShared {
                name: "link".to_owned(),
                why: "it is a symbolic link".to_owned(),
            }],
            beyond: 7,
            ..WatchState::default()
        };
        assert_eq!(
            line(&busy),
            "changes are found by scans only (watch = \"scan\"); 0 shared, 3 not still for long enough, 10 to hash \
             (now x.img), 3 cannot be shared, 7 too many; nothing is shared now: no tracker is configured"
        );
        assert_eq!(refused(&busy), ["link: it is a symbolic link", "and 2 files more"]);
    }
}
