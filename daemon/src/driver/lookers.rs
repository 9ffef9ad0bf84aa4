//! Looks at the small files of many resources outside the driver, several at a time: after the start, and when the
//! shared directory is back. On a disk that needs 5 ms for each call, 10,000 resources one after the other would take
//! ten minutes.

use super::look::Look;
use crate::inbox::{Context, Input, Seen, TaskInput};
use crate::jobs::{self, Next};
use crate::panicked::caught;
use crate::store::Home;
use shared::id::ResourceId;
use shared::name::ResourceName;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many threads look at files. They mostly wait for the disk; more would make its queue longer, not the disk
/// faster.
const LOOKERS_MAX: usize = 16;

/// The number of resources that a thread looks at before it reports them: together they cost the driver one input.
const BATCH: usize = 4;

/// While the shared directory is not there, it is looked for again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The threads, and the resources that they have not looked at yet.
#[derive(Debug)]
pub(super) struct Lookers {
    context: Arc<Context>,
    home: Arc<Home>,
    /// Tells the threads to end.
    stop: Arc<AtomicBool>,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Names; somebody waits for the resources that have them.
    names: VecDeque<ResourceName>,
    /// Resources that somebody waits for.
    first: VecDeque<Look>,
    /// Resources of the last run, by their folders.
    recalls: BTreeMap<OsString, Look>,
    /// Resources that were known before the shared directory was away.
    again: VecDeque<Look>,
    threads: usize,
}

impl Lookers {
    pub(super) fn new(context: Arc<Context>, home: Arc<Home>, stop: Arc<AtomicBool>) -> Lookers {
        Lookers { context, home, stop, queue: Arc::default() }
    }

    /// Lists the resources' folders and reports them to the driver.
    pub(super) fn list(&self) {
        let (context, home) = (self.context.clone(), self.home.clone());
        let list = move || {
            let listed = caught(|| home.places());
            listed.unwrap_or_else(|panic| Err(panic.at("list", home.folder())))
        };
        jobs::run_and_tell(list, move |listed| {
            context.tell_blocking(Input::Task(TaskInput::Listed(listed)));
        });
    }

    /// Adds resources to look at.
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

    /// Puts the resource of this name in front, because somebody waits for it.
    pub(super) fn hurry_name(&self, name: ResourceName) {
        self.queue().names.push_back(name);
    }

    /// Puts this resource in front, because somebody waits for it.
    pub(super) fn hurry(&self, resource: ResourceId) {
        let mut queue = self.queue();
        let is_it = |look: &Look| matches!(look, Look::Recall(slot) if slot.resource() == Some(resource));
        // The folders of one resource follow each other, because their names begin with its id.
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
        let look = move || {
            let queue = || queue.lock().unwrap_or_else(PoisonError::into_inner);
            let name = queue().names.pop_front();
            if let Some(key) = name.and_then(|name| home.shown(&name)) {
                let place = home.slot(key).place().to_owned();
                let mut queue = queue();
                let found = queue.recalls.remove(&place);
                queue.first.extend(found);
            }
            let looks = queue().take();
            if looks.is_empty() || stop.load(Ordering::Relaxed) {
                return Next::End;
            }
            let seen: Vec<Seen> = looks.iter().map(|look| look.perform_safely(&home)).collect();
            if seen.iter().all(Seen::is_good) || home.must_be_here().is_ok() {
                context.tell_blocking(Input::Task(TaskInput::Seen(seen)));
                Next::Step
            } else {
                // The shared directory is not there, so missing files were not deleted.
                queue().first.extend(looks);
                Next::StepAfter(AGAIN_AFTER)
            }
        };
        jobs::steps("looker", look).is_ok()
    }
}

impl Queue {
    fn left(&self) -> usize {
        self.first.len() + self.recalls.len() + self.again.len()
    }

    /// Takes the next resources out; none tells the thread to end.
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
