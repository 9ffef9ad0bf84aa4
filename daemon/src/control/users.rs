//! Finds the names of the users who call. A directory service that does not answer delays a caller only briefly.

use crate::jobs;
use shared::host::accounts::user_name;
use shared::wanted::WantedBy;
use std::time::Duration;

/// How long finding a name may take; after that the user is known by number. Every request that records its user waits
/// this long at most.
const NAME_WITHIN: Duration = Duration::from_secs(1);

/// A user as a [`WantedBy`], with the name if it is found in time.
pub async fn wanted_by(uid: u32) -> WantedBy {
    WantedBy::User { uid, name: name_of(uid).await }
}

/// The name of a user, if it is known soon.
pub async fn name_of(uid: u32) -> Option<String> {
    #[cfg(test)]
    if crate::jobs::life::current().is_some() {
        return None; // the system answers in real time
    }
    found_soon(move || user_name(uid).ok().flatten()).await
}

/// Runs `look_up` outside the async workers, and returns its result if it comes in time.
async fn found_soon(look_up: impl FnOnce() -> Option<String> + Send + 'static) -> Option<String> {
    let looking = jobs::run(look_up);
    tokio::time::timeout(NAME_WITHIN, looking).await.ok()?.ok()?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn a_user_is_known_by_name_and_without_one_by_number() {
        assert_eq!(wanted_by(0).await.to_string(), "root");
        let nobody = u32::MAX - 7;
        assert_eq!(wanted_by(nobody).await.to_string(), format!("uid {nobody}"));
    }

    #[tokio::test]
    async fn nobody_waits_for_a_directory_service_that_does_not_answer() {
        let (end, until) = mpsc::channel::<()>();
        let silent = move || until.recv().ok().map(|()| "alice".to_owned());
        assert_eq!(found_soon(silent).await, None);
        drop(end);
    }
}
