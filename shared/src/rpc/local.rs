//! The control socket: a Unix socket file, protected by its mode and by the caller's credentials.
//!
//! A socket file outlives a killed process, and binding to an existing file fails. So [`listen`] removes a file on
//! which nobody listens, and leaves one with a listener alone. The path may be of any length, although a socket's
//! address holds only 107 bytes: a longer path is reached through its directory's descriptor.

mod lock;

use crate::plain::io_error;
use interprocess::local_socket::tokio::prelude::*;
use interprocess::local_socket::traits::StreamCommon;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, tokio as local};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use lock::Lock;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One end of a connection over the control socket.
pub type Stream = local::Stream;

/// Paths longer than this, in bytes, are reached through the directory's descriptor. A socket's address holds 107
/// bytes.
const PATH_BYTES_MAX: usize = 100;

/// Limits the attempts to connect while the listener's queue is full. After the last one the call fails; together they
/// take a second.
const TRIES_MAX: u32 = 50;
/// The pause between two attempts.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// The process at the other end of a connection, as the kernel reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// The effective user id.
    pub uid: u32,
    /// The effective group id.
    pub gid: u32,
    /// The process id; 0 if the kernel does not report it.
    pub pid: u32,
}

/// A listener. Its socket file is removed when it is dropped.
#[derive(Debug)]
pub struct Listener {
    inner: local::Listener,
    place: SocketPlace,
    /// The device and inode of the socket file, so that only our own file is removed.
    file: (u64, u64),
}

/// Listens on a new socket file at `path` with the permissions `mode` (such as 0o660), independent of the umask. A
/// socket file without a listener is replaced.
///
/// # Errors
/// `AddrInUse` when another process listens there; `AlreadyExists` when the path exists and is no socket; `NotFound`
/// when the directory does not exist; `TimedOut` when another process holds the lock of the path for too long; and any
/// error of the system.
pub async fn listen(path: &Path, mode: u32) -> io::Result<Listener> {
    let place = SocketPlace::open(path, OFlags::RDONLY)?;
    // Two processes that find the same dead socket must not remove each other's new one.
    let mut lock_name = place.name.clone();
    lock_name.push(".lock");
    let lock = Lock::take(&place.folder, lock_name).await;
    let lock = lock.map_err(|error| place.error("cannot lock", &error))?;
    place.clear()?;
    let name = place.address().to_fs_name::<GenericFilePath>()?;
    // The mode is also set before binding, so that nobody can connect before it applies.
    let options = ListenerOptions::new().name(name).mode(mode as _).reclaim_name(false);
    let inner = options.create_tokio().map_err(|error| place.error("cannot listen on", &error))?;
    rustix::fs::chmodat(&place.folder, &place.name, Mode::from_raw_mode(mode), AtFlags::empty())?;
    let file = place.identity()?;
    drop(lock);
    Ok(Listener { inner, place, file })
}

/// Connects to the socket file at `path`.
///
/// # Errors
/// `NotFound` when there is no such file; `ConnectionRefused` when nobody listens on it; `PermissionDenied`; and any
/// error of the system.
pub async fn connect(path: &Path) -> io::Result<Stream> {
    let place = SocketPlace::open(path, OFlags::PATH)?;
    for _ in 0..TRIES_MAX {
        match local::Stream::connect(place.address().to_fs_name::<GenericFilePath>()?).await {
            Ok(stream) => return Ok(stream),
            // The queue of connections that wait to be accepted is full.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(TRY_AGAIN).await,
            Err(error) => return Err(place.error("cannot connect to", &error)),
        }
    }
    Err(place.error("cannot connect to", &io::ErrorKind::TimedOut.into()))
}

