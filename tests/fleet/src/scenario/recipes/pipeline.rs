//! The recipe for a CI job: over ssh, with one machine that is down.

use super::document::{install_in, recipe, replace};
use crate::machine::Machine;
use crate::network::DOWN;
use crate::scenario::machines::Fleet;

const PIPELINE: &str = "A CI job that rolls out and waits";

/// Where the job runs.
const PLACE: &str = "/root/job";

/// Rolls the first version out to the servers and to a machine that is down: the job fails and says which one that is,
/// and all others have the file.
pub(in crate::scenario) fn one_is_down(fleet: &mut Fleet) -> Result<(), String> {
    let runner = fleet.tracker();
    let recipe = recipe(PIPELINE)?;
    for name in ["later.sh", "look.sh"] {
        install_in(runner, &recipe, PLACE, name)?;
    }
    let job = recipe.file("rollout.sh")?;
    runner.write(&format!("{PLACE}/rollout.sh"), &replace(job, "30 min", "20 s")?)?;
    make(runner, 1)?;
    write_hosts(fleet, &format!("# a comment\n\n{}\n", DOWN.0))?;
    let output = runner.try_sh(&format!("cd {PLACE} && sh rollout.sh"))?;
    let down = format!("{}: the download was not started", DOWN.0);
    let shown = output.stdout.lines().any(|line| line.contains("never seen") && line.contains(DOWN.0));
    if output.code != 1 || !output.stderr.contains(&down) || !shown {
        return Err(format!("a job with a machine that is down: {output:?}"));
    }
    for server in fleet.servers() {
        server.wait_state("app.tar.gz", "seeding", "")?;
    }
    let look = runner.try_sh(&format!("cd {PLACE} && sh look.sh"))?;
    if look.code != 1 || !look.stdout.contains(DOWN.0) || !look.stdout.contains("false") {
        return Err(format!("look.sh with a machine that is down: {look:?}"));
    }
    Ok(())
}

/// Rolls the second version out to machines that are all there.
pub(in crate::scenario) fn all_are_there(fleet: &mut Fleet) -> Result<(), String> {
    let runner = fleet.tracker();
    write_hosts(fleet, "")?;
    make(runner, 2)?;
    runner.sh(&format!("cd {PLACE} && sh rollout.sh"))?;
    let said = runner.sh(&format!("cd {PLACE} && set -e; sh later.sh; sh look.sh"))?;
    if !said.ends_with("true\n") {
        return Err(format!("look.sh after a rollout says\n{said}"));
    }
    Ok(())
}

/// An archive with a file that says which version it is.
fn make(runner: &Machine, version: u32) -> Result<(), String> {
    let script = format!(
        "cd {PLACE} && mkdir -p build app && echo {version} >app/version && head -c 2M /dev/urandom >app/data && \
         tar --create --gzip --file build/app.tar.gz --directory app ."
    );
    runner.sh(&script).map(drop)
}

/// The recipe's hosts.txt, with the servers of this fleet in it.
fn write_hosts(fleet: &Fleet, more: &str) -> Result<(), String> {
    let shown = recipe(PIPELINE)?.file("hosts.txt")?;
    let (head, _) = shown.split_once("server1\n").ok_or("hosts.txt has no server1")?;
    let servers: String = fleet.servers().iter().map(|server| format!("{}\n", server.name)).collect();
    fleet.tracker().write(&format!("{PLACE}/hosts.txt"), &format!("{head}{more}{servers}"))
}
