//! The rules that are in force and what was accepted, for all tasks.

use super::{Accepted, Age, Newest, Policy, Refused};
use crate::store::Home;
use shared::host::clock::time_of_day;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::signature::SignatureText;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The one place where manifests are judged.
#[derive(Debug, Default)]
pub struct Trust {
    state: Mutex<State>,
    /// Held while the times are changed and written, so that the file has the last ones. Taken before `state`, which is
    /// never held while the disk works: whoever asks a question would wait for it.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    policy: Policy,
    newest: Newest,
    /// Where the times are kept; `None` before they were read.
    home: Option<Arc<Home>>,
}

impl Trust {
    /// Reads the times of the signatures that earlier runs accepted. If they cannot be read, nothing is known of them.
    pub fn open(&self, home: &Arc<Home>) {
        let newest = home.accepted_signatures().unwrap_or_else(|error| {
            tracing::error!(%error, "cannot read which signatures were accepted: older versions are not noticed");
            Vec::new()
        });
        let mut state = self.state();
        state.newest = newest.into_iter().collect();
        state.home = Some(home.clone());
    }

    /// Puts other rules in force.
    pub fn configure(&self, policy: Policy) {
        self.state().policy = policy;
    }

    /// Whether a name needs a signature.
    pub fn asks_for(&self, name: &ResourceName) -> bool {
        self.state().policy.asks_for(name)
    }

    /// Refuses what cannot be accepted whatever its manifest is. It costs nothing.
    ///
    /// # Errors
    /// When it cannot.
    pub fn foresee(
        &self,
        name: &ResourceName,
        signature: Option<&SignatureText>,
        allows_older: bool,
    ) -> Result<(), Refused> {
        let state = self.state();
        state.policy.foresee(name, signature, state.age(name, allows_older), time_of_day().as_secs())
    }

    /// Judges a manifest that comes in, before anything of it is fetched. It is hashed if its name needs a signature, so
    /// this blocks.
    ///
    /// # Errors
    /// When it may not be fetched.
    pub fn judge(
        &self,
        manifest: &Manifest,
        signature: Option<&SignatureText>,
        allows_older: bool,
    ) -> Result<Accepted, Refused> {
        let (policy, age) = {
            let state = self.state();
            (state.policy.clone(), state.age(manifest.name(), allows_older))
        };
        policy.judge(manifest, signature, age, time_of_day().as_secs())
    }

    /// Judges a complete file again, before it gets its name: the rules may have changed, and its signature may have grown too
    /// old. It may have become older than
    /// what was accepted since; then it has lost its name, or somebody wanted it all the same.
    ///
    /// # Errors
    /// When it may not have its name.
    pub fn judge_again(&self, manifest: &Manifest, signature: Option<&SignatureText>) -> Result<(), Refused> {
        self.judge(manifest, signature, true).map(drop)
    }

    /// Notes that a manifest was accepted: nothing that was signed before it is accepted under its name from now on. It
    /// writes a file, so this blocks.
    pub fn note(&self, name: &ResourceName, accepted: Accepted) {
        let Accepted::Signed(timestamp) = accepted else { return };
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (home, newest) = {
            let mut state = self.state();
            if !state.newest.note(name, timestamp) {
                return;
            }
            (state.home.clone(), state.newest.in_order())
        };
        if let Some(home) = home
            && let Err(error) = home.keep_accepted_signatures(&newest)
        {
            tracing::error!(%name, %error, "cannot note which signature was accepted: a restart forgets it");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn age(&self, name: &ResourceName, allows_older: bool) -> Age {
        if allows_older { Age::Any } else { Age::NotBefore(self.newest.of(name)) }
    }
}
