//! What the kernel tells of changes in the watched directory (inotify). It may lose some, and tells nothing of what
//! other machines write to a network file system: a scan finds those.

use super::seen::Heard;
use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// How long events gather before they are read: whoever writes makes many, and equal ones become one.
const GATHER: Duration = Duration::from_millis(100);

/// Limits the events that are read at once. The others are read the next time.
const EVENTS_MAX: usize = 16_384;

/// The bytes that are read from the kernel at a time.
const READ_BYTES: usize = 16 << 10;

/// Events of a directory.
#[derive(Debug)]
pub(super) struct Events {
    inotify: AsyncFd<OwnedFd>,
    read_at: Instant,
}

/// What the events of a moment say.
#[derive(Debug, Default)]
pub(super) struct Noticed {
    /// What was heard of which file, in order.
    pub(super) heard: Vec<(OsString, Heard)>,
    /// Whether the kernel had no room for all events.
    pub(super) is_incomplete: bool,
    /// Whether the directory was moved, deleted or unmounted: no more events come.
    pub(super) is_over: bool,
}

impl Events {
    /// Asks for the events of a directory. Must be called in a runtime.
    ///
    /// # Errors
    /// When the system gives none, in words for an administrator.
    pub(super) fn of(folder: &Path) -> Result<Events, String> {
        let inotify = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(not_begun)?;
        let wanted = WatchFlags::CREATE
            | WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::ATTRIB
            | WatchFlags::MOVE_SELF
            | WatchFlags::DELETE_SELF
            | WatchFlags::ONLYDIR;
        add_watch(&inotify, folder, wanted).map_err(not_watched)?;
        Ok(Events { inotify: registered(inotify)?, read_at: Instant::now() })
    }

    /// Waits for events. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) async fn next(&mut self) -> io::Result<Noticed> {
        loop {
            tokio::time::sleep_until(self.read_at).await;
            let mut ready = self.inotify.readable().await?;
            let mut noticed = Noticed::default();
            let mut buffer = [MaybeUninit::uninit(); READ_BYTES];
            let mut reader = Reader::new(ready.get_inner(), &mut buffer);
            while noticed.heard.len() < EVENTS_MAX {
                match reader.next() {
                    Ok(event) => noticed.add(event.events(), event.file_name().map(|name| name.to_bytes())),
                    Err(Errno::AGAIN) => {
                        ready.clear_ready();
                        break;
                    }
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            self.read_at = Instant::now() + GATHER;
            if !noticed.heard.is_empty() || noticed.is_incomplete || noticed.is_over {
                return Ok(noticed);
            }
        }
    }
}

impl Noticed {
    fn add(&mut self, flags: ReadFlags, name: Option<&[u8]>) {
        self.is_incomplete |= flags.contains(ReadFlags::QUEUE_OVERFLOW);
        let ends = ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF | ReadFlags::UNMOUNT | ReadFlags::IGNORED;
        self.is_over |= flags.intersects(ends);
        let Some(name) = name else { return };
        let heard = match () {
            () if flags.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::MOVED_TO) => Heard::Closed,
            () if flags.contains(ReadFlags::ISDIR | ReadFlags::CREATE) => Heard::Closed,
            () if flags.intersects(ReadFlags::CREATE | ReadFlags::MODIFY) => Heard::Written,
            () => Heard::Changed,
        };
        self.heard.push((OsStr::from_bytes(name).to_owned(), heard));
    }
}

/// Has the runtime say when events can be read.
#[expect(
    deprecated,
    reason = "unsound only for a type whose descriptor may change or be closed; an OwnedFd's does not"
)]
fn registered(inotify: OwnedFd) -> Result<AsyncFd<OwnedFd>, String> {
    AsyncFd::with_interest(inotify, Interest::READABLE).map_err(|error| error.to_string())
}

fn not_begun(error: Errno) -> String {
    match error {
        Errno::MFILE => "fs.inotify.max_user_instances is reached; raise it with sysctl".to_owned(),
        error => format!("inotify: {}", io::Error::from(error)),
    }
}

fn not_watched(error: Errno) -> String {
    match error {
        Errno::NOSPC => "fs.inotify.max_user_watches is reached; raise it with sysctl".to_owned(),
        error => format!("inotify: {}", io::Error::from(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    async fn next(events: &mut Events) -> Noticed {
        tokio::time::timeout(Duration::from_secs(60), events.next()).await.unwrap().unwrap()
    }

    /// Reads until something was heard of a file.
    async fn until(events: &mut Events, name: &str, wanted: Heard) {
        while !next(events).await.heard.contains(&(name.into(), wanted)) {}
    }

    #[tokio::test]
    async fn it_is_heard_when_a_file_is_written_and_when_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut events = Events::of(folder.path()).unwrap();
        let mut file = fs::File::create(path("x")).unwrap();
        file.write_all(b"some").unwrap();
        until(&mut events, "x", Heard::Written).await;
        drop(file);
        until(&mut events, "x", Heard::Closed).await;
        fs::rename(path("x"), path("y")).unwrap();
        let noticed = next(&mut events).await;
        assert_eq!(noticed.heard, [("x".into(), Heard::Changed), ("y".into(), Heard::Closed)]);
        fs::create_dir(path("directory")).unwrap();
        until(&mut events, "directory", Heard::Closed).await;
        fs::remove_file(path("y")).unwrap();
        until(&mut events, "y", Heard::Changed).await;
    }

    #[tokio::test]
    async fn a_directory_that_is_moved_or_deleted_gives_no_more_events() {
        let root = tempfile::tempdir().unwrap();
        let (folder, moved) = (root.path().join("folder"), root.path().join("moved"));
        fs::create_dir(&folder).unwrap();
        let mut events = Events::of(&folder).unwrap();
        fs::rename(&folder, &moved).unwrap();
        assert!(next(&mut events).await.is_over);
        let mut events = Events::of(&moved).unwrap();
        fs::remove_dir(&moved).unwrap();
        assert!(next(&mut events).await.is_over);
        assert!(Events::of(&folder).unwrap_err().starts_with("inotify: "));
    }
}
