//! The recipes for cron, by cron itself.

use super::crontab::Line;
use super::document::{install, install_in, recipe, replace};
use crate::command::{CAP, wait_for};
use crate::machine::Machine;
use crate::scenario::machines::Fleet;

const RENEWED: &str = "cron: a file that is replaced regularly";
const SHARE: &str = "/etc/cron.d/forecast-share";
const GET: &str = "/etc/cron.d/forecast-get";
const SHARED: &str = "/srv/model/forecast.grib2";
const FETCHED: &str = "/var/lib/tinytorrent/forecast.grib2";

const NIGHT: &str = "Full speed only at night";
const HOURS: &str = "/etc/tinytorrent/ttd.d/40-hours.toml";

const RELEASE: &str = "A release directory on every machine";
const RELEASE_GET: &str = "/etc/cron.d/site-get";
const BUILD: &str = "/srv/build/site";
const RELEASED: &str = "/var/lib/tinytorrent/site";

/// A cron file with the lines of the recipes, to be run every minute.
const FORCED: &str = "/etc/cron.d/forced";

/// Where the mail of a machine's cron is put.
const MAIL: &str = "/var/mail/cron";

/// Gives cron the recipe's files, and the same lines for every minute. The results are checked later.
pub(in crate::scenario) fn begin(fleet: &mut Fleet) -> Result<(), String> {
    let recipe = recipe(RENEWED)?;
    let give = |machine: &Machine, path: &str, more: &str| {
        machine.write("/usr/sbin/sendmail", &format!("#!/bin/sh\nexec cat >>{MAIL}\n"))?;
        machine.sh(&format!("chmod 0755 /usr/sbin/sendmail && touch {MAIL}"))?;
        install(machine, &recipe, path)?;
        let lines = Line::all(recipe.file(path)?)?;
        let forced: String = lines.iter().map(Line::every_minute).collect();
        machine.write(FORCED, &(forced + more))
    };
    let publisher = fleet.tracker();
    publisher.sh(&format!("mkdir -p /srv/model && head -c 3M /dev/urandom >{SHARED}"))?;
    give(publisher, SHARE, "")?;
    for server in fleet.servers() {
        // what goes wrong is mailed
        give(server, GET, "* * * * * root ttctl get no-such-forecast >/dev/null\n")?;
    }
    Ok(())
}

/// The next minute has come: the file is everywhere, only the error was mailed, and a newer file replaces it.
pub(in crate::scenario) fn end(fleet: &mut Fleet) -> Result<(), String> {
    let publisher = fleet.tracker();
    for server in fleet.servers() {
        wait_for(&format!("cron fetches the file on {}", server.name), CAP, || same(publisher, server))?;
        let mail =
            wait_for("cron mails what went wrong", CAP, || match server.sh(&format!("cat {MAIL}"))? {
                mail if mail.contains("no-such-forecast") => Ok(mail),
                mail => Err(mail),
            })?;
        if mail.contains("forecast.grib2") {
            return Err(format!("{}: cron has mailed after a good run:\n{mail}", server.name));
        }
    }
    let mail = publisher.sh(&format!("cat {MAIL}"))?;
    if !mail.is_empty() {
        return Err(format!("{}: cron has mailed after a good run:\n{mail}", publisher.name));
    }
    for machine in [publisher].into_iter().chain(fleet.servers()) {
        machine.sh(&format!("rm -f {FORCED}"))?;
        let bad = machine.sh("journalctl --no-pager -u cron.service | grep -iE 'error|bad' || true")?;
        if !bad.is_empty() {
            return Err(format!("{}: cron does not like a file:\n{bad}", machine.name));
        }
    }
    let recipe = recipe(RENEWED)?;
    publisher.sh(&format!("head -c 3M /dev/urandom >{SHARED}"))?;
    as_cron(publisher, &Line::all(recipe.file(SHARE)?)?[0])?;
    for server in fleet.servers() {
        as_cron(server, &Line::all(recipe.file(GET)?)?[0])?;
        same(publisher, server)?;
        server.sh(&format!("rm {GET}"))?;
    }
    publisher.sh(&format!("rm {SHARE}")).map(drop)
}

