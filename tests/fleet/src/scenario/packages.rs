//! Steps with the packages: installing, upgrading, purging, rights and sandbox.

use super::machines::Fleet;
use crate::command::{CAP, wait_for};
use crate::journal;
use crate::machine::Machine;

/// The most exposure that `systemd-analyze security` may find, in tenths.
const EXPOSURE_MAX_TENTHS: u32 = 15;

pub(super) fn masked(fleet: &mut Fleet) -> Result<(), String> {
    let machine = fleet.last();
    machine.sh("systemctl mask ttd.service 2>&1")?;
    install_one(machine, &fleet.daemon)?;
    let output = machine.try_sh("systemctl is-active ttd.service")?;
    if output.code == 0 {
        return Err(format!("{}: it was masked, and runs", machine.name));
    }
    machine.sh("systemctl unmask ttd.service 2>&1 && systemctl enable --now ttd.service 2>&1")?;
    Ok(())
}

pub(super) fn install(fleet: &mut Fleet) -> Result<(), String> {
    for machine in &fleet.machines {
        if machine.name != fleet.last().name {
            install_one(machine, &fleet.daemon)?;
        }
        machine.sh("useradd --create-home --groups tinytorrent member && useradd --create-home outsider")?;
        is_ready(machine, "ttd.service", "no files yet")?;
        machine.sh("for page in ttd.1 ttctl.1 ttctl-get.1 ttd.toml.5 tinytorrent.5; do \
            test -s /usr/share/man/man?/$page.gz || exit 1; done; \
            test -s /etc/tinytorrent/ttd.d/README || exit 1; \
            grep -q _ttctl /usr/share/bash-completion/completions/ttctl")?;
    }
    install_one(fleet.tracker(), &fleet.tracker)?;
    is_ready(fleet.tracker(), "tt-tracker.service", "connections 0")
}

pub(super) fn install_one(machine: &Machine, package: &std::path::Path) -> Result<(), String> {
    machine.put(package, "/root/package.deb")?;
    machine.sh("dpkg --install /root/package.deb 2>&1").map(drop)
}

/// Checks that the unit runs, is enabled at boot, and has reported its status.
fn is_ready(machine: &Machine, unit: &str, status: &str) -> Result<(), String> {
    machine.sh(&format!("systemctl is-active {unit} && systemctl is-enabled {unit}"))?;
    let shown = machine.sh(&format!("systemctl show --property=StatusText --value {unit}"))?;
    if !shown.contains(status) {
        return Err(format!("{}: {unit} says \"{}\", not \"{status}\"", machine.name, shown.trim()));
    }
    Ok(())
}

pub(super) fn rights(fleet: &mut Fleet) -> Result<(), String> {
    let machine = fleet.last();
    let socket = machine.sh("stat --format='%a %U %G' /run/tinytorrent/ttd.sock")?;
    if socket.trim() != "660 tinytorrent tinytorrent" {
        return Err(format!("the control socket is {socket}"));
    }
    machine.member("ttctl status")?;
    let refused = machine.try_as("outsider", "ttctl status")?;
    let hint = "usermod --append --groups tinytorrent outsider";
    if refused.code != 3 || !refused.stderr.contains(hint) {
        return Err(format!("who may not ended with {}: {}", refused.code, refused.stderr));
    }
    Ok(())
}

