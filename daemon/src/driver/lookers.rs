//! Looks at the small files of many resources off the driver, several at a time: after the start, and when the shared
//! folder is back. On a disk that takes 5 ms for each call one after the other would take ten minutes for 10,000.

use super::look::Look;
use crate::inbox::{Context, Input, Seen, TaskInput};
use crate::panicked::caught;
use crate::store::Home;
use shared::id::ResourceId;
use shared::name::ResourceName;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many threads look at files. They wait for the disk, most of the time.
const LOOKERS_MAX: usize = 16;

/// How many resources are told of at once.
const BATCH: usize = 4;

/// While the shared folder is not there, it is asked again after this time.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The threads that look, and what they have still to look at.
#[derive(Debug)]
pub(super) struct Lookers {
    context: Arc<Context>,
    home: Arc<Home>,
    /// Ends them.
    stop: Arc<AtomicBool>,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Somebody waits for what has this name.
    names: VecDeque<ResourceName>,
    /// Somebody waits for these.
    first: VecDeque<Look>,
    /// Those of a former run, by their places.
    recalls: BTreeMap<OsString, Look>,
    /// Those that were known before.
    again: VecDeque<Look>,
    threads: usize,
}

impl Lookers {
    pub(super) fn new(context: Arc<Context>, home: Arc<Home>, stop: Arc<AtomicBool>) -> Lookers {
        Lookers { context, home, stop, queue: Arc::default() }
    }

    /// Finds out which places there are; the driver hears of it.
    pub(super) fn list(&self) {
        let (context, home) = (self.context.clone(), self.home.clone());
        tokio::task::spawn_blocking(move || {
            let listed = caught(|| home.places());
            let listed = listed.unwrap_or_else(|panic| Err(panic.at("list what is in", home.folder())));
            context.tell_blocking(Input::Task(TaskInput::Listed(listed)));
        });
    }

    /// Looks at these soon.
    pub(super) fn add(&self, looks: Vec<Look>) {
        let mut queue = self.queue();
        for look in looks {
            match look {
                Look::Recall(ref slot) => _ = queue.recalls.insert(slot.place().to_owned(), look),
                Look::Again { .. } => queue.again.push_back(look),
            }
        }
        let wanted = LOOKERS_MAX.min(queue.left());
        while queue.threads < wanted && self.spawn() {
            queue.threads += 1;
        }
    }

    /// Somebody waits for what has this name.
    pub(super) fn hurry_name(&self, name: ResourceName) {
        self.queue().names.push_back(name);
    }

    /// Somebody waits for this resource.
    pub(super) fn hurry(&self, resource: ResourceId) {
        let mut queue = self.queue();
        let is_it = |look: &Look| matches!(look, Look::Recall(slot) if slot.resource() == Some(resource));
        // The places of one resource follow each other: their names begin with its id.
        let places = queue.recalls.range(OsString::from(resource.to_string())..);
        let places: Vec<OsString> =
            places.take_while(|(_, look)| is_it(look)).map(|(place, _)| place.clone()).collect();
        let found: Vec<Look> = places.iter().filter_map(|place| queue.recalls.remove(place)).collect();
        queue.first.extend(found);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self) -> bool {
        let (context, home) = (self.context.clone(), self.home.clone());
        let (stop, queue) = (self.stop.clone(), self.queue.clone());
        let work = move || {
            let queue = || queue.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                let name = queue().names.pop_front();
                if let Some(key) = name.and_then(|name| home.shown(&name)) {
                    let place = home.slot(key).place().to_owned();
                    let mut queue = queue();
                    let found = queue.recalls.remove(&place);
                    queue.first.extend(found);
                }
                let looks = queue().take();
                if looks.is_empty() || stop.load(Ordering::Relaxed) {
                    return;
                }
                let seen: Vec<Seen> = looks.iter().map(|look| look.perform_safely(&home)).collect();
                if seen.iter().all(Seen::is_good) || home.must_be_here().is_ok() {
                    context.tell_blocking(Input::Task(TaskInput::Seen(seen)));
                } else {
                    // What is missing in a folder that is not there was deleted by nobody.
                    queue().first.extend(looks);
                    std::thread::sleep(AGAIN_AFTER);
                }
            }
        };
        std::thread::Builder::new().name("looker".to_owned()).spawn(work).is_ok()
    }
}

impl Queue {
    fn left(&self) -> usize {
        self.first.len() + self.recalls.len() + self.again.len()
    }

    /// The next ones; none when the thread is to end.
    fn take(&mut self) -> Vec<Look> {
        let mut looks = Vec::new();
        while looks.len() < BATCH
            && let Some(look) = self.first.pop_front()
        {
            looks.push(look);
        }
        if !looks.is_empty() {
            return looks; // somebody waits for them
        }
        while looks.len() < BATCH
            && let Some(look) = self.again.pop_front().or_else(|| Some(self.recalls.pop_first()?.1))
        {
            looks.push(look);
        }
        if looks.is_empty() {
            self.threads -= 1;
        }
        looks
    }
}
