//! Tells systemd how the daemon is doing and that it is alive. Alive means that the driver answers: a sign of life from
//! any other task would prove nothing.

use crate::inbox::{Context, Input};
use crate::snapshot::Snapshot;
use shared::host::doors::Doors;
use shared::host::service::Service;
use shared::tls_mode::TlsMode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

/// How often the driver is asked for a sign of life, and the status line is compared with the last one. A shorter
/// interval that systemd demands is kept.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Reports to systemd until the driver ends; returns at once if the daemon does not run under systemd.
pub async fn watch(service: Arc<Service>, context: Arc<Context>) {
    if !service.is_watched() {
        return;
    }
    let alive_every = service.alive_every();
    let mut tick = interval(alive_every.map_or(LOOK_EVERY, |every| every.min(LOOK_EVERY)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut seen) = (String::new(), None);
    loop {
        tick.tick().await;
        if !lives(&context).await {
            return;
        }
        let (snapshot, doors) = (context.snapshots.borrow().clone(), context.doors());
        let now = (snapshot.number(), doors.line.clone());
        if seen.as_ref() != Some(&now) {
            seen = Some(now);
            let line = state(&snapshot, &doors);
            if line != told {
                service.status(&line);
                told = line;
            }
        }
        if alive_every.is_some() {
            service.alive();
        }
    }
}

/// The line for `systemctl status`, after the driver has answered; empty when the driver has ended.
pub async fn line(context: &Context) -> String {
    match lives(context).await {
        true => state(&context.snapshots.borrow(), &context.doors()),
        false => String::new(),
    }
}

/// The state in one line. Without TLS there is nothing to say about it.
fn state(snapshot: &Snapshot, doors: &Doors) -> String {
    match doors.mode {
        TlsMode::Off => snapshot.line(),
        TlsMode::Prefer | TlsMode::Require => format!("{}; {}", snapshot.line(), doors.line),
    }
}

/// Whether the driver answers.
async fn lives(context: &Context) -> bool {
    let (reply, answer) = oneshot::channel();
    context.tell(Input::Alive(reply)).await;
    answer.await.is_ok()
}