fn same(publisher: &Machine, server: &Machine) -> Result<(), String> {
    let here = publisher.sh(&format!("sha256sum <{SHARED}"))?;
    let there = server.try_sh(&format!("sha256sum <{FETCHED}"))?;
    if here == there.stdout { Ok(()) } else { Err(format!("{}: {there:?}, not {here}", server.name)) }
}

/// Limits by the hour. So that the time of the test does not matter, the hours become the half of each day, and the rest of it has
/// another limit.
pub(in crate::scenario) fn night(fleet: &mut Fleet) -> Result<(), String> {
    let machine = fleet.last();
    let recipe = recipe(NIGHT)?;
    let before = limits(machine)?;
    install(machine, &recipe, HOURS)?;
    machine.sh("systemctl reload ttd.service")?;
    let hours = recipe.file(HOURS)?;
    let all_days = replace(hours, "days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"]", "")?;
    let morning = replace(&replace(&all_days, "07:00", "00:00")?, "19:00", "12:00")?;
    let evening =
        replace(&replace(&all_days, "07:00", "12:00")?, "19:00", "24:00")?.replace("50 Mbit/s", "40 Mbit/s");
    machine.write(HOURS, &(morning + &evening))?;
    machine.sh("systemctl reload ttd.service")?;
    wait_for("the limit of the hour is in force", CAP, || match limits(machine)? {
        limits if limits.contains(":6250000,") || limits.contains(":5000000,") => Ok(()),
        limits => Err(limits),
    })?;
    let shown = machine.member("ttctl limit")?;
    if !shown.contains(" until 20") {
        return Err(format!("the limits are shown as {shown}"));
    }
    machine.sh(&format!("rm {HOURS} && systemctl reload ttd.service"))?;
    wait_for("without the hours the limits are as before", CAP, || match limits(machine)? {
        limits if limits == before => Ok(()),
        limits => Err(limits),
    })
}

/// Two releases of a directory; the second one takes the place of the first.
pub(in crate::scenario) fn release(fleet: &mut Fleet) -> Result<(), String> {
    let (recipe, publisher) = (recipe(RELEASE)?, fleet.tracker());
    install_in(publisher, &recipe, "/root", "publish.sh")?;
    for version in ["one", "two"] {
        publisher.sh(&format!(
            "mkdir -p {BUILD}/pages && echo {version} >{BUILD}/pages/index.html && \
             touch {BUILD}/{version} && sh /root/publish.sh"
        ))?;
        let wanted = publisher.sh(&format!("cd {BUILD} && find . | sort && cat pages/index.html"))?;
        for server in fleet.servers() {
            install(server, &recipe, RELEASE_GET)?;
            as_cron(server, &Line::all(recipe.file(RELEASE_GET)?)?[0])?;
            server.sh(&format!("rm {RELEASE_GET}"))?;
            let found = server.sh(&format!("cd {RELEASED} && find . | sort && cat pages/index.html"))?;
            if found != wanted {
                return Err(format!("{} has {found:?} instead of {wanted:?}", server.name));
            }
        }
    }
    Ok(())
}

fn limits(machine: &Machine) -> Result<String, String> {
    machine.member("ttctl limit --json")
}

/// Runs a line as cron does: with next to nothing in the environment. It must be silent.
fn as_cron(machine: &Machine, line: &Line) -> Result<(), String> {
    machine.write("/root/line", line.command)?;
    let environment = "env -i HOME=/root LOGNAME=root SHELL=/bin/sh PATH=/usr/bin:/bin";
    let output = machine.try_sh(&format!("cd && runuser -u {} -- {environment} sh /root/line", line.user))?;
    if output.code == 0 && output.stdout.is_empty() && output.stderr.is_empty() {
        return Ok(());
    }
    Err(format!("{}: `{}` is not silent: {output:?}", machine.name, line.command))
}
