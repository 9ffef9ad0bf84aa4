//! Looks up users and groups of this machine by name and by id, from the sources that `/etc/nsswitch.conf` names, for
//! example `files` and then `sss` or `ldap`.
//!
//! A directory service may be unreachable, and then the C library blocks without a limit. So each lookup runs on its
//! own thread and is given up after [`LOOKUP_MAX`]. Every call here may block that long: do not call it on an async
//! worker.

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// Limits the time of a lookup; after that it fails. A directory service on the network that is alive answers sooner.
pub const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// Limits the lookups that are running, including those that were given up: each occupies a thread until it ends.
/// Further lookups fail.
const LOOKUPS_MAX: usize = 8;

static LOOKUPS: AtomicUsize = AtomicUsize::new(0);

/// Why a lookup failed, so that it is unknown whether the user or group exists.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The system reported an error.
    #[error("users and groups cannot be looked up: {0}")]
    Failed(#[from] io::Error),
    /// No answer came in time. Probably a directory service is unreachable.
    #[error("users and groups cannot be looked up: no answer within {} s", LOOKUP_MAX.as_secs())]
    TimedOut,
    /// Earlier lookups have no answer yet.
    #[error(
        "users and groups cannot be looked up: {LOOKUPS_MAX} earlier lookups are still waiting for an answer"
    )]
    TooMany,
}

/// A group's id, from a name or a number. A number is returned unchanged. `None` if there is no such group.
///
/// # Errors
/// When that cannot be found out.
pub fn group_id(group: &str) -> Result<Option<u32>, LookupError> {
    if let Ok(number) = group.parse() {
        return Ok(Some(number));
    }
    let name = group.to_owned();
    let found = look_up(LOOKUP_MAX, move || Group::from_name(&name))?;
    Ok(found.map(|group| group.gid.as_raw()))
}

/// A group's name; `None` if no group has this id.
///
/// # Errors
/// When that cannot be found out.
pub fn group_name(id: u32) -> Result<Option<String>, LookupError> {
    Ok(look_up(LOOKUP_MAX, move || Group::from_gid(Gid::from_raw(id)))?.map(|group| group.name))
}

/// A user's name; `None` if no user has this id.
///
/// # Errors
/// When that cannot be found out.
pub fn user_name(id: u32) -> Result<Option<String>, LookupError> {
    Ok(look_up(LOOKUP_MAX, move || User::from_uid(Uid::from_raw(id)))?.map(|user| user.name))
}

/// The ids of a user and of its own group; `None` if there is no user of this name.
///
/// # Errors
/// When that cannot be found out.
pub fn user_ids(name: &str) -> Result<Option<(u32, u32)>, LookupError> {
    let name = name.to_owned();
    let found = look_up(LOOKUP_MAX, move || User::from_name(&name))?;
    Ok(found.map(|user| (user.uid.as_raw(), user.gid.as_raw())))
}

/// Runs a lookup on its own thread and waits for the answer.
fn look_up<T: Send + 'static>(
    patience: Duration,
    ask: impl FnOnce() -> nix::Result<Option<T>> + Send + 'static,
) -> Result<Option<T>, LookupError> {
    let permit = LookupPermit::take(&LOOKUPS)?;
    let (answer, answers) = mpsc::sync_channel(1);
    std::thread::Builder::new().name("accounts".to_owned()).spawn(move || {
        let found = ask();
        drop(permit);
        let _ = answer.send(found); // the caller may have given up
    })?;
    match answers.recv_timeout(patience) {
        Ok(Ok(found)) => Ok(found),
        // Some sources report a missing entry this way, and so does the C library if it has no source.
        Ok(Err(Errno::ENOENT | Errno::ESRCH)) => Ok(None),
        Ok(Err(error)) => Err(LookupError::Failed(error.into())),
        Err(RecvTimeoutError::Timeout) => Err(LookupError::TimedOut),
        Err(RecvTimeoutError::Disconnected) => {
            Err(LookupError::Failed(io::Error::other("the lookup ended without an answer")))
        }
    }
}

/// The permit for one running lookup. It is counted until it is dropped.
struct LookupPermit(&'static AtomicUsize);

impl LookupPermit {
    fn take(lookups: &'static AtomicUsize) -> Result<LookupPermit, LookupError> {
        let before = lookups.fetch_add(1, Ordering::Relaxed);
        let permit = LookupPermit(lookups);
        if before < LOOKUPS_MAX { Ok(permit) } else { Err(LookupError::TooMany) }
    }
}

impl Drop for LookupPermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_found() {
        assert_eq!(group_id("root").unwrap(), Some(0));
        assert_eq!(group_name(0).unwrap().as_deref(), Some("root"));
        assert_eq!(user_name(0).unwrap().as_deref(), Some("root"));
        assert_eq!((user_ids("root").unwrap(), user_ids("no such user").unwrap()), (Some((0, 0)), None));
    }

    #[test]
    fn a_number_needs_no_group_of_that_number() {
        assert_eq!((group_id("0").unwrap(), group_id("4711").unwrap()), (Some(0), Some(4711)));
    }

    #[test]
    fn what_the_machine_does_not_know_is_told_as_that() {
        assert_eq!(group_id("no such group").unwrap(), None);
        assert_eq!(group_id("").unwrap(), None);
        assert_eq!((group_name(u32::MAX - 7).unwrap(), user_name(u32::MAX - 7).unwrap()), (None, None));
    }

    #[test]
    fn a_lookup_without_an_answer_is_given_up() {
        let (_open, never) = mpsc::channel::<()>();
        let hangs = move || {
            let _ = never.recv();
            Ok(None::<()>)
        };
        let error = look_up(Duration::from_millis(1), hangs).unwrap_err();
        assert!(matches!(error, LookupError::TimedOut), "{error}");
    }

    #[test]
    fn lookups_without_an_answer_are_bounded() {
        static OF_THIS_TEST: AtomicUsize = AtomicUsize::new(0);
        let permits: Vec<LookupPermit> =
            (0..LOOKUPS_MAX).map(|_| LookupPermit::take(&OF_THIS_TEST).unwrap()).collect();
        assert!(matches!(LookupPermit::take(&OF_THIS_TEST), Err(LookupError::TooMany)));
        drop(permits);
        assert!(LookupPermit::take(&OF_THIS_TEST).is_ok(), "each gives its place back");
    }

    #[test]
    fn a_name_that_the_system_cannot_be_asked_for_is_unknown() {
        assert_eq!(group_id("a\0b").unwrap(), None);
    }
}
