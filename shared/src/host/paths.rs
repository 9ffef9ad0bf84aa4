//! The default paths of both daemons and ttctl, all in this module. Nothing here touches the disk.
//!
//! For each path the order is: the command line, the config file's key, systemd's variables, and then the machine's
//! directories for root or the user's directories for anybody else.

use directories::ProjectDirs;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The machine's directories, used when systemd does not name others.
const STATE: &str = "/var/lib/tinytorrent";
/// The tracker's state directory on a machine.
pub const TRACKER_STATE: &str = "/var/lib/tt-tracker";
/// The state of the daemon itself, beside the shared directory.
const DAEMON_STATE: &str = "/var/lib/ttd";
const RUNTIME: &str = "/run/tinytorrent";
const CONFIGURATION: &str = "/etc/tinytorrent";

const SOCKET: &str = "ttd.sock";

/// The environment of a process that decides about paths.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// Whether the process runs as root.
    pub root: bool,
    /// systemd's `$STATE_DIRECTORY`, a list with colons between.
    pub state_directory: Option<OsString>,
    /// systemd's `$RUNTIME_DIRECTORY`, a list with colons between.
    pub runtime_directory: Option<OsString>,
    /// systemd's `$CONFIGURATION_DIRECTORY`, a list with colons between.
    pub configuration_directory: Option<OsString>,
    /// `$TT_SOCKET`, the socket at which ttctl finds its daemon.
    pub tt_socket: Option<OsString>,
    /// The user's directories, if the user has a home.
    pub user: Option<UserPlaces>,
}

/// A user's directories for TinyTorrent.
#[derive(Debug, Clone)]
pub struct UserPlaces {
    /// For config files.
    pub config: PathBuf,
    /// For the shared directory.
    pub data: PathBuf,
    /// For the state of the user's own daemon.
    pub state: PathBuf,
    /// For the state of the user's own tracker.
    pub tracker: PathBuf,
    /// For the control socket.
    pub runtime: PathBuf,
}

impl Places {
    /// The environment of this process.
    pub fn of_process() -> Places {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let user = ProjectDirs::from("", "", "tinytorrent").map(|dirs| UserPlaces {
            config: dirs.config_dir().to_owned(),
            data: dirs.data_dir().to_owned(),
            state: dirs.state_dir().unwrap_or(dirs.data_local_dir()).to_owned(),
            tracker: dirs.data_dir().with_file_name("tt-tracker"),
            // Without a session ($XDG_RUNTIME_DIR) there is no runtime directory. The state directory keeps the socket
            // longer than needed, but is equally private.
            runtime: dirs.runtime_dir().or(dirs.state_dir()).unwrap_or(dirs.data_dir()).to_owned(),
        });
        Places {
            root: rustix::process::geteuid().is_root(),
            state_directory: var("STATE_DIRECTORY"),
            runtime_directory: var("RUNTIME_DIRECTORY"),
            configuration_directory: var("CONFIGURATION_DIRECTORY"),
            tt_socket: var("TT_SOCKET"),
            user,
        }
    }

    /// The daemon's config file when the command line names none. It need not exist.
    pub fn daemon_config(&self) -> PathBuf {
        self.config_dir().join("ttd.toml")
    }

    /// The tracker's config file when the command line names none. It need not exist.
    pub fn tracker_config(&self) -> PathBuf {
        self.config_dir().join("tt-tracker.toml")
    }

    /// The shared directory: the command line's DIRECTORY, or the config's `directory`, or the default.
    pub fn shared_folder(&self, cli: Option<&Path>, config: Option<&Path>) -> PathBuf {
        match cli.or(config) {
            Some(folder) => folder.to_owned(),
            None => self.place(&self.state_directory, STATE, |user| &user.data),
        }
    }

