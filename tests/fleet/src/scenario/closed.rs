//! Steps with a closed fleet: it is closed with the commands of docs/security.md, and who does not belong stays out.

use super::files::make_and_share;
use super::machines::Fleet;
use super::packages::install_one;
use crate::command::{CAP, wait_for};
use crate::journal;
use crate::machine::Machine;
use cluster::document::Section;
use serde_json::Value;
use std::time::{Duration, Instant};

const SECURITY: &str = include_str!("../../../../docs/security.md");

/// How many commands a closed fleet costs: two on the tracker's machine, and one that is the same on every machine.
const COMMANDS: usize = 3;

/// The size of the file: a machine with a limit fetches longer than it takes to revoke it.
const CLOSED_MIB: u32 = 48;

/// How long it may take until the last machine belongs to it.
const CLOSED_WITHIN: Duration = Duration::from_secs(60);

/// How long a revoked machine may still be served.
const OUT_WITHIN: Duration = Duration::from_secs(60);

/// Types what the document shows, and nothing else. All machines belong to the fleet afterwards.
pub(super) fn close(fleet: &mut Fleet) -> Result<(), String> {
    let commands = commands()?;
    let begin = Instant::now();
    let mut printed = String::new();
    for command in &commands[..COMMANDS - 1] {
        printed = fleet.tracker().sh(command)?;
    }
    let join = join_command(&printed, commands[COMMANDS - 1])?;
    for machine in &fleet.machines {
        machine.member(&join)?;
    }
    let took = begin.elapsed();
    println!("           closed after {:.1} s", took.as_secs_f64());
    if took > CLOSED_WITHIN {
        return Err(format!("closing the fleet took {took:?}"));
    }
    for machine in &fleet.machines {
        let identity = identity(machine)?;
        if identity["tls"] != "require" || identity["node"] != machine.name.as_str() {
            return Err(format!("{} has joined as {identity}", machine.name));
        }
    }
    fleet.join = join;
    Ok(())
}

/// The commands that the document shows for a closed fleet, in their order.
fn commands() -> Result<Vec<&'static str>, String> {
    let section = Section::find(SECURITY, "2. A closed fleet")?;
    let commands: Vec<&str> = section.all_commands("sh").flat_map(str::lines).collect();
    match commands.len() {
        COMMANDS => Ok(commands),
        other => Err(format!("a closed fleet takes {other} commands, not {COMMANDS}: {commands:?}")),
    }
}

/// The line that `ttctl ca token` printed, if it looks like the one in the document.
fn join_command(printed: &str, documented: &str) -> Result<String, String> {
    let line = printed.lines().next().unwrap_or_default();
    let shape = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            [ttctl, join, token, option, url] if token.starts_with("tt1.") && url.starts_with("tt://") => {
                Some([ttctl.to_owned(), join.to_owned(), option.to_owned()])
            }
            _ => None,
        }
    };
    if shape(line).is_none() || shape(line) != shape(documented) {
        return Err(format!("the token's line is \"{line}\", not like \"{documented}\""));
    }
    Ok(line.to_owned())
}

fn identity(machine: &Machine) -> Result<Value, String> {
    let text = machine.try_as("member", "ttctl identity --json")?.stdout;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}: {text}", machine.name))
}

/// Keys belong to the services alone: their files have mode 0600, in directories that nobody else may enter.
pub(super) fn keys(fleet: &mut Fleet) -> Result<(), String> {
    let tracker = fleet.tracker();
    let found = tracker.sh(
        "grep --recursive --files-with-matches 'PRIVATE KEY' /etc/tinytorrent /var/lib/ttd /var/lib/tt-tracker /run | \
         while read -r file; do stat --format='%a %U %n' $file $(dirname $file); done | sort --unique",
    )?;
    let expected = "600 tinytorrent /var/lib/ttd/identity/identity.pem\n\
         600 tt-tracker /var/lib/tt-tracker/ca/ca.key\n\
         600 tt-tracker /var/lib/tt-tracker/ca/tracker.pem\n\
         700 tinytorrent /var/lib/ttd/identity\n\
         700 tt-tracker /var/lib/tt-tracker/ca\n";
    if found != expected {
        return Err(format!("the files with keys, and their directories, are\n{found}"));
    }
    for user in ["member", "outsider"] {
        let read = tracker.try_as(user, "cat /var/lib/ttd/identity/* /var/lib/tt-tracker/ca/*")?;
        if read.code == 0 || !read.stdout.is_empty() {
            return Err(format!("{user} may read {}", read.stdout));
        }
    }
    Ok(())
}

