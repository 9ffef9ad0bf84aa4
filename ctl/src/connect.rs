//! Finding the daemon, and saying hello.

use crate::cli::Global;
use crate::error::{Error, Kind};
use shared::host::accounts;
use shared::host::paths::Places;
use shared::rpc::control::{ControlCaller, DaemonInfo};
use shared::rpc::wire::{CallError, ClientOptions, client};
use shared::rpc::{PROTOCOL_VERSION, local};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long an ordinary call may take: the daemon answers most at once.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the daemon holds back the answer to a long poll.
pub(crate) const WAIT_MS: u32 = 1_500;

/// How long we wait for that answer.
pub(crate) const POLL_TIMEOUT: Duration = Duration::from_secs(30);

const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a daemon that nobody hears of may still be starting, and how often we look.
const STARTS_WITHIN: Duration = Duration::from_millis(600);
const TRY_AGAIN: Duration = Duration::from_millis(30);

/// A daemon that answered hello.
#[derive(Debug)]
pub(crate) struct Daemon {
    /// Asks it.
    pub(crate) caller: ControlCaller,
    /// Who it is.
    pub(crate) info: DaemonInfo,
}

impl Daemon {
    /// Connects to the first daemon that answers where the command line, or the machine, says.
    pub(crate) async fn connect(global: &Global) -> Result<Daemon, Error> {
        let sockets =
            Places::of_process().control_sockets(global.socket.as_deref(), global.folder.as_deref());
        connect_first(&sockets).await
    }
}

/// Tries all places, and for a moment again: a daemon that was started just now has no socket yet.
async fn connect_first(sockets: &[PathBuf]) -> Result<Daemon, Error> {
    let until = Instant::now() + STARTS_WITHIN;
    loop {
        match connect_now(sockets).await {
            Err(error) if error.exit_code() == Kind::NoDaemon as u8 && Instant::now() < until => {
                tokio::time::sleep(TRY_AGAIN).await;
            }
            connected => return connected,
        }
    }
}

async fn connect_now(sockets: &[PathBuf]) -> Result<Daemon, Error> {
    let mut tried = Vec::new();
    for socket in sockets {
        match tokio::time::timeout(HELLO_TIMEOUT, local::connect(socket)).await {
            Ok(Ok(stream)) => return greet(stream, socket).await,
            Ok(Err(error)) => tried.push((socket, error)),
            Err(_) => tried.push((socket, io::ErrorKind::TimedOut.into())),
        }
    }
    let places: Vec<String> =
        tried.iter().map(|(socket, error)| format!("{} ({})", socket.display(), why(error))).collect();
    let denied = tried.iter().find(|(_, error)| error.kind() == io::ErrorKind::PermissionDenied);
    let hint = match denied {
        Some((socket, _)) => way_in(socket),
        None => {
            "start one with `ttd FOLDER`, and name it with --folder FOLDER, --socket or $TT_SOCKET".to_owned()
        }
    };
    let message = format!("no ttd answers; tried {}", places.join(" and "));
    Err(Error::new(Kind::NoDaemon, message).hint(hint))
}

/// What helps who may not use a socket.
fn way_in(socket: &Path) -> String {
    let Ok(metadata) = std::fs::metadata(socket) else {
        return format!("your user may not even look into {}: use sudo", socket.display());
    };
    let group = accounts::group_name(metadata.gid()).unwrap_or(metadata.gid().to_string());
    if metadata.mode() & 0o020 == 0 {
        return format!("{} is for its owner alone: use sudo", socket.display());
    }
    let user = accounts::user_name(rustix::process::getuid().as_raw()).unwrap_or("YOU".to_owned());
    format!(
        "{} is for the group \"{group}\": `sudo usermod --append --groups {group} {user}`, then log in anew; or \
         use sudo",
        socket.display()
    )
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "not there".to_owned(),
        io::ErrorKind::ConnectionRefused => "nobody listens there any more".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::TimedOut => "it hangs".to_owned(),
        _ => error.to_string(),
    }
}

async fn greet(stream: local::Stream, socket: &Path) -> Result<Daemon, Error> {
    let (caller, link) = client(stream, ClientOptions::default());
    let caller: ControlCaller = caller;
    tokio::spawn(link);
    match caller.hello(PROTOCOL_VERSION, HELLO_TIMEOUT).await {
        Ok(Ok(info)) => Ok(Daemon { caller, info }),
        Ok(Err(wrong)) => {
            Err(Error::refused(format!("the ttd at {} is of another version: {wrong}", socket.display()))
                .hint("use the ttctl that came with it"))
        }
        Err(CallError::Closed) => {
            let message = format!("the ttd at {} hung up at once", socket.display());
            Err(Error::new(Kind::NoDaemon, message)
                .hint("it may not take orders from your user: see its log"))
        }
        Err(error) => {
            let message = format!("what listens at {} does not answer as a ttd: {error}", socket.display());
            Err(Error::new(Kind::NoDaemon, message).hint("if it is a ttd, it hangs: see its log"))
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
        let error = connect_first(&[first.clone(), second.clone()]).await.unwrap_err();
        assert_eq!(error.exit_code(), 3);
        let (first, second) = (first.display(), second.display());
        assert_eq!(
            error.message,
            format!("no ttd answers; tried {first} (not there) and {second} (nobody listens there any more)")
        );
    }

    #[test]
    fn who_is_shut_out_is_told_of_the_group() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("ttd.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let with_mode = |mode| {
            std::fs::set_permissions(&socket, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            way_in(&socket)
        };
        let gid = std::fs::metadata(&socket).unwrap().gid();
        let group = accounts::group_name(gid).unwrap_or(gid.to_string());
        assert!(with_mode(0o660).contains(&format!("usermod --append --groups {group} ")));
        assert!(with_mode(0o600).contains("for its owner alone"));
    }
}