impl Listener {
    /// The next connection, and the process at its other end.
    ///
    /// # Errors
    /// When the system fails, for example for lack of descriptors. Try again a little later.
    pub async fn accept(&self) -> io::Result<(Stream, Credentials)> {
        let stream = self.inner.accept().await?;
        let who = stream.peer_creds()?;
        let unknown = || {
            io::Error::new(io::ErrorKind::PermissionDenied, "the system does not tell which user is calling")
        };
        let uid = who.euid().ok_or_else(unknown)?;
        let gid = who.egid().ok_or_else(unknown)?;
        let pid = who.pid().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0);
        Ok((stream, Credentials { uid, gid, pid }))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.place.identity().is_ok_and(|file| file == self.file) {
            let _ = rustix::fs::unlinkat(&self.place.folder, &self.place.name, AtFlags::empty());
        }
    }
}

/// The path of a socket file, whether it exists or not.
#[derive(Debug)]
struct SocketPlace {
    path: PathBuf,
    folder: OwnedFd,
    name: OsString,
}

impl SocketPlace {
    fn open(path: &Path, access: OFlags) -> io::Result<SocketPlace> {
        let name = path.file_name().map(OsStr::to_owned).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("{} does not name a file", path.display()))
        })?;
        let folder_path =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let flags = access | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(folder_path, flags, Mode::empty()).map_err(|error| {
            let error = io::Error::from(error);
            io::Error::new(
                error.kind(),
                format!(
                    "cannot open the control socket's directory {}: {}",
                    folder_path.display(),
                    io_error(&error)
                ),
            )
        })?;
        Ok(SocketPlace { path: path.to_owned(), folder, name })
    }

    /// A path to the socket that is short enough for a socket's address, if the file's name is.
    fn address(&self) -> PathBuf {
        if self.path.as_os_str().len() <= PATH_BYTES_MAX {
            return self.path.clone();
        }
        Path::new("/proc/self/fd").join(self.folder.as_raw_fd().to_string()).join(&self.name)
    }

    /// Removes a socket file on which nobody listens.
    fn clear(&self) -> io::Result<()> {
        let stat = match rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(error) => return Err(self.error("cannot look at", &error.into())),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
            let what = format!("{} already exists and is not a socket", self.path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        match self.probe() {
            // A full queue means that there is a listener.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => match error.kind() {
                io::ErrorKind::ConnectionRefused => {
                    rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty())?;
                    Ok(())
                }
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(self.error("cannot find out whether a process listens on", &error)),
            },
            _ => {
                let what = format!("another process already listens on {}", self.path.display());
                Err(io::Error::new(io::ErrorKind::AddrInUse, what))
            }
        }
    }

    /// Connects and hangs up, without ever waiting.
    fn probe(&self) -> io::Result<()> {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&socket2::SockAddr::unix(self.address())?)
    }

    fn identity(&self) -> io::Result<(u64, u64)> {
        let stat = rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    fn error(&self, doing: &str, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{doing} {}: {}", self.path.display(), io_error(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    async fn check_talk(listener: &Listener, path: &Path) {
        let (accepted, connected) = tokio::join!(listener.accept(), connect(path));
        let ((mut served, who), mut asking) = (accepted.unwrap(), connected.unwrap());
        assert_eq!(who.uid, rustix::process::geteuid().as_raw());
        assert_eq!(who.pid, std::process::id());
        served.write_all(b"hello").await.unwrap();
        let mut text = [0; 5];
        asking.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"hello");
    }

    #[tokio::test]
    async fn the_file_lives_as_long_as_the_listener() {
        let folder = folder();
        let path = folder.path().join("ttd.sock");
        let listener = listen(&path, 0o600).await.unwrap();
        check_talk(&listener, &path).await;
        drop(listener);
        assert!(!path.exists());
        assert_eq!(connect(&path).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_path_longer_than_an_address_works() {
        let folder = folder();
        let deep = folder.path().join("x".repeat(120)).join("y".repeat(120));
        std::fs::create_dir_all(&deep).unwrap();
        let path = deep.join("ttd.sock");
        let listener = listen(&path, 0o600).await.unwrap();
        check_talk(&listener, &path).await;
        assert_eq!(listen(&path, 0o600).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_living_socket_is_left_alone() {
        let folder = folder();
        let path = folder.path().join("ttd.sock");
        let listener = listen(&path, 0o600).await.unwrap();
        let error = listen(&path, 0o600).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("ttd.sock"), "{error}");
        // The probe appears as a connection that ends at once.
        let _ = listener.accept().await;
        check_talk(&listener, &path).await;
    }

    /// Leaves a socket behind that nobody listens on. A program that another test starts at this moment has a copy of it
    /// until it runs, so this waits until connections are refused.
    async fn leave_dead(path: &Path) {
        drop(std::os::unix::net::UnixListener::bind(path).unwrap()); // std leaves the file behind
        let dead = async {
            while !matches!(connect(path).await, Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), dead).await.expect("nobody listens");
    }

    /// Backup tools and the like may lock the directory.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_several_that_find_a_dead_socket_one_listens_whoever_locks_the_folder() {
        let folder = folder();
        let path = folder.path().join("ttd.sock");
        let other = std::fs::File::open(folder.path()).unwrap();
        rustix::fs::flock(&other, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
        for _ in 0..20 {
            leave_dead(&path).await;
            let all = [(); 4].map(|()| {
                let path = path.clone();
                tokio::spawn(async move { listen(&path, 0o600).await })
            });
            let mut listening = Vec::new();
            for listener in all {
                match listener.await.unwrap() {
                    Ok(listener) => listening.push(listener),
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}"),
                }
            }
            assert_eq!(listening.len(), 1);
            assert!(path.exists(), "the one that listens can be found");
        }
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced() {
        let folder = folder();
        let path = folder.path().join("ttd.sock");
        leave_dead(&path).await;
        assert!(std::fs::symlink_metadata(&path).unwrap().file_type().is_socket());
        assert_eq!(connect(&path).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let listener = listen(&path, 0o600).await.unwrap();
        check_talk(&listener, &path).await;
    }

    #[tokio::test]
    async fn what_is_no_socket_is_refused_and_kept() {
        let folder = folder();
        let path = folder.path().join("ttd.sock");
        std::fs::write(&path, "mine").unwrap();
        assert_eq!(listen(&path, 0o600).await.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(listen(&link, 0o600).await.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let nowhere = folder.path().join("nowhere/ttd.sock");
        assert_eq!(listen(&nowhere, 0o600).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn the_successors_file_is_not_removed() {
        let folder = folder();
        let path = folder.path().join("ttd.sock");
        let former = listen(&path, 0o600).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        let listener = listen(&path, 0o600).await.unwrap();
        drop(former);
        check_talk(&listener, &path).await;
    }

    /// The umask applies to the whole process, so this test runs itself in a new process with umask 077.
    #[test]
    fn the_mode_holds_whatever_the_umask() {
        if std::env::var_os("TT_UMASK_TEST").is_none() {
            let thread = std::thread::current();
            let test = thread.name().filter(|name| *name != "main").expect("a test has a thread of its own");
            let this = std::env::current_exe().unwrap();
            let output = std::process::Command::new("sh")
                .args(["-c", "umask 077; exec \"$0\" --exact \"$1\""])
                .arg(this)
                .arg(test)
                .env("TT_UMASK_TEST", "1")
                .output()
                .unwrap();
            let out = String::from_utf8_lossy(&output.stdout);
            // The test harness also succeeds when no test has that name.
            assert!(output.status.success() && out.contains("\ntest result: ok. 1 passed;"), "{out}");
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = folder();
            for mode in [0o600, 0o660, 0o666] {
                let path = folder.path().join(format!("{mode:o}.sock"));
                let _listener = listen(&path, mode).await.unwrap();
                let permissions = std::fs::metadata(&path).unwrap().permissions();
                assert_eq!(permissions.mode() & 0o777, mode);
            }
        });
    }
}
