//! Has the tracker of this machine read its configuration again, if systemd runs it.

use shared::host::paths::Places;
use std::path::Path;
use std::process::{Command, Stdio};

const UNIT: &str = "tt-tracker.service";

/// It is there if systemd is this machine's first process.
const SYSTEMD: &str = "/run/systemd/system";

/// What became of it.
pub(super) enum Reload {
    /// The tracker uses its new configuration.
    Done,
    /// This is not the configuration of a tracker that systemd runs here.
    NotOurs,
    /// The tracker did not take the configuration over, for this reason.
    Failed(String),
}

/// Has the tracker read this drop-in.
pub(super) fn reload(drop_in: &Path) -> Reload {
    let of_machine = Places { root: true, ..Places::default() }.tracker_config();
    let is_ours = drop_in.parent() == Some(&of_machine.with_extension("d"));
    if !is_ours || !Path::new(SYSTEMD).exists() {
        return Reload::NotOurs;
    }
    if systemctl(&["is-active", "--quiet", UNIT]).is_err() {
        return Reload::NotOurs;
    }
    match systemctl(&["reload", UNIT]) {
        Ok(()) => Reload::Done,
        Err(why) => Reload::Failed(why),
    }
}

fn systemctl(args: &[&str]) -> Result<(), String> {
    let mut command = Command::new("systemctl");
    let ran = command.args(args).stdin(Stdio::null()).output();
    let output = ran.map_err(|error| format!("cannot run systemctl: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