/// Members exchange files. A machine that has not joined gets nothing; when it has joined, it gets the same file.
pub(super) fn stranger(fleet: &mut Fleet) -> Result<(), String> {
    let (tracker, server, stranger) = (fleet.tracker(), fleet.last(), &fleet.stranger);
    make_and_share(tracker, "closed.bin", CLOSED_MIB)?;
    server.member("ttctl get closed.bin --timeout 60")?;
    let sums = (
        tracker.sh("sha256sum < /srv/shared/closed.bin")?,
        server.sh("sha256sum < /var/lib/tinytorrent/closed.bin")?,
    );
    if sums.0 != sums.1 {
        return Err("closed.bin is another file".to_owned());
    }
    stranger.sh("useradd --create-home member && mkdir -p /etc/tinytorrent/ttd.d && \
        printf 'trackers = [\"tt://tracker\"]\n' > /etc/tinytorrent/ttd.d/50-trackers.toml")?;
    install_one(stranger, &fleet.daemon)?;
    stranger.sh("usermod --append --groups tinytorrent member")?;
    let refused = stranger.try_as("member", "ttctl get closed.bin --timeout 3s")?;
    if refused.code == 0 || !refused.stderr.contains("tt://tracker") {
        return Err(format!("the stranger's get ended with {}: {}", refused.code, refused.stderr));
    }
    let listed = stranger.try_as("member", "ttctl tracker list")?;
    if listed.code == 0 || listed.stdout.contains("closed.bin") {
        return Err(format!("the stranger sees what there is: {}", listed.stdout));
    }
    stranger.sh("test ! -e /var/lib/tinytorrent/closed.bin")?;
    journal::must_have(tracker, 4, "a caller is refused")?;

    stranger.member(&fleet.join)?;
    stranger.member("ttctl limit --download '1 MB/s' && ttctl get closed.bin --detach")?;
    wait_for("the new member fetches", CAP, || match stranger.status("closed.bin")? {
        status if status["chunks_have"].as_u64() > Some(1) => Ok(()),
        status => Err(status.to_string()),
    })
}

/// The new member is revoked while it fetches. It is out, and stays out when everything was started anew.
pub(super) fn revoked(fleet: &mut Fleet) -> Result<(), String> {
    let begin = Instant::now();
    fleet.tracker().sh("ttctl ca revoke stranger")?;
    let left = || OUT_WITHIN.saturating_sub(begin.elapsed());
    let uploads = |machine: &Machine| {
        let peers = machine.member("ttctl peers --json --uploads")?;
        if peers.contains("\"peers\":[]") { Ok(()) } else { Err(peers) }
    };
    for machine in &fleet.machines {
        wait_for("nobody serves the revoked machine", left(), || uploads(machine))?;
    }
    let stranger = &fleet.stranger;
    wait_for("it knows that it is out", left(), || match identity(stranger)? {
        known if known["fault"].as_str().unwrap_or_default().contains("revoked") => Ok(()),
        known => Err(known.to_string()),
    })?;
    println!("           out after {:.1} s", begin.elapsed().as_secs_f64());

    fleet.tracker().sh("systemctl restart tt-tracker.service")?;
    for machine in fleet.machines.iter().chain([stranger]) {
        machine.sh("systemctl restart ttd.service")?;
    }
    let has = || Ok::<_, String>(stranger.status("closed.bin")?["chunks_have"].clone());
    let before = has()?;
    // The others go on: it would get what they get.
    let server = fleet.last();
    server.member("ttctl remove closed.bin --delete && ttctl get closed.bin --timeout 60")?;
    let again = stranger.try_as("member", &fleet.join)?;
    if again.code != 4 || !again.stderr.contains("the token was revoked") {
        return Err(format!("joining again ended with {}: {}", again.code, again.stderr));
    }
    if has()? != before {
        return Err(format!("it has fetched on: {before} and {} chunks", has()?));
    }
    Ok(())
}

/// An upgrade of the packages keeps who a machine is, and the authority.
pub(super) fn upgrade(fleet: &mut Fleet) -> Result<(), String> {
    let (tracker, server) = (fleet.tracker(), fleet.last());
    let files = "sha256sum /var/lib/ttd/identity/* /etc/tinytorrent/*.d/*";
    let authority = "sha256sum /var/lib/tt-tracker/ca/ca.* /etc/tinytorrent/tt-tracker.d/*";
    let before = (server.sh(files)?, tracker.sh(authority)?);
    install_one(server, &fleet.upgrade)?;
    install_one(tracker, &fleet.tracker)?;
    let after = (server.sh(files)?, tracker.sh(authority)?);
    if before != after {
        return Err(format!("the upgrade has changed\n{before:?}to\n{after:?}"));
    }
    server.member("ttctl identity")?;
    wait_for("the tracker serves it", CAP, || server.member("ttctl tracker list").map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The run itself needs root and minutes; that the document still has what it takes is found out at once.
    #[test]
    fn a_closed_fleet_takes_three_commands() {
        let commands = commands().unwrap();
        assert_eq!(commands[0], "ttctl ca init");
        assert!(commands[1].starts_with("ttctl ca token"), "{}", commands[1]);
        let printed = "ttctl join tt1.abc --tracker tt://web-1\nit admits 50 machines\n";
        assert_eq!(join_command(printed, commands[2]).unwrap(), "ttctl join tt1.abc --tracker tt://web-1");
        assert!(join_command("ttctl join tt1.abc --node x --tracker tt://web-1", commands[2]).is_err());
        assert!(join_command("", commands[2]).is_err());
    }
}
