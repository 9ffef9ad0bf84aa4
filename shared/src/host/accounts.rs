//! Users and groups of this machine, by name and by number, from wherever the machine has them: `/etc/nsswitch.conf` says
//! where, for example `files` and then `sss` or `ldap`.
//!
//! A directory service may be away, and the C library waits for it as long as it likes. So each question is asked on a
//! thread of its own, and given up after [`LOOKUP_MAX`]. All calls here may wait that long: an async worker must not.

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// How long a lookup may take.
pub const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// How many lookups may be under way, those that were given up among them: each has a thread until it ends.
const LOOKUPS_MAX: usize = 8;

static LOOKUPS: AtomicUsize = AtomicUsize::new(0);

/// Why it is not known whether there is such a user or group.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The system says so.
    #[error("users and groups cannot be looked up: {0}")]
    Failed(#[from] io::Error),
    /// Nothing was said in time: most likely a directory service is away.
    #[error("users and groups cannot be looked up: no answer within {} s", LOOKUP_MAX.as_secs())]
    TimedOut,
    /// Earlier lookups have no answer yet.
    #[error(
        "users and groups cannot be looked up: {LOOKUPS_MAX} earlier lookups are still waiting for an answer"
    )]
    TooMany,
}

/// A group's number, by number or by name. A number is taken as it is. `None` if there is no such group.
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

/// A group's name. `None` if no group has this number.
///
/// # Errors
/// When that cannot be found out.
pub fn group_name(id: u32) -> Result<Option<String>, LookupError> {
    Ok(look_up(LOOKUP_MAX, move || Group::from_gid(Gid::from_raw(id)))?.map(|group| group.name))
}

/// A user's name. `None` if no user has this number.
///
/// # Errors
/// When that cannot be found out.
pub fn user_name(id: u32) -> Result<Option<String>, LookupError> {
    Ok(look_up(LOOKUP_MAX, move || User::from_uid(Uid::from_raw(id)))?.map(|user| user.name))
}

/// Asks on a thread of its own, and waits for the answer.
fn look_up<T: Send + 'static>(
    patience: Duration,
    ask: impl FnOnce() -> nix::Result<Option<T>> + Send + 'static,
) -> Result<Option<T>, LookupError> {
    let permit = LookupPermit::take(&LOOKUPS)?;
    let (answer, answers) = mpsc::sync_channel(1);
    std::thread::Builder::new().name("accounts".to_owned()).spawn(move || {
        let found = ask();
        drop(permit);
        let _ = answer.send(found); // who asked may have given up
    })?;
    match answers.recv_timeout(patience) {
        Ok(Ok(found)) => Ok(found),
        // so some of the machine's sources say that there is none, and so does the C library where it has no source
        Ok(Err(Errno::ENOENT | Errno::ESRCH)) => Ok(None),
        Ok(Err(error)) => Err(LookupError::Failed(error.into())),
        Err(RecvTimeoutError::Timeout) => Err(LookupError::TimedOut),
        Err(RecvTimeoutError::Disconnected) => {
            Err(LookupError::Failed(io::Error::other("the lookup ended without an answer")))
        }
    }
}

/// One of the lookups that may be under way; counted as long as it lives.
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
