//! One machine: a container on a layer over the common root, which boots systemd.

use crate::command::{CAP, must, run, wait_for, words};
use crate::network::{BRIDGE, DOWN, address};
use crate::root;
use cluster::process::Output;
use serde_json::Value;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The control groups of all machines; `/sys/fs/cgroup` is this run's own mount.
const GROUPS: &str = "/sys/fs/cgroup/tinytorrent-fleet";

/// The exit code of systemd-nspawn when the machine wants to reboot.
const REBOOT: i32 = 133;

/// A machine that runs. Dropping it ends it.
pub(crate) struct Machine {
    /// Its name, here and for the other machines.
    pub(crate) name: String,
    folder: PathBuf,
    nspawn: Child,
    /// The process id of its systemd, seen from here.
    leader: u32,
}

impl Machine {
    /// Makes a machine and boots it. `names` are those of all machines, in the order of their addresses.
    pub(crate) fn start(home: &Path, name: &str, names: &[&str], disk_mib: u32) -> Result<Machine, String> {
        let folder = home.join(name);
        let at = |error: std::io::Error| format!("{}: {error}", folder.display());
        for part in ["upper", "work", "root", "disk"] {
            fs::create_dir_all(folder.join(part)).map_err(at)?;
        }
        let layers = format!(
            "lowerdir={},upperdir={folder}/upper,workdir={folder}/work",
            root::path()?.display(),
            folder = folder.display()
        );
        must({
            let mut command = words("mount", &["-t", "overlay", "overlay", "-o", &layers]);
            command.arg(folder.join("root"));
            command
        })?;
        must({
            let mut command = words("mount", &["-t", "tmpfs", "-o", &format!("size={disk_mib}m"), "tmpfs"]);
            command.arg(folder.join("disk"));
            command
        })?;
        settle(&folder.join("root"), name, names).map_err(at)?;
        let nspawn = launch(&folder, name)?;
        let mut machine = Machine { name: name.to_owned(), folder, nspawn, leader: 0 };
        machine.wait_booted()?;
        Ok(machine)
    }

    /// Runs a shell script as root, which must succeed, and returns its stdout.
    pub(crate) fn sh(&self, script: &str) -> Result<String, String> {
        let output = self.try_sh(script)?;
        match output.code {
            0 => Ok(output.stdout),
            code => Err(format!(
                "{}: `{script}` ended with {code}:\n{}{}",
                self.name, output.stdout, output.stderr
            )),
        }
    }

    /// Runs a shell script as root to its end.
    pub(crate) fn try_sh(&self, script: &str) -> Result<Output, String> {
        let mut command = self.inside();
        command.args(["sh", "-c", script]);
        run(command)
    }

    /// Runs a shell script as this user to its end.
    pub(crate) fn try_as(&self, user: &str, script: &str) -> Result<Output, String> {
        let mut command = self.inside();
        command.args(["runuser", "-u", user, "--", "sh", "-c", &format!("cd && {script}")]);
        run(command)
    }

    /// Runs a shell script as the user who may control the daemon; it must succeed.
    pub(crate) fn member(&self, script: &str) -> Result<String, String> {
        let output = self.try_as("member", script)?;
        match output.code {
            0 => Ok(output.stdout),
            code => Err(format!(
                "{}: `{script}` ended with {code}:\n{}{}",
                self.name, output.stdout, output.stderr
            )),
        }
    }

