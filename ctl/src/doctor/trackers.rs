//! The trackers: whether they answer, what they think the time is, and whether others can use their addresses.

use super::{Findings, Verdict};
use crate::human;
use crate::tracker::dial;
use shared::url::TrackerUrl;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// So many are asked.
const TRACKERS_MAX: usize = 16;

const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Of two files that were shared under one name, the later one counts, by the clocks of those who shared them.
const SKEW_MAX: Duration = Duration::from_secs(30);

pub(super) async fn check(trackers: &[TrackerUrl], findings: &mut Findings) {
    if trackers.is_empty() {
        let hint = "name one with `trackers` in ttd.toml or --tracker; files are shared and found through it";
        let says = "no tracker is configured".to_owned();
        return findings.add("tracker", Verdict::Warning, says, Some(hint.to_owned()));
    }
    for url in trackers.iter().take(TRACKERS_MAX) {
        ask(url, findings).await;
    }
}

async fn ask(url: &TrackerUrl, findings: &mut Findings) {
    let tracker = match dial(url).await {
        Ok(tracker) => tracker,
        Err(error) => return findings.add("tracker", Verdict::Failure, error.message, error.hint),
    };
    let before = now_ms();
    let answer = tracker.version_and_clock().await;
    let after = now_ms();
    match answer {
        Ok((software, clock_ms)) => {
            findings.ok("tracker", format!("{url} answers ({})", human::clean(software)));
            clock(url, skew(before, after, clock_ms), findings);
        }
        Err(error) => findings.add("tracker", Verdict::Failure, error.message, error.hint),
    }
    if is_loopback(url).await {
        let hint =
            "name it by an address that all machines reach: manifests carry it to the others".to_owned();
        let says = format!("{url} is this machine's own address: others cannot use it");
        findings.add("tracker", Verdict::Warning, says, Some(hint));
    }
}

fn clock(url: &TrackerUrl, (skew, ahead): (Duration, bool), findings: &mut Findings) {
    if skew <= SKEW_MAX {
        return findings.ok("clock", format!("that of {url} agrees"));
    }
    let (skew, which) = (human::duration(skew), if ahead { "ahead of" } else { "behind" });
    let says = format!("that of {url} is {skew} {which} ours");
    let hint = "set the clocks (chrony, systemd-timesyncd): of two files of one name, the later one counts";
    findings.add("clock", Verdict::Warning, says, Some(hint.to_owned()));
}

/// How far the tracker's clock is away from ours, at least, and whether it is ahead.
fn skew(before_ms: u64, after_ms: u64, clock_ms: u64) -> (Duration, bool) {
    match clock_ms > after_ms {
        true => (Duration::from_millis(clock_ms - after_ms), true),
        false => (Duration::from_millis(before_ms.saturating_sub(clock_ms)), false),
    }
}

async fn is_loopback(url: &TrackerUrl) -> bool {
    let lookup = tokio::net::lookup_host((url.host(), url.port()));
    match tokio::time::timeout(LOOKUP_TIMEOUT, lookup).await {
        Ok(Ok(mut addresses)) => addresses.all(|address| address.ip().to_canonical().is_loopback()),
        _ => false,
    }
}

#[expect(clippy::disallowed_methods, reason = "it is what is compared with the tracker's")]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
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
}
