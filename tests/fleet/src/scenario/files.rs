//! Steps with files: publishing and fetching through reboots and restarts, and on a full disk.

use super::machines::Fleet;
use crate::command::{CAP, wait_for};
use crate::journal;
use crate::machine::Machine;

/// Large enough for a reboot in the middle at the publisher's limit.
const IMAGE_MIB: u32 = 96;

pub(super) fn publish(fleet: &mut Fleet) -> Result<(), String> {
    let publisher = fleet.publisher();
    make_and_share(publisher, "image.bin", IMAGE_MIB)?;
    let look = publisher.sh("stat --format='%a %U %G' /var/lib/tinytorrent/image.bin")?;
    if look.trim() != "644 tinytorrent tinytorrent" {
        return Err(format!("the published file is {look}"));
    }
    journal::must_have(publisher, 6, "user=member")
}

/// Another shared directory. Its setgid bit gives its group to the files of a daemon outside that group.
pub(super) fn another_folder(fleet: &mut Fleet) -> Result<(), String> {
    let machine = fleet.tracker();
    let drop_in = "/etc/systemd/system/ttd.service.d";
    machine.sh(&format!(
        "install -d -o tinytorrent -g member -m 2755 /srv/shared && mkdir -p {drop_in} && \
         printf '[Service]\nReadWritePaths=/srv/shared\n' > {drop_in}/folder.conf && \
         printf 'directory = \"/srv/shared\"\nfile_mode = \"0640\"\ntrackers = [\"tt://tracker\"]\n' \
         > /etc/tinytorrent/ttd.toml && systemctl daemon-reload && systemctl restart ttd.service"
    ))?;
    make_and_share(machine, "handed-on.bin", 1)?;
    let looks = machine
        .sh("stat --format='%a %U %G' /srv/shared/handed-on.bin /srv/shared/handed-on.bin.tinytorrent")?;
    if looks != "640 tinytorrent member\n640 tinytorrent member\n" {
        return Err(format!("in a directory of the group member, what is published is\n{looks}"));
    }
    Ok(())
}

/// Shares a file of a user's own, which ttctl reads with that user's rights.
pub(super) fn make_and_share(machine: &Machine, name: &str, mib: u32) -> Result<(), String> {
    machine.member(&format!(
        "head -c {mib}M /dev/urandom > {name} && chmod 0600 {name} && ttctl share {name} && rm {name}"
    ))?;
    Ok(())
}

pub(super) fn fetch(fleet: &mut Fleet) -> Result<(), String> {
    for server in fleet.servers() {
        server.member("ttctl get image.bin --detach")?;
    }
    let index = fleet.machines.len() - fleet.servers().len();
    let rebooted = &mut fleet.machines[index];
    wait_for("it is being fetched", CAP, || match rebooted.status("image.bin")? {
        status if status["state"] == "seeding" => Ok(Err("it was fetched before the reboot".to_owned())),
        status if status["chunks_have"].as_u64() > Some(4) => Ok(Ok(())),
        status => Err(status.to_string()),
    })??;
    rebooted.reboot()?;
    rebooted.sh("systemctl is-active ttd.service")?;
    for server in fleet.servers() {
        server.wait_state("image.bin", "seeding", "")?;
        check_copy(fleet.publisher(), server, "image.bin")?;
    }
    Ok(())
}

fn check_copy(from: &Machine, to: &Machine, name: &str) -> Result<(), String> {
    let sum = format!("sha256sum < /var/lib/tinytorrent/{name}");
    let (there, here) = (from.sh(&sum)?, to.member(&sum)?);
    if there == here { Ok(()) } else { Err(format!("{}: {name} is another file", to.name)) }
}

pub(super) fn restart_tracker(fleet: &mut Fleet) -> Result<(), String> {
    fleet.tracker().sh("systemctl restart tt-tracker.service")?;
    let machine = fleet.last();
    wait_for("the catalogue is whole again", CAP, || {
        let list = machine.member("ttctl tracker list")?;
        if list.contains("image.bin") { Ok(()) } else { Err(list) }
    })?;
    // Every peer, not only the first one that came back.
    let peers = fleet.machines.len() - usize::from(fleet.machines.len() > 2);
    wait_for("the tracker knows all peers again", CAP, || {
        let list = machine.member("ttctl tracker peers image.bin")?;
        if list.matches("7987").count() >= peers { Ok(()) } else { Err(list) }
    })
}

pub(super) fn from_the_trackers_machine(fleet: &mut Fleet) -> Result<(), String> {
    make_and_share(fleet.tracker(), "small.bin", 5)?;
    for server in fleet.servers() {
        server.member("ttctl get small.bin --timeout 60 -o mine.bin")?;
        check_copy(fleet.tracker(), server, "small.bin")?;
        let owner = server.sh("stat --format=%U /home/member/mine.bin")?;
        if owner.trim() != "member" {
            return Err(format!("what was copied out belongs to {owner}"));
        }
    }
    Ok(())
}

pub(super) fn full_disk(fleet: &mut Fleet) -> Result<(), String> {
    make_and_share(fleet.publisher(), "more.bin", 48)?;
    let server = &fleet.servers()[0];
    // 80 MiB are left, of which 64 are kept free
    server.sh("free=$(df --output=avail --block-size=1M /var/lib/tinytorrent | tail -n 1) && \
        fallocate -l $((free - 80))M /var/lib/tinytorrent/filler")?;
    server.member("ttctl get more.bin --detach")?;
    server.wait_state("more.bin", "waiting", "free")?;
    server.sh("rm /var/lib/tinytorrent/filler")?;
    server.wait_state("more.bin", "seeding", "")?;
    check_copy(fleet.publisher(), server, "more.bin")
}
