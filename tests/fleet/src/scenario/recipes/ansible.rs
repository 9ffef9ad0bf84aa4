//! The recipe for Ansible: a playbook against the servers, over ssh.

use super::document::{install_in, recipe};
use crate::scenario::machines::Fleet;

const ANSIBLE: &str = "Ansible: bring a file to a fleet";

/// Where the recipe is followed.
const PLACE: &str = "/root/ansible";

/// Runs the recipe twice: the second time nothing is changed.
pub(in crate::scenario) fn roll_out(fleet: &mut Fleet) -> Result<(), String> {
    let recipe = recipe(ANSIBLE)?;
    let control = fleet.tracker();
    install_in(control, &recipe, PLACE, "rollout.yml")?;
    let shown = recipe.file("hosts")?;
    let (head, _) = shown.split_once("[fleet]\n").ok_or("the inventory has no group fleet")?;
    let servers: Vec<&str> = fleet.servers().iter().map(|server| server.name.as_str()).collect();
    control.write(&format!("{PLACE}/hosts"), &format!("{head}[fleet]\n{}\n", servers.join("\n")))?;
    control.sh(&format!("head -c 8M /dev/urandom >{PLACE}/lab-2025.img"))?;
    for (run, changed) in [("first", "changed=1 "), ("second", "changed=0 ")] {
        let commands = recipe.commands("sh")?;
        let said = control.sh(&format!("export HOME=/root; cd {PLACE} && set -e\n{commands}"))?;
        let done = |name: &&str| {
            let recap = said.lines().find(|line| line.starts_with(*name) && line.contains("failed=0"));
            recap.is_some_and(|line| line.contains(changed))
        };
        if !servers.iter().all(done) {
            return Err(format!("in the {run} run not every machine has {changed}:\n{said}"));
        }
    }
    let sum = "sha256sum </var/lib/tinytorrent/lab-2025.img";
    let shared = control.sh(sum)?;
    for server in fleet.servers() {
        if server.sh(sum)? != shared {
            return Err(format!("{}: lab-2025.img is another file", server.name));
        }
    }
    Ok(())
}