/// The unit for users: a user who may not control the machine's daemon runs another one beside it.
pub(super) fn users_own(fleet: &mut Fleet) -> Result<(), String> {
    let machine = &fleet.servers()[0];
    machine.sh("loginctl enable-linger outsider")?;
    let as_user = |script: &str| {
        let output = machine
            .try_as("outsider", &format!("export XDG_RUNTIME_DIR=/run/user/$(id -u) && {script}"))
            .map_err(|error| format!("{}: {error}", machine.name))?;
        let told = format!("{}{}", output.stdout, output.stderr);
        if output.code == 0 {
            return Ok(told);
        }
        let journal = machine.sh("journalctl --no-pager --lines=15 _UID=$(id -u outsider)")?;
        Err(format!("`{script}` ended with {}: {told}\n{journal}", output.code))
    };
    wait_for("the user's systemd runs", CAP, || as_user("systemctl --user is-system-running"))?;
    as_user(
        "mkdir -p .config/tinytorrent && \
         printf 'listen = 7988\\ntrackers = [\"tt://tracker\"]\\n' > .config/tinytorrent/ttd.toml && \
         systemctl --user enable --now ttd && systemctl --user reload ttd && systemctl --user is-active ttd",
    )?;
    as_user("echo mine > own.txt && ttctl share own.txt && test -s .local/share/tinytorrent/own.txt")?;
    fleet.tracker().member("ttctl get own.txt && grep -qx mine /var/lib/tinytorrent/own.txt")?;
    as_user("systemctl --user disable --now ttd").map(drop)
}

pub(super) fn sandbox(fleet: &mut Fleet) -> Result<(), String> {
    for unit in ["ttd.service", "tt-tracker.service"] {
        let analysis = fleet.tracker().sh(&format!("systemd-analyze security --no-pager {unit}"))?;
        let line = analysis.lines().last().unwrap_or_default();
        let number = line.split(": ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        let tenths = number.replace('.', "").parse::<u32>().map_err(|_| format!("{unit}: {line}"))?;
        if tenths > EXPOSURE_MAX_TENTHS {
            return Err(format!("{unit}: an exposure of {number}"));
        }
        println!("           {unit}: an exposure of {number}");
    }
    Ok(())
}

pub(super) fn upgrade(fleet: &mut Fleet) -> Result<(), String> {
    let (publisher, server) = (fleet.publisher(), &fleet.servers()[0]);
    server.member("ttctl remove image.bin --delete && ttctl get image.bin --detach")?;
    wait_for("it is being fetched", CAP, || match server.status("image.bin")? {
        status if status["chunks_have"].as_u64() > Some(4) => Ok(()),
        status => Err(status.to_string()),
    })?;
    let before = publisher.sh("sha256sum /etc/tinytorrent/ttd.toml; ls -i /var/lib/tinytorrent/image.bin")?;
    install_one(publisher, &fleet.upgrade)?;
    let version = publisher.sh("dpkg-query --show --showformat='${Version}' tinytorrent")?;
    if !version.ends_with("+fleet1") {
        return Err(format!("after the upgrade the version is {version}"));
    }
    let after = publisher.sh("sha256sum /etc/tinytorrent/ttd.toml; ls -i /var/lib/tinytorrent/image.bin")?;
    if before != after {
        return Err(format!("the upgrade has changed\n{before}to\n{after}"));
    }
    is_ready(publisher, "ttd.service", "")?;
    publisher.wait_state("image.bin", "seeding", "")?;
    server.wait_state("image.bin", "seeding", "")?;
    // It was ended in order, by its package and by nothing else.
    journal::must_have(publisher, 6, "ttd has stopped")
}

pub(super) fn purge(fleet: &mut Fleet) -> Result<(), String> {
    let (tracker, machine) = (fleet.tracker(), fleet.last());
    tracker.sh("dpkg --purge tinytorrent-tracker 2>&1 && systemctl is-active ttd.service")?;
    // The fleet's authority is worth more than a tidy directory.
    tracker.sh("test -s /var/lib/tt-tracker/ca/ca.key")?;
    machine.sh("test -s /var/lib/ttd/identity/identity.pem && dpkg --purge tinytorrent 2>&1")?;
    machine.sh("test ! -e /var/lib/ttd")?;
    // the folder itself is a mount of this test
    let left = machine.sh("find /etc /run /usr /var/lib/tinytorrent* -mindepth 1 \
        \\( -name '*ttd*' -o -name '*ttctl*' -o -name '*tinytorrent*' -o -path '/var/lib/tinytorrent/*' \\) \
        -not -path '/run/log/*' -not -path '/run/host/*' -not -path '/run/systemd/*' 2>&1")?;
    if !left.trim().is_empty() {
        return Err(format!("the purge has left\n{left}"));
    }
    Ok(())
}
