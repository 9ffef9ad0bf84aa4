//! The recipes for systemd: units that act when a file arrives, and a service that needs it.

use super::document::{install, recipe, replace};
use crate::command::{CAP, wait_for};
use crate::machine::Machine;
use crate::scenario::machines::Fleet;

const ARRIVES: &str = "systemd: act when a file arrives";
const NEEDS: &str = "systemd: a service that needs a file";

const UNITS: [&str; 2] = ["/etc/systemd/system/app-install.path", "/etc/systemd/system/app-install.service"];
const SERVICE: &str = "/etc/systemd/system/app.service";
const DROP_IN: &str = "/etc/systemd/system/app.service.d/file.conf";

/// Installs the units while nobody has shared the file, and starts the service: it waits.
pub(in crate::scenario) fn begin(fleet: &mut Fleet) -> Result<(), String> {
    let machine = fleet.last();
    let (arrives, needs) = (recipe(ARRIVES)?, recipe(NEEDS)?);
    for unit in UNITS {
        install(machine, &arrives, unit)?;
    }
    machine.sh(&format!("set -e\n{}", arrives.commands("sh")?))?;
    machine.write(SERVICE, "[Service]\nUser=nobody\nExecStart=/usr/bin/sleep infinity\n")?;
    install(machine, &needs, DROP_IN)?;
    machine.sh(&format!("set -e\n{}systemctl start --no-block app.service", needs.commands("sh")?))?;
    wait_for("the service waits for the file", CAP, || is(machine, "app.service", "activating"))
}

/// The file has come: the service runs, and this version is installed.
pub(in crate::scenario) fn first_has_come(fleet: &mut Fleet) -> Result<(), String> {
    let machine = fleet.last();
    wait_for("the service runs", CAP, || is(machine, "app.service", "active"))?;
    installed(machine, 1)
}

/// The next version was installed, too. A service whose file does not come fails, and says why.
pub(in crate::scenario) fn second_has_come(fleet: &mut Fleet) -> Result<(), String> {
    let machine = fleet.last();
    installed(machine, 2)?;
    let drop_in = recipe(NEEDS)?.file(DROP_IN)?;
    let drop_in = replace(&replace(drop_in, "20 min", "1 s")?, "app.tar.gz", "no-such-file")?;
    machine.write(DROP_IN, &drop_in)?;
    if machine.try_sh("systemctl daemon-reload && systemctl restart app.service")?.code == 0 {
        return Err("a service whose file did not come was started".to_owned());
    }
    let journal = machine.sh("journalctl --no-pager --output=cat -u app.service")?;
    if !journal.lines().any(|line| line.starts_with("error: ") && line.contains("no-such-file")) {
        return Err(format!("the journal does not say why the service failed:\n{journal}"));
    }
    machine.sh(&format!(
        "systemctl disable --now app-install.path 2>&1; systemctl reset-failed app.service; \
         rm -r {} {SERVICE} {SERVICE}.d && systemctl daemon-reload",
        UNITS.join(" ")
    ))?;
    Ok(())
}

fn is(machine: &Machine, unit: &str, state: &str) -> Result<(), String> {
    let shown = machine.sh(&format!("systemctl show --property=ActiveState --value {unit}"))?;
    if shown.trim() == state { Ok(()) } else { Err(shown) }
}

fn installed(machine: &Machine, version: u32) -> Result<(), String> {
    wait_for(&format!("version {version} is installed"), CAP, || {
        let there = machine.try_sh("cat /opt/app/version")?;
        if there.stdout.trim() == version.to_string() { Ok(()) } else { Err(format!("{there:?}")) }
    })
}
