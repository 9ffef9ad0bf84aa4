//! What systemd is told while the daemon runs: how it is doing, and that it lives. It lives when the driver
//! answers: a sign of life that came from elsewhere would prove nothing.

use crate::inbox::{Command, Context, Input};
use shared::host::service::Service;
use shared::rpc::control::{ResourceStatus, State, TaskId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often the status is looked at, when something has changed.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Tells systemd how things are, for ever; returns at once if nobody listens.
pub async fn watch(service: Arc<Service>, context: Arc<Context>, mut revision: watch::Receiver<u64>) {
    if !service.is_watched() {
        return;
    }
    let alive_every = service.alive_every();
    let mut tick = interval(alive_every.map_or(LOOK_EVERY, |every| every.min(LOOK_EVERY)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut seen) = (String::new(), None::<Instant>);
    loop {
        tick.tick().await;
        let news = revision.has_changed().unwrap_or(false);
        // half a turn early is better than a whole one late
        let due =
            seen.is_none_or(|seen| alive_every.is_some_and(|every| seen.elapsed() + LOOK_EVERY >= every));
        if !news && !due {
            continue;
        }
        revision.mark_unchanged();
        // How all resources are doing is asked only when something has changed: there may be many thousand.
        if news || told.is_empty() {
            let Some(status) = status(&context).await else { return };
            if status != told {
                service.status(&status);
                told = status;
            }
        } else if !lives(&context).await {
            return;
        }
        seen = Some(Instant::now());
        if alive_every.is_some() {
            service.alive();
        }
    }
}

/// The line for `systemctl status`. Waits as long as the driver does; `None` when it has ended.
pub async fn status(context: &Context) -> Option<String> {
    let (reply, answer) = oneshot::channel();
    context.tell(Input::Command(Command::Status { what: None, reply })).await;
    answer.await.ok()?.ok().map(|resources| line(&resources))
}

/// Whether the driver answers: it is asked for a task that there never is, which costs it nothing.
async fn lives(context: &Context) -> bool {
    let (reply, answer) = oneshot::channel();
    context.tell(Input::Command(Command::Task { task: TaskId(0), reply })).await;
    answer.await.is_ok()
}

fn line(resources: &[ResourceStatus]) -> String {
    let in_state = |state: State| resources.iter().filter(move |resource| resource.state == state);
    let mut parts = Vec::new();
    for (state, word) in [
        (State::Seeding, "seeding"),
        (State::Downloading, "downloading"),
        (State::Waiting, "waiting"),
        (State::Checking, "checking"),
        (State::Paused, "paused"),
        (State::Error, "in error"),
    ] {
        let count = in_state(state).count();
        if count == 0 {
            continue;
        }
        let sum =
            |number: fn(&ResourceStatus) -> u32| -> u64 { in_state(state).map(number).map(u64::from).sum() };
        let (have, total) = (sum(|resource| resource.chunks_have), sum(|resource| resource.chunks_total));
        parts.push(match (state, (have * 100).checked_div(total)) {
            (State::Downloading | State::Waiting, Some(percent)) => format!("{word} {count} ({percent} %)"),
            _ => format!("{word} {count}"),
        });
    }
    if parts.is_empty() { "nothing shared yet".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::ResourceId;

    fn resource(state: State, chunks_have: u32) -> ResourceStatus {
        ResourceStatus {
            name: "x".parse().unwrap(),
            resource: ResourceId::of(b"x"),
            state,
            reason: None,
            kind: None,
            chunks_have,
            chunks_total: 100,
            bytes_have: 0,
            bytes_total: None,
            peers: 0,
            download_bytes_per_s: 0,
            upload_bytes_per_s: 0,
            downloaded_bytes: 0,
            uploaded_bytes: 0,
            eta_s: None,
            trackers: Vec::new(),
            upload_peers: 0,
        }
    }

    #[test]
    fn the_status_counts_what_there_is() {
        assert_eq!(line(&[]), "nothing shared yet");
        let resources = [
            resource(State::Downloading, 20),
            resource(State::Seeding, 100),
            resource(State::Downloading, 66),
            resource(State::Error, 5),
            resource(State::Seeding, 100),
        ];
        assert_eq!(line(&resources), "seeding 2, downloading 2 (43 %), in error 1");
    }
}
