//! Finds the daemon and says hello.

use crate::cli::Global;
use crate::error::{Error, Kind};
use crate::output::detail;
use shared::host::accounts;
use shared::host::paths::Places;
use shared::rpc::control::{ControlCaller, DaemonInfo};
use shared::rpc::wire::{CallError, ClientOptions, client};
use shared::rpc::{PROTOCOL_VERSION, local};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to wait for the answer to an ordinary call. The daemon answers most of them at once, so a daemon that takes
/// longer hangs: the command fails with exit code 5.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the daemon may take to write one part of an import: its disk may be slow or busy. Beyond it the command fails
/// with exit code 5.
pub(crate) const PART_TIMEOUT: Duration = Duration::from_secs(120);

/// How long the daemon may hold back the answer to a long poll, in milliseconds. Then it answers without news and ttctl
/// asks again.
pub(crate) const WAIT_MS: u32 = 1_500;

/// How long to wait for the answer to a long poll. It is far more than [`WAIT_MS`], so only a daemon that hangs exceeds
/// it.
pub(crate) const POLL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait for a connection and for the answer to hello. Beyond it the daemon counts as hung.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to keep looking for a daemon that may just be starting. Beyond it the command fails with exit code 3.
const STARTS_WITHIN: Duration = Duration::from_millis(600);
/// The pause between two looks.
const TRY_AGAIN: Duration = Duration::from_millis(30);

/// The pause between two attempts to reach a daemon that has stopped while a command follows or watches.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A daemon that answered hello.
#[derive(Debug)]
pub(crate) struct Daemon {
    /// Makes calls to it.
    pub(crate) caller: ControlCaller,
    /// What it said of itself.
    pub(crate) info: DaemonInfo,
}

impl Daemon {
    /// Connects to the first daemon that answers at the sockets that the command line or the environment names, or else
    /// at the usual ones.
    pub(crate) async fn connect(global: &Global) -> Result<Daemon, Error> {
        Daemon::look_for(global).await.map_err(|nobody| nobody.error)
    }

    /// Waits until a daemon answers, however long that takes: the one that answered before has stopped.
    pub(crate) async fn connect_again(global: &Global) -> Result<Daemon, Error> {
        loop {
            match Daemon::connect(global).await {
                Err(error) if error.kind == Kind::NoDaemon => tokio::time::sleep(LOOK_AGAIN).await,
                connected => return connected,
            }
        }
    }

    /// Like [`Daemon::connect`], for commands that can continue without a daemon.
    pub(crate) async fn look_for(global: &Global) -> Result<Daemon, Nobody> {
        let sockets =
            Places::of_process().control_sockets(global.socket.as_deref(), global.folder.as_deref());
        let found = connect_first(&sockets).await;
        if let Ok(daemon) = &found {
            let DaemonInfo { software, pid, folder, .. } = &daemon.info;
            detail(
                global,
                &format!("ttd {software} answers (process {pid}, directory {})", folder.display()),
            );
        }
        found.map_err(|nobody| match nobody.how_to_start {
            true => Nobody { error: nobody.error.hint(start_hint(global)), ..nobody },
            false => nobody,
        })
    }
}

/// Why there is no daemon to talk to.
#[derive(Debug)]
pub(crate) struct Nobody {
    /// The error for the user.
    pub(crate) error: Error,
    /// Whether a daemon may be running anyway: one that hangs, or that this user may not access.
    pub(crate) may_run: bool,
    /// Whether starting one would help.
    how_to_start: bool,
}

impl From<Error> for Nobody {
    /// A process listens at the socket but cannot be used.
    fn from(error: Error) -> Nobody {
        Nobody { error, may_run: true, how_to_start: false }
    }
}