    /// The output of `ttctl status NAME --json`.
    pub(crate) fn status(&self, name: &str) -> Result<Value, String> {
        let text = self.member(&format!("ttctl status {name} --json"))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}: {text}", self.name))
    }

    /// Waits until the resource is in this state, with a reason that contains this text.
    pub(crate) fn wait_state(&self, name: &str, state: &str, reason: &str) -> Result<(), String> {
        wait_for(&format!("{name} is {state} on {} ({reason})", self.name), CAP, || {
            let status = self.status(name)?;
            let is_so = status["state"] == state && status["reason"].as_str().unwrap_or("").contains(reason);
            if is_so { Ok(()) } else { Err(status.to_string()) }
        })
    }

    /// Copies a file into the machine.
    pub(crate) fn put(&self, from: &Path, to: &str) -> Result<(), String> {
        let to = self.folder.join("root").join(to.trim_start_matches('/'));
        fs::copy(from, &to).map(|_| ()).map_err(|error| format!("{}: {error}", to.display()))
    }

    /// Writes a file of the machine.
    pub(crate) fn write(&self, path: &str, text: &str) -> Result<(), String> {
        let path = self.folder.join("root").join(path.trim_start_matches('/'));
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Boots it again, as `systemctl reboot` does.
    pub(crate) fn reboot(&mut self) -> Result<(), String> {
        let _ = self.try_sh("systemctl reboot"); // it may be gone before it answers
        let ended = wait_for(&format!("{} goes down", self.name), CAP, || match self.nspawn.try_wait() {
            Ok(Some(status)) => Ok(status.code()),
            _ => Err("it runs".to_owned()),
        })?;
        if ended != Some(REBOOT) {
            return Err(format!(
                "{} went down with {ended:?}, not to boot again:\n{}",
                self.name,
                self.console()
            ));
        }
        self.nspawn = launch(&self.folder, &self.name)?;
        self.wait_booted()
    }

    fn wait_booted(&mut self) -> Result<(), String> {
        let booted = wait_for(&format!("{} boots", self.name), CAP, || {
            self.leader = leader(self.nspawn.id()).ok_or("it has no systemd yet")?;
            let output = self.try_sh("systemctl is-system-running")?;
            match output.stdout.trim() {
                "running" => Ok(Ok(())),
                "degraded" => Ok(Err(self.sh("systemctl --failed --no-pager")?)),
                other => Err(other.to_owned()),
            }
        });
        booted
            .map_err(|error| format!("{error}\n{}", self.console()))?
            .map_err(|failed| format!("{} has units that failed at boot:\n{failed}", self.name))
    }

    fn inside(&self) -> Command {
        let mut command =
            words("nsenter", &["--target", &self.leader.to_string(), "--all", "--", "env", "-i"]);
        command.args(["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]);
        command
    }

    fn console(&self) -> String {
        let text = fs::read_to_string(self.folder.join("console")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its systemd would need time to end, and nobody needs what it saves.
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
    }
}

/// Writes the files in which machines differ.
fn settle(root: &Path, name: &str, names: &[&str]) -> std::io::Result<()> {
    let number = names.iter().position(|other| *other == name).map_or(0, |index| index + 1);
    fs::write(root.join("etc/hostname"), format!("{name}\n"))?;
    fs::write(root.join("etc/machine-id"), format!("{number:032x}\n"))?;
    let mut hosts = "127.0.0.1 localhost\n::1 localhost\n".to_owned();
    for (index, name) in names.iter().enumerate() {
        hosts += &format!("{} {name}\n", address(index + 1));
    }
    hosts += &format!("{} {}\n", address(DOWN.1), DOWN.0);
    fs::write(root.join("etc/hosts"), hosts)?;
    let network = format!(
        "[Match]\nName=host0\n\n[Network]\nAddress={}/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n",
        address(number)
    );
    fs::write(root.join("etc/systemd/network/10-host0.network"), network)
}

/// Starts the container, in a control group of its own.
fn launch(folder: &Path, name: &str) -> Result<Child, String> {
    let group = Path::new(GROUPS).join(name);
    fs::create_dir_all(&group).map_err(|error| format!("{}: {error}", group.display()))?;
    let console = fs::File::create(folder.join("console")).map_err(|error| error.to_string())?;
    let console_err = console.try_clone().map_err(|error| error.to_string())?;
    // The shell is in the group before systemd-nspawn starts.
    let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", group.display());
    let mut command = words("sh", &["-c", &enter, "sh", "systemd-nspawn", "--quiet", "--boot"]);
    command.args(["--register=no", "--keep-unit", "--link-journal=no", "--console=pipe"]);
    command.arg(format!("--machine={name}")).arg(format!("--hostname={name}"));
    command.arg(format!("--network-bridge={BRIDGE}"));
    command.arg(format!("--directory={}", folder.join("root").display()));
    command.arg(format!("--bind={}:/var/lib/tinytorrent", folder.join("disk").display()));
    command.stdin(Stdio::null()).stdout(console).stderr(console_err).process_group(0);
    command.spawn().map_err(|error| format!("cannot run systemd-nspawn: {error}"))
}

/// The container's first process: the only child of systemd-nspawn.
fn leader(nspawn: u32) -> Option<u32> {
    let tasks = fs::read_dir(format!("/proc/{nspawn}/task")).ok()?;
    let children = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    children
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .next()
}

/// Removes the control groups of a run that has ended. The kernel keeps those that are not empty.
pub(crate) fn remove_groups() {
    let script = format!(
        "mount --make-rprivate / && mount -t cgroup2 cgroup2 /sys/fs/cgroup && \
         find {GROUPS} -depth -type d -exec rmdir {{}} +"
    );
    let cap = Duration::from_secs(10);
    let _ = wait_for("the control groups are empty", cap, || {
        must(words("unshare", &["--mount", "sh", "-c", &script]))
    });
}
