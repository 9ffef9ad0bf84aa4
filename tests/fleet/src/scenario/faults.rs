//! Steps with mistakes that must be reported: configurations, ports, folders; and a daemon that hangs.

use super::machines::Fleet;
use crate::command::{CAP, wait_for};
use crate::journal;
use crate::machine::Machine;

/// The configuration of all daemons. The limit leaves time for events in the middle of a transfer.
const CONFIG: &str = "trackers = [\"tt://tracker\"]\nupload_limit = \"20 MB/s\"\n";

const FILE: &str = "/etc/tinytorrent/ttd.toml";

const DROP_IN: &str = "/etc/tinytorrent/ttd.d/test.toml";

pub(super) fn reload(fleet: &mut Fleet) -> Result<(), String> {
    for machine in &fleet.machines {
        machine.write(FILE, CONFIG)?;
        machine.sh("systemctl reload ttd.service")?;
        wait_for("the configuration is taken over", CAP, || {
            journal::must_have(machine, 6, "changed: trackers, upload_limit")
        })?;
    }
    let machine = fleet.last();
    machine.write(FILE, &format!("{CONFIG}zone = \"a\"\nfile_mod = \"0600\"\n"))?;
    if machine.try_sh("systemctl reload ttd.service")?.code == 0 {
        return Err("a configuration with a mistake was taken for good".to_owned());
    }
    machine.sh("systemctl is-active ttd.service")?;
    journal::must_have(machine, 3, "ttd.toml:4: unknown key \"file_mod\"; did you mean \"file_mode\"?")?;
    machine.write(DROP_IN, "\nfile_mod = \"0600\"\n")?;
    machine.write(FILE, CONFIG)?;
    if machine.try_sh("systemctl reload ttd.service")?.code == 0 {
        return Err("a drop-in with a mistake was taken for good".to_owned());
    }
    journal::must_have(machine, 3, "/etc/tinytorrent/ttd.d/test.toml:2: unknown key \"file_mod\"")?;
    machine.sh(&format!("rm {DROP_IN}"))?;
    machine.write(FILE, &format!("{CONFIG}zone = \"a\"\n"))?;
    machine.sh("systemctl reload ttd.service")?;
    wait_for("the fixed key is named", CAP, || journal::must_have(machine, 4, "restart for: zone"))?;
    machine.write(FILE, CONFIG)?;
    machine.sh("systemctl reload ttd.service")?;
    fleet.tracker().sh("systemctl reload tt-tracker.service")?;
    Ok(())
}

pub(super) fn bad_starts(fleet: &mut Fleet) -> Result<(), String> {
    let machine = fleet.last();
    // Trying again does not help, so systemd does not.
    fails(
        machine,
        "ttd.service",
        "file_group = \"no-such-group\"\n",
        "ttd.toml:1: file_group: no group",
        Then::GivesUp,
    )?;
    fails(
        machine,
        "ttd.service",
        "directory = \"/etc/shared\"\n",
        "cannot create the shared directory /etc/shared",
        Then::TriesAgain,
    )?;
    machine.write(FILE, CONFIG)?;
    machine.sh("systemctl start ttd.service")?;
    // a second daemon whose port is taken by the first
    fails(machine, "ttd@two.service", "", "port 7987 is already in use", Then::TriesAgain)?;
    machine.write("/etc/tinytorrent/two/ttd.toml", &format!("{CONFIG}listen = 7988\n"))?;
    machine.sh("systemctl start ttd@two.service")?;
    machine.member("ttctl --socket /run/tinytorrent-two/ttd.sock get small.bin --timeout 60")?;
    machine.sh("systemctl stop ttd@two.service && test -S /run/tinytorrent/ttd.sock")?;
    machine.sh("rm /etc/tinytorrent/two/ttd.toml").map(drop)
}

/// What systemd does about a unit that cannot start.
enum Then {
    /// Trying again does not help.
    GivesUp,
    /// Trying again may help: what is missing may come.
    TriesAgain,
}

/// Starts a unit that cannot start. It must say why, and must be started again only if that may help.
fn fails(machine: &Machine, unit: &str, config: &str, why: &str, then: Then) -> Result<(), String> {
    if unit == "ttd.service" {
        machine.write(FILE, config)?;
    }
    let before = journal::lines(machine)?.len();
    if machine.try_sh(&format!("systemctl restart {unit}"))?.code == 0 {
        return Err(format!("{unit} started, although: {why}"));
    }
    let property = |name: &str| {
        let shown = machine.sh(&format!("systemctl show --property={name} --value {unit}"))?;
        Ok::<String, String>(shown.trim().to_owned())
    };
    let restarts = || property("NRestarts")?.parse::<u32>().map_err(|error| format!("NRestarts: {error}"));
    match then {
        Then::GivesUp => {
            wait_for(&format!("{unit} gives up"), CAP, || match property("ActiveState")?.as_str() {
                "failed" => Ok(()),
                other => Err(other.to_owned()),
            })?;
            let restarts = restarts()?;
            if restarts > 0 {
                return Err(format!("{unit} was started again {restarts} times"));
            }
        }
        Then::TriesAgain => wait_for(&format!("{unit} is tried again"), CAP, || match restarts()? {
            restarts @ 0..2 => Err(format!("{restarts} times")),
            _ => Ok(()),
        })?,
    }
    // While it is being started again, only that is shown.
    wait_for(&format!("systemctl status shows \"{why}\""), CAP, || {
        let shown = machine.try_sh(&format!("systemctl status --no-pager --full --lines=30 {unit}"))?.stdout;
        if shown.contains(why) { Ok(()) } else { Err(shown) }
    })?;
    let lines = journal::lines(machine)?.len() - before;
    if lines > 60 {
        return Err(format!("{unit} has filled the journal with {lines} lines"));
    }
    machine.sh(&format!("systemctl stop {unit}")).map(drop)
}

pub(super) fn hangs(fleet: &mut Fleet) -> Result<(), String> {
    let machine = fleet.last();
    let drop_in = "/etc/systemd/system/ttd.service.d";
    machine.sh(&format!(
        "mkdir -p {drop_in} && printf '[Service]\\nWatchdogSec=3\\n' > {drop_in}/test.conf && \
        systemctl daemon-reload && systemctl restart ttd.service"
    ))?;
    let id = || machine.sh("systemctl show --property=MainPID --value ttd.service");
    let hung = id()?;
    machine.sh(&format!("kill -STOP {}", hung.trim()))?;
    wait_for("another daemon serves", CAP, || {
        if id()? == hung {
            Err("the hung one is still there".to_owned())
        } else {
            machine.member("ttctl status").map(drop)
        }
    })?;
    machine.sh(&format!("rm -r {drop_in} && systemctl daemon-reload")).map(drop)
}