/// The hint that says how to start the daemon that was not found.
fn start_hint(global: &Global) -> String {
    let word = |path: &Path| shared::shell::word(&path.to_string_lossy());
    match (&global.folder, &global.socket) {
        (_, Some(socket)) if is_no_socket(socket) => {
            "--socket takes the socket that ttd listens on; for `ttd DIR`, use --directory DIR".to_owned()
        }
        (_, Some(socket)) => format!("start it: `ttd DIR --socket {}`", word(socket)),
        (Some(folder), None) => format!("start it: `ttd {}`", word(folder)),
        (None, None) => {
            "start it: `sudo systemctl start ttd` (or `ttd DIR`, then --directory DIR)".to_owned()
        }
    }
}

/// Tries all sockets, repeatedly for a moment: a daemon that was just started has no socket yet.
async fn connect_first(sockets: &[PathBuf]) -> Result<Daemon, Nobody> {
    let until = Instant::now() + STARTS_WITHIN;
    loop {
        match connect_now(sockets).await {
            Err(nobody) if nobody.error.kind == Kind::NoDaemon && Instant::now() < until => {
                tokio::time::sleep(TRY_AGAIN).await;
            }
            connected => return connected,
        }
    }
}

async fn connect_now(sockets: &[PathBuf]) -> Result<Daemon, Nobody> {
    let mut tried = Vec::new();
    for socket in sockets {
        match tokio::time::timeout(HELLO_TIMEOUT, local::connect(socket)).await {
            Ok(Ok(stream)) => return greet(stream, socket).await.map_err(Nobody::from),
            Ok(Err(error)) => tried.push((socket, error)),
            Err(_) => tried.push((socket, io::ErrorKind::TimedOut.into())),
        }
    }
    let places: Vec<String> = tried
        .iter()
        .map(|(socket, error)| format!("{} ({})", socket.display(), why(socket, error)))
        .collect();
    let denied = tried.iter().find(|(_, error)| error.kind() == io::ErrorKind::PermissionDenied);
    let error = Error::new(Kind::NoDaemon, format!("no ttd answers; tried {}", places.join(" and ")));
    let hangs = tried.iter().any(|(_, error)| error.kind() == io::ErrorKind::TimedOut);
    Err(match denied {
        Some((socket, _)) => error.hint(way_in((*socket).clone()).await).into(),
        None => Nobody { error, may_run: hangs, how_to_start: !hangs },
    })
}

/// Groups whose members can do much more than control a ttd, so that no hint suggests to join them. Root's group is
/// also recognized by its number.
const GROUPS_OF_POWER: [&str; 9] =
    ["root", "sudo", "wheel", "adm", "docker", "lxd", "disk", "shadow", "admin"];

/// The hint for a user who may not use the socket.
async fn way_in(socket: PathBuf) -> String {
    // users and groups may come from a slow directory service
    let way_in = tokio::task::spawn_blocking(move || {
        let Ok(metadata) = std::fs::metadata(&socket) else {
            return format!("no permission to access {}: use sudo", socket.display());
        };
        let (group, user) = (metadata.gid(), rustix::process::getuid().as_raw());
        let group = accounts::group_name(group).ok().flatten().unwrap_or_else(|| group.to_string());
        let user = accounts::user_name(user).ok().flatten().unwrap_or_else(|| "YOU".to_owned());
        advice(&socket.display().to_string(), metadata.mode(), metadata.gid(), &group, &user)
    });
    way_in.await.unwrap_or_else(|_| "use sudo".to_owned())
}

/// Suggests the socket's group, unless its members may do far more than control ttd.
fn advice(socket: &str, mode: u32, gid: u32, group: &str, user: &str) -> String {
    if mode & 0o020 == 0 {
        return format!("only its owner may use {socket}: use sudo");
    }
    if gid == 0 || GROUPS_OF_POWER.contains(&group) {
        return format!("only root may use {socket}: use sudo");
    }
    format!(
        "the group \"{group}\" may use {socket}: `sudo usermod --append --groups {group} {user}`, then log in again; or \
         use sudo"
    )
}

