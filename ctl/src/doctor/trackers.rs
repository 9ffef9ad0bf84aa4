//! Checks the trackers: whether they answer, how far their clocks are off, and whether others can use their addresses.

use super::findings::{Findings, Verdict};
use crate::asker::ANSWER_TIMEOUT;
use crate::connect::Daemon;
use crate::error::Error;
use crate::human;
use shared::rpc::control::TrackerExamined;
use shared::url::TrackerUrl;
use std::time::Duration;

/// Limits the trackers that are asked; further ones are left out. One after the other, trackers that do not answer
/// would take minutes.
const TRACKERS_MAX: usize = 16;

/// The largest difference between the clocks that is no problem. Of two files that were shared under one name, the
/// later one counts, and the time comes from the clocks of the machines that shared them.
const SKEW_MAX: Duration = Duration::from_secs(30);

/// Has the daemon ask each of its trackers.
pub(super) async fn check(daemon: &Daemon, findings: &mut Findings) {
    let trackers = &daemon.info.trackers;
    if trackers.is_empty() {
        return none(findings);
    }
    for url in trackers.iter().take(TRACKERS_MAX) {
        match ask(daemon, url).await {
            Ok(examined) => judge(url, &examined, findings),
            Err(error) => findings.add("tracker", Verdict::Failure, error.message, error.hint),
        }
    }
}

/// Reports that the trackers of the configuration cannot be asked without a ttd.
pub(super) fn not_asked(trackers: &[TrackerUrl], findings: &mut Findings) {
    if trackers.is_empty() {
        return none(findings);
    }
    let trackers: Vec<&str> = trackers.iter().take(TRACKERS_MAX).map(TrackerUrl::as_str).collect();
    let says = format!("not asked: {}; only a running ttd can ask trackers", trackers.join(", "));
    let hint = "start ttd, then run `ttctl doctor` again".to_owned();
    findings.add("tracker", Verdict::Warning, says, Some(hint));
}

fn none(findings: &mut Findings) {
    let hint = "set `trackers` in ttd.toml; files are shared and found through a tracker";
    findings.add("tracker", Verdict::Warning, "no tracker is configured".to_owned(), Some(hint.to_owned()));
}

async fn ask(daemon: &Daemon, url: &TrackerUrl) -> Result<TrackerExamined, Error> {
    Ok(daemon.caller.tracker_examine(url.clone(), ANSWER_TIMEOUT).await??)
}

fn judge(url: &TrackerUrl, examined: &TrackerExamined, findings: &mut Findings) {
    let TrackerExamined { version, software, round_trip_us, .. } = examined;
    let (software, whole_ms) = (human::clean(software), round_trip_us / 1000);
    let round_trip = format!("{whole_ms}.{} ms", round_trip_us % 1000 / 100);
    let says = format!("{url} answers within {round_trip} ({software}, protocol version {version})");
    findings.ok("tracker", says);
    clock(url, skew(examined.asked_ms, examined.answered_ms, examined.clock_ms), findings);
    if examined.of_our_node > 1 {
        let says = format!("{url} is connected with {} machines that are this node", examined.of_our_node);
        let hint = "if they were cloned from one image, give each a certificate of its own: delete what was joined, and \
                    join with a new token at the first boot; after a crash of ttd this passes by itself";
        findings.add("clones", Verdict::Warning, says, Some(hint.to_owned()));
    }
    if examined.is_local {
        let hint = "use an address that all machines can reach: it is written into manifests".to_owned();
        let says = format!("{url} is a loopback address: other machines cannot reach it");
        findings.add("tracker", Verdict::Warning, says, Some(hint));
    }
}

fn clock(url: &TrackerUrl, (skew, ahead): (Duration, bool), findings: &mut Findings) {
    if skew <= SKEW_MAX {
        return findings.ok("clock", format!("in sync with {url}"));
    }
    let (skew, which) = (human::duration(skew), if ahead { "ahead of" } else { "behind" });
    let says = format!("the clock of {url} is {skew} {which} this machine");
    let hint = "synchronize the clocks (chrony, systemd-timesyncd): the newest file of a name counts";
    findings.add("clock", Verdict::Warning, says, Some(hint.to_owned()));
}

/// The smallest possible difference between the tracker's clock and ours, and whether the tracker's is ahead.
fn skew(before_ms: u64, after_ms: u64, clock_ms: u64) -> (Duration, bool) {
    match clock_ms > after_ms {
        true => (Duration::from_millis(clock_ms - after_ms), true),
        false => (Duration::from_millis(before_ms.saturating_sub(clock_ms)), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_an_answer_takes_is_no_skew() {
        let seconds = |seconds: u64| Duration::from_millis(seconds * 1000);
        assert_eq!(skew(10_000, 40_000, 10_000), (seconds(0), false));
        assert_eq!(skew(10_000, 40_000, 40_000), (seconds(0), false));
        assert_eq!(skew(10_000, 40_000, 41_000), (seconds(1), true));
        assert_eq!(skew(10_000, 40_000, 3_000), (seconds(7), false));
    }

    #[test]
    fn without_a_daemon_the_trackers_are_named_and_not_asked() {
        let trackers = ["tt://a", "tt://b:9"].map(|url| url.parse().unwrap());
        let mut findings = Findings::default();
        not_asked(&trackers, &mut findings);
        let [finding] = &findings.findings[..] else { panic!("{findings:?}") };
        assert_eq!((finding.check, finding.verdict), ("tracker", Verdict::Warning));
        let says =
            format!("not asked: {}, {}; only a running ttd can ask trackers", trackers[0], trackers[1]);
        assert_eq!(finding.message, says);
    }
}