    /// The daemon's control socket: `--socket`; or, for a daemon with a DIRECTORY on its command line, a socket inside
    /// it, so that two such daemons never meet; or the config's `socket`; or one in the runtime directory.
    pub fn daemon_socket(
        &self,
        cli_socket: Option<&Path>,
        cli_folder: Option<&Path>,
        config_socket: Option<&Path>,
    ) -> PathBuf {
        match (cli_socket, cli_folder, config_socket) {
            (Some(socket), _, _) => socket.to_owned(),
            (None, Some(folder), _) => folder_socket(folder),
            (None, None, Some(socket)) => socket.to_owned(),
            (None, None, None) => self.runtime_dir().join(SOCKET),
        }
    }

    /// The sockets at which ttctl looks for its daemon, in order. If one is named by `--socket`, `--directory` or
    /// `$TT_SOCKET`, in this order, it is the only one, so that a command never reaches another daemon than the
    /// intended one.
    pub fn control_sockets(&self, cli_socket: Option<&Path>, cli_folder: Option<&Path>) -> Vec<PathBuf> {
        if let Some(socket) = cli_socket {
            return vec![socket.to_owned()];
        }
        if let Some(folder) = cli_folder {
            return vec![folder_socket(folder)];
        }
        if let Some(socket) = &self.tt_socket {
            return vec![PathBuf::from(socket)];
        }
        let mut sockets = vec![self.runtime_dir().join(SOCKET), Path::new(RUNTIME).join(SOCKET)];
        sockets.dedup();
        sockets
    }

    /// The directory of the daemon's key and certificate: below the private directory of a DIRECTORY that the command line
    /// names, so that two such daemons are two machines for others; or `identity` in the daemon's own state, which is the
    /// second directory of systemd's list.
    pub fn identity(&self, cli_folder: Option<&Path>) -> PathBuf {
        let state = match (cli_folder, &self.state_directory) {
            (Some(folder), _) => private_dir(folder),
            (None, Some(list)) => second(list).unwrap_or_else(|| private_dir(&first(list))),
            (None, None) => self.place(&None, DAEMON_STATE, |user| &user.state),
        };
        state.join("identity")
    }

    /// The directory of the certificate authority: `--dir`, or `ca` in the tracker's state directory.
    pub fn authority(&self, cli: Option<&Path>) -> PathBuf {
        match cli {
            Some(dir) => dir.to_owned(),
            None => self.place(&self.state_directory, TRACKER_STATE, |user| &user.tracker).join("ca"),
        }
    }

    fn config_dir(&self) -> PathBuf {
        self.place(&self.configuration_directory, CONFIGURATION, |user| &user.config)
    }

    fn runtime_dir(&self) -> PathBuf {
        self.place(&self.runtime_directory, RUNTIME, |user| &user.runtime)
    }

    /// A user without a home is directed to the machine's directories: the refusal there says what is missing.
    fn place(&self, systemd: &Option<OsString>, machine: &str, own: fn(&UserPlaces) -> &PathBuf) -> PathBuf {
        if let Some(list) = systemd {
            return first(list);
        }
        match &self.user {
            Some(user) if !self.root => own(user).clone(),
            _ => PathBuf::from(machine),
        }
    }
}

/// The folder inside a shared directory for parts, have maps, records and the lock.
pub fn private_dir(folder: &Path) -> PathBuf {
    folder.join(".tinytorrent")
}

/// The control socket of a daemon that was started with this DIRECTORY.
pub fn folder_socket(folder: &Path) -> PathBuf {
    private_dir(folder).join(SOCKET)
}

/// systemd gives a list when a unit names several directories; most need only the first.
fn first(list: &OsString) -> PathBuf {
    nth(list, 0).unwrap_or_default()
}

fn second(list: &OsString) -> Option<PathBuf> {
    nth(list, 1)
}

