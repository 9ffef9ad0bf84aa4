//! Has connections begin with what this machine joined with, as soon as that changes.

use super::membership::Membership;
use shared::host::doors::Keeper;
use std::sync::Arc;

/// Tells the keeper of the doors which files it looks at, as long as the daemon runs. It returns only with the membership.
pub async fn follow(membership: Arc<Membership>, keeper: Keeper) {
    let mut known = membership.subscribe();
    loop {
        let settled = known.borrow_and_update().settled.clone();
        // Also when only the content of a file is another one: a look costs some milliseconds.
        keeper.configure(settled.mode, settled.places);
        if known.changed().await.is_err() {
            return;
        }
    }
}
