//! What the connections that announce have in common with those who follow catalogues: the connection itself, and how far
//! the tracker's catalogue is.

use shared::rpc::tracker::{CataloguePlace, TrackerCaller};
use shared::url::TrackerUrl;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Limits the trackers of which a place waits to be read; of further ones it is dropped.
const PLACES_MAX: usize = 64;

/// The trackers to which this machine announces now.
#[derive(Debug, Default)]
pub struct Catalogues {
    state: Mutex<State>,
    /// Told when a place was heard.
    heard: Notify,
}

#[derive(Debug, Default)]
struct State {
    callers: BTreeMap<TrackerUrl, (u64, TrackerCaller)>,
    next: u64,
    /// How far the catalogues are, as announces say; those that were not read yet.
    places: BTreeMap<TrackerUrl, CataloguePlace>,
    /// Whether somebody follows any of them.
    is_followed: bool,
}

/// Ends with a connection: then nobody else uses it any more.
#[derive(Debug)]
pub struct Connected<'a> {
    catalogues: &'a Catalogues,
    url: TrackerUrl,
    number: u64,
}

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        let mut state = self.catalogues.state();
        if state.callers.get(&self.url).is_some_and(|(number, _)| *number == self.number) {
            state.callers.remove(&self.url);
        }
    }
}

impl Catalogues {
    /// Lets others ask over a connection that announces.
    pub fn connected(&self, url: &TrackerUrl, caller: TrackerCaller) -> Connected<'_> {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.callers.insert(url.clone(), (number, caller));
        Connected { catalogues: self, url: url.clone(), number }
    }

    /// The connection to this tracker, if this machine announces to it.
    pub fn caller(&self, url: &TrackerUrl) -> Option<TrackerCaller> {
        self.state().callers.get(url).map(|(_, caller)| caller.clone())
    }

    /// Notes how far a tracker's catalogue is.
    pub fn tell(&self, url: &TrackerUrl, place: CataloguePlace) {
        let mut state = self.state();
        if state.is_followed && (state.places.len() < PLACES_MAX || state.places.contains_key(url)) {
            state.places.insert(url.clone(), place);
            self.heard.notify_one();
        }
    }

    /// Waits until a tracker has said how far its catalogue is. Returns what all of them said since the last call.
    pub async fn heard(&self) -> Vec<(TrackerUrl, CataloguePlace)> {
        loop {
            let heard = self.heard.notified();
            let places = {
                let mut state = self.state();
                state.is_followed = true;
                std::mem::take(&mut state.places)
            };
            if !places.is_empty() {
                return places.into_iter().collect();
            }
            heard.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