fn nth(list: &OsString, at: usize) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;

    let path = list.as_bytes().split(|byte| *byte == b':').nth(at)?;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> Places {
        let user = UserPlaces {
            config: "/h/c".into(),
            data: "/h/d".into(),
            state: "/h/s".into(),
            tracker: "/h/t".into(),
            runtime: "/h/r".into(),
        };
        Places { user: Some(user), ..Places::default() }
    }

    fn root() -> Places {
        Places { root: true, ..user() }
    }

    fn unit() -> Places {
        Places {
            state_directory: Some("/var/lib/private/tt:/other".into()),
            runtime_directory: Some("/run/tt".into()),
            configuration_directory: Some("/etc/tt".into()),
            ..user()
        }
    }

    #[test]
    fn each_place_has_its_order() {
        let cases = [
            (user(), "/h/c/ttd.toml", "/h/d", "/h/r/ttd.sock"),
            (root(), "/etc/tinytorrent/ttd.toml", "/var/lib/tinytorrent", "/run/tinytorrent/ttd.sock"),
            (unit(), "/etc/tt/ttd.toml", "/var/lib/private/tt", "/run/tt/ttd.sock"),
            (
                Places { user: None, ..user() },
                "/etc/tinytorrent/ttd.toml",
                "/var/lib/tinytorrent",
                "/run/tinytorrent/ttd.sock",
            ),
        ];
        for (places, config, folder, socket) in cases {
            assert_eq!(places.daemon_config(), Path::new(config));
            assert_eq!(places.tracker_config(), Path::new(config).with_file_name("tt-tracker.toml"));
            assert_eq!(places.shared_folder(None, None), Path::new(folder));
            assert_eq!(places.daemon_socket(None, None, None), Path::new(socket));
        }
    }

    #[test]
    fn the_authority_is_in_the_trackers_state() {
        let cases =
            [(user(), "/h/t/ca"), (root(), "/var/lib/tt-tracker/ca"), (unit(), "/var/lib/private/tt/ca")];
        for (places, dir) in cases {
            assert_eq!(places.authority(None), Path::new(dir));
            assert_eq!(places.authority(Some(Path::new("/a"))), Path::new("/a"));
        }
    }

    #[test]
    fn a_machines_key_is_not_in_the_directory_that_it_shares() {
        let alone = Places { state_directory: Some("/var/lib/tt".into()), ..user() };
        let cases = [
            (user(), "/h/s/identity"),
            (root(), "/var/lib/ttd/identity"),
            (unit(), "/other/identity"),
            (alone, "/var/lib/tt/.tinytorrent/identity"),
        ];
        for (places, dir) in cases {
            assert_eq!(places.identity(None), Path::new(dir));
            assert_eq!(places.identity(Some(Path::new("/f"))), Path::new("/f/.tinytorrent/identity"));
        }
    }

    #[test]
    fn the_command_line_comes_before_the_config() {
        let (a, b, c) = (Some(Path::new("/a")), Some(Path::new("/b")), Some(Path::new("/c")));
        let in_a = Path::new("/a/.tinytorrent/ttd.sock");
        for places in [user(), root(), unit()] {
            assert_eq!(places.shared_folder(a, b), Path::new("/a"));
            assert_eq!(places.shared_folder(None, b), Path::new("/b"));
            assert_eq!(places.daemon_socket(b, a, c), Path::new("/b"));
            assert_eq!(places.daemon_socket(None, a, c), in_a);
            assert_eq!(places.daemon_socket(None, None, c), Path::new("/c"));
        }
    }

    #[test]
    fn a_named_socket_is_the_only_place_tried() {
        let (socket, folder) = (Some(Path::new("/s")), Some(Path::new("/f")));
        let with_variable = Places { tt_socket: Some("/v".into()), ..user() };
        assert_eq!(with_variable.control_sockets(socket, folder), [Path::new("/s")]);
        assert_eq!(with_variable.control_sockets(None, folder), [Path::new("/f/.tinytorrent/ttd.sock")]);
        assert_eq!(with_variable.control_sockets(None, None), [Path::new("/v")]);

        let machine = Path::new("/run/tinytorrent/ttd.sock");
        assert_eq!(user().control_sockets(None, None), [Path::new("/h/r/ttd.sock"), machine]);
        assert_eq!(root().control_sockets(None, None), [machine]);
    }
}