/// Whether the path exists and is not a socket.
fn is_no_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;

    std::fs::metadata(path).is_ok_and(|found| !found.file_type().is_socket())
}

fn why(socket: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused if is_no_socket(socket) => "not a socket".to_owned(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "does not exist".to_owned(),
        io::ErrorKind::ConnectionRefused => "no process listens on it".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::TimedOut => "it does not respond".to_owned(),
        _ => shared::plain::io_error(error),
    }
}

async fn greet(stream: local::Stream, socket: &Path) -> Result<Daemon, Error> {
    let (caller, link) = client(stream, ClientOptions::default());
    let caller: ControlCaller = caller;
    tokio::spawn(link);
    match caller.hello(PROTOCOL_VERSION, HELLO_TIMEOUT).await {
        Ok(Ok(info)) => Ok(Daemon { caller, info }),
        Ok(Err(wrong)) => {
            Err(Error::refused(format!("the ttd at {} has a different version: {wrong}", socket.display()))
                .hint("use the ttctl of its version"))
        }
        Err(CallError::Closed) => {
            let message = format!("the ttd at {} closed the connection at once", socket.display());
            Err(Error::new(Kind::NoDaemon, message)
                .hint("it may not accept commands from your user; see `journalctl -u ttd`"))
        }
        Err(error) => {
            let message = format!("ttd at {} does not respond: {error}", socket.display());
            Err(Error::new(Kind::NoDaemon, message).hint("it may be hung; see `journalctl -u ttd`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_place_that_was_tried_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a.sock"), folder.path().join("b.sock"));
        drop(std::os::unix::net::UnixListener::bind(&second).unwrap());
        let error = connect_first(&[first.clone(), second.clone()]).await.unwrap_err().error;
        assert_eq!(error.exit_code(), 3);
        let (first, second) = (first.display(), second.display());
        assert_eq!(
            error.message,
            format!("no ttd answers; tried {first} (does not exist) and {second} (no process listens on it)")
        );
    }

    #[tokio::test]
    async fn what_is_no_socket_is_told_to_be_none_and_nobody_is_told_to_make_one_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passwd");
        std::fs::write(&file, "").unwrap();
        for none in [&file, folder.path()] {
            let global = Global { socket: Some(none.to_owned()), ..Global::default() };
            let nobody = Daemon::look_for(&global).await.unwrap_err();
            let shown = none.display();
            assert_eq!(nobody.error.message, format!("no ttd answers; tried {shown} (not a socket)"));
            let hint = nobody.error.hint.unwrap();
            assert!(hint.starts_with("--socket takes the socket that ttd listens on"), "{hint}");
            assert!(!nobody.may_run);
        }
        let global = Global { socket: Some("/no/such".into()), ..Global::default() };
        let hint = Daemon::look_for(&global).await.unwrap_err().error.hint;
        assert_eq!(hint.as_deref(), Some("start it: `ttd DIR --socket /no/such`"));
        let global = Global { folder: Some("/no/such folder".into()), ..Global::default() };
        let hint = Daemon::look_for(&global).await.unwrap_err().error.hint;
        assert_eq!(hint.as_deref(), Some("start it: `ttd '/no/such folder'`"));
    }

    #[test]
    fn who_is_shut_out_is_told_of_the_group_unless_it_is_one_of_power() {
        let advice = |mode, gid, group: &str| advice("/run/s", mode, gid, group, "me");
        assert!(
            advice(0o660, 990, "tinytorrent").contains("`sudo usermod --append --groups tinytorrent me`"),
            "a group of its own"
        );
        assert_eq!(advice(0o600, 990, "tinytorrent"), "only its owner may use /run/s: use sudo");
        let of_power = [(0, "wurzel"), (27, "sudo"), (4, "adm"), (10, "wheel"), (998, "docker"), (0, "root")];
        for (gid, group) in of_power {
            assert_eq!(advice(0o660, gid, group), "only root may use /run/s: use sudo", "{group}");
        }
    }
}
