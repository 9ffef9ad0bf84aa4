//! The steps of the scenario. It ends at the first step that fails.

mod closed;
mod faults;
mod files;
mod machines;
mod packages;
mod recipes;

use crate::args::{Args, Set};
use crate::journal;
use crate::machine::Machine;
use machines::Fleet;
use recipes::{ansible, cron, pipeline, units};
use std::path::Path;
use std::time::Instant;

/// The MiB for shared folders on each machine, few enough to be filled.
const DISK_MIB: u32 = 320;

type Step = (&'static str, fn(&mut Fleet) -> Result<(), String>);

const STEPS: [Step; 31] = [
    ("a masked unit is not started by the package", packages::masked),
    ("the packages install, and the services run without any configuration", packages::install),
    ("who may control the daemon, and who may not", packages::rights),
    ("the sandbox is strict", packages::sandbox),
    ("a reload takes the configuration over; one with a mistake changes nothing", faults::reload),
    ("a file is published", files::publish),
    ("a user has a daemon beside the machine's", packages::users_own),
    ("every server fetches it; one of them boots anew in the middle", files::fetch),
    ("the tracker starts anew, and knows everything again", files::restart_tracker),
    ("the tracker's own machine serves the others", files::from_the_trackers_machine),
    ("recipes: cron has its files", cron::begin),
    ("recipes: units wait for a file that nobody has shared", units::begin),
    ("recipes: a CI job rolls out, and one machine is down", pipeline::one_is_down),
    ("recipes: the file has come, and the units act", units::first_has_come),
    ("recipes: the CI job rolls the next version out", pipeline::all_are_there),
    ("recipes: the units act again, and say why a file does not come", units::second_has_come),
    ("recipes: limits by the hour", cron::night),
    ("recipes: a release directory is replaced as a whole", cron::release),
    ("recipes: an Ansible playbook", ansible::roll_out),
    ("recipes: cron has shared and fetched, and mailed errors only", cron::end),
    ("the publisher's package is upgraded while it serves", packages::upgrade),
    ("a disk that is full makes a download wait, not fail", files::full_disk),
    ("what cannot start says why, and does not try for ever", faults::bad_starts),
    ("a daemon that hangs is started anew", faults::hangs),
    ("a shared directory elsewhere hands its group on", files::another_folder),
    ("three commands close the fleet", closed::close),
    ("keys are for the services alone", closed::keys),
    ("a stranger gets nothing, and joins", closed::stranger),
    ("a revoked machine is out, and stays out over restarts", closed::revoked),
    ("an upgrade keeps who a machine is", closed::upgrade),
    ("the journals have nothing that nobody expected", journals),
];

/// The machine that does not belong to the fleet.
const STRANGER: &str = "stranger";

/// Boots the machines and goes through all steps.
pub(crate) fn run(args: &Args, home: &Path) -> Result<(), String> {
    let names: &[&str] = match args.set {
        Set::Ci => &["tracker", "server1"],
        Set::Full => &["tracker", "publisher", "server1", "server2", "server3"],
    };
    let begin = Instant::now();
    let everybody = [names, &[STRANGER]].concat();
    let start = |name: &&str| Machine::start(home, name, &everybody, DISK_MIB);
    let machines = names.iter().map(start).collect::<Result<Vec<Machine>, String>>()?;
    let stranger = start(&STRANGER)?;
    println!(
        "{:7.1} s  {} machines are up: {}",
        begin.elapsed().as_secs_f64(),
        everybody.len(),
        everybody.join(", ")
    );
    let mut fleet = Fleet {
        machines,
        stranger,
        join: String::new(),
        daemon: args.daemon.clone(),
        tracker: args.tracker.clone(),
        upgrade: args.upgrade.clone(),
    };
    let last = ("what is purged leaves nothing", packages::purge as fn(&mut Fleet) -> Result<(), String>);
    for (name, step) in STEPS.into_iter().chain([last]) {
        let begin = Instant::now();
        let done = step(&mut fleet);
        if done.is_err() {
            fleet.machines.iter().chain([&fleet.stranger]).for_each(tell);
        }
        done.map_err(|error| format!("{name}: {error}"))?;
        println!("{:7.1} s  {name}", begin.elapsed().as_secs_f64());
    }
    println!("the fleet passed in {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

/// Warnings that the scenario causes on every machine.
const EXPECTED: [&str; 3] = [
    // The tracker was restarted, or is not up yet when a machine has just booted.
    "cannot be used, trying again",
    // When the fleet was closed: members before they had joined, the stranger, and whom was revoked; at the tracker …
    "a caller is refused",
    // … and at the peers.
    "a caller was refused",
];

/// Warnings that it causes on the machine with the full disk.
const FULL_DISK: [&str; 1] = ["the download waits"];

/// Warnings that it causes on the machine with all the mistakes.
const MISTAKES: [&str; 12] = [
    "unknown key \"file_mod\"",
    "Reload failed for ttd.service",
    "needs a restart for: zone",
    "no group \"no-such-group\" on this machine",
    "cannot create the shared directory /etc/shared",
    "port 7987 is already in use",
    "Failed with result 'exit-code'",
    "Failed to start ttd",
    "Start request repeated too quickly",
    "Watchdog timeout",
    "Failed with result 'watchdog'",
    "Main process exited, code=killed, status=6/ABRT",
];

fn journals(fleet: &mut Fleet) -> Result<(), String> {
    let mut strange = Vec::new();
    for machine in &fleet.machines {
        let mut expected = EXPECTED.to_vec();
        if machine.name == fleet.servers()[0].name {
            expected.extend(FULL_DISK);
        }
        if machine.name == fleet.last().name {
            expected.extend(MISTAKES);
        }
        strange.extend(journal::check(machine, &expected).err());
    }
    if strange.is_empty() { Ok(()) } else { Err(strange.join("\n")) }
}

/// Prints the end of a machine's journal after a failure.
fn tell(machine: &Machine) {
    let lines = machine.sh("journalctl --no-pager --lines=25 -u 'tt*'").unwrap_or_default();
    println!("---- the journal of {}\n{lines}", machine.name);
}
