//! What is said below a table of files since it concerns several of them: each tracker that has a problem, and a
//! certificate that cannot be used.

use crate::human;
use crate::output::{Colour, Output};
use crate::width::wrap;
use shared::rpc::control::{ResourceStatus, State, TlsState};
use std::collections::BTreeMap;

/// The files of one tracker that has a problem.
#[derive(Default)]
struct Concerned {
    lasting: String,
    /// How long the problem has lasted, in seconds: the maximum over the files, since a tracker is not asked for all
    /// files at once.
    lasting_s: u64,
    files: usize,
    seeding: usize,
}

/// Lines below a table on a terminal, where the rows leave out what is wrong with trackers.
pub(crate) fn below(resources: &[&ResourceStatus], output: &Output) -> Vec<String> {
    let Some(columns) = output.columns() else { return Vec::new() };
    let lines = dead_trackers(resources).into_iter().flat_map(|text| wrap(&human::clean(&text), columns));
    lines.map(|line| output.paint(Colour::Careful, &line)).collect()
}

/// Lines below a table about a certificate that cannot be used.
pub(crate) fn unusable_certificate(tls: &TlsState, output: &Output) -> Vec<String> {
    if tls.fault.is_none() {
        return Vec::new();
    }
    let lines = wrap(&human::clean(&tls.line), output.columns().unwrap_or(usize::MAX));
    lines.into_iter().map(|line| output.paint(Colour::Careful, &line)).collect()
}

/// One sentence for each tracker that has a problem: "tracker tt://… unreachable for 40 s (connection refused): new
/// machines cannot find these files; transfers go on".
fn dead_trackers(resources: &[&ResourceStatus]) -> Vec<String> {
    let mut trackers: BTreeMap<&str, Concerned> = BTreeMap::new();
    for resource in resources.iter().filter(|resource| resource.reason != resource.reason_here) {
        for tracker in &resource.trackers {
            let Some(lasting) = &tracker.lasting else { continue };
            let concerned = trackers.entry(tracker.url.as_str()).or_default();
            let lasting_s = tracker.trouble_s.unwrap_or(0);
            if concerned.lasting.is_empty() || lasting_s > concerned.lasting_s {
                (concerned.lasting, concerned.lasting_s) = (lasting.clone(), lasting_s);
            }
            concerned.files += 1;
            concerned.seeding += usize::from(matches!(resource.state, State::Seeding | State::Outdated));
        }
    }
    let sentence = |(url, concerned): (&str, Concerned)| {
        let Concerned { lasting, files, seeding, .. } = concerned;
        let means = match (seeding, files) {
            (0, _) => "no new peers are found".to_owned(),
            (1, _) if resources.len() == 1 => "new machines cannot find this file".to_owned(),
            (seeding, _) if seeding == resources.len() => "new machines cannot find these files".to_owned(),
            (seeding, _) => format!("new machines cannot find {seeding} of these files"),
        };
        format!("tracker {url} {lasting}: {means}; transfers go on")
    };
    trackers.into_iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::ResourceId;
    use shared::rpc::control::TrackerStatus;

    fn resource(state: State, lasting_s: Option<u64>) -> ResourceStatus {
        let lasting = lasting_s.map(|s| format!("unreachable for {s} s (connection refused)"));
        let url = "tt://t:7986".parse().unwrap();
        let trouble = lasting_s.map(|_| "connection refused".to_owned());
        ResourceStatus {
            reason: lasting.clone(),
            trackers: vec![TrackerStatus { url, trouble, trouble_s: lasting_s, lasting }],
            ..ResourceStatus::new("x".parse().unwrap(), ResourceId::of(b"x"), state)
        }
    }

    fn said(resources: &[ResourceStatus]) -> Vec<String> {
        dead_trackers(&resources.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_dead_tracker_is_said_once_and_for_how_many_files() {
        let (seeding, well) = (resource(State::Seeding, Some(2)), resource(State::Seeding, None));
        let longer = resource(State::Seeding, Some(40));
        let is = "unreachable for 40 s (connection refused)";
        assert_eq!(said(std::slice::from_ref(&well)), [""; 0]);
        assert_eq!(
            said(&[seeding.clone(), longer.clone(), seeding.clone()]),
            [format!("tracker tt://t:7986 {is}: new machines cannot find these files; transfers go on")]
        );
        assert_eq!(
            said(&[seeding, longer.clone(), well]),
            [format!("tracker tt://t:7986 {is}: new machines cannot find 2 of these files; transfers go on")]
        );
        assert_eq!(
            said(&[longer]),
            [format!("tracker tt://t:7986 {is}: new machines cannot find this file; transfers go on")]
        );
        assert_eq!(
            said(&[resource(State::Waiting, Some(40))]),
            [format!("tracker tt://t:7986 {is}: no new peers are found; transfers go on")]
        );
    }
}
