//! In tests: one run of one machine in a *world*, which has several machines in one thread on virtual time.
//!
//! All tasks of a machine belong to its life and end with it, as threads end with a process. Blocking work is done by
//! the tasks themselves: it *happens* at one virtual moment, and its result *arrives* at a later one. Both come from
//! the life's seed. A test without a world has no life, and its work runs on real threads.

use super::Next;
use shared::chance::splitmix;
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep};

/// Limits how often tasks are polled while the virtual time stands still. Beyond this a task waits for nothing in
/// circles, so the time would stand still for ever: all polls panic from then on, and [`World::is_stuck`]. The busiest
/// millisecond of a world of 8 machines needs a few thousand.
const POLLS_MAX: u32 = 200_000;

/// The number of tasks that a life remembers before it first forgets those that have ended.
const TASKS_FIRST_MAX: usize = 64;

thread_local! {
    /// The life of the task that is being polled.
    static CURRENT: RefCell<Option<Arc<Life>>> = const { RefCell::new(None) };
    /// How many seconds the time of day of the current life is ahead.
    static AHEAD_S: Cell<i64> = const { Cell::new(0) };
    /// The polls of this thread's world, if it has one.
    static POLLS: Cell<Option<Polls>> = const { Cell::new(None) };
}

#[derive(Debug, Clone, Copy)]
struct Polls {
    /// The virtual time of the last poll.
    at: Option<Instant>,
    /// The polls at that time.
    count: u32,
    is_stuck: bool,
}

/// While this exists, the thread runs a world: whatever a daemon begins outside of a life panics.
#[derive(Debug)]
pub struct World(());

impl World {
    /// Begins a world on this thread.
    pub fn begin() -> World {
        POLLS.set(Some(Polls { at: None, count: 0, is_stuck: false }));
        World(())
    }

    /// Whether time stood still for ever: tasks were polled more than [`POLLS_MAX`] times in one virtual millisecond.
    pub fn is_stuck(&self) -> bool {
        POLLS.get().is_some_and(|polls| polls.is_stuck)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        POLLS.set(None);
    }
}

/// Counts a poll.
fn polled() {
    let Some(mut polls) = POLLS.get() else { return };
    let now = Instant::now();
    match polls.at == Some(now) {
        true => polls.count += 1,
        false => (polls.at, polls.count) = (Some(now), 1),
    }
    polls.is_stuck |= polls.count > POLLS_MAX;
    POLLS.set(Some(polls));
    assert!(
        !polls.is_stuck,
        "no time passes: the tasks were polled more than {POLLS_MAX} times at one moment"
    );
}

/// The life that the calling code belongs to; `None` outside of worlds.
///
/// # Panics
/// In a world when the calling code belongs to no life: a future that was started without [`super::spawn`] or
/// [`super::within`].
pub fn current() -> Option<Arc<Life>> {
    let life = CURRENT.try_with(|life| life.borrow().clone()).ok().flatten();
    let is_world = POLLS.try_with(Cell::get).ok().flatten().is_some();
    assert!(
        life.is_some() || !is_world || std::thread::panicking(),
        "this part of a daemon belongs to no life"
    );
    life
}

/// How many seconds the time of day of the machine whose code is running is ahead of the world's. It has no destructor
/// and takes no lock, so that the clock itself can ask for it.
pub fn ahead_s() -> i64 {
    AHEAD_S.try_with(Cell::get).unwrap_or(0)
}

/// How long blocking work takes, in milliseconds of virtual time; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The longest time until work happens: it waits for a thread, or for a slow disk.
    pub happens_max_ms: u64,
    /// The longest time from then until its result arrives, for most work.
    pub known_max_ms: u64,
    /// The same for every eighth piece of work.
    pub late_max_ms: u64,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { happens_max_ms: 4, known_max_ms: 2, late_max_ms: 50 }
    }
}

/// One run of one machine.
#[derive(Debug)]
pub struct Life {
    is_dead: AtomicBool,
    ahead_s: AtomicI64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    chance: u64,
    pace: Pace,
    tasks: Vec<AbortHandle>,
    /// Beyond this number of tasks, those that have ended are forgotten.
    tasks_max: usize,
}

impl Life {
    /// Begins a life whose delays and random numbers follow from `seed`.
    pub fn new(seed: u64, pace: Pace) -> Arc<Life> {
        let state = State { chance: seed, pace, tasks: Vec::new(), tasks_max: TASKS_FIRST_MAX };
        let (is_dead, ahead_s) = (AtomicBool::new(false), AtomicI64::new(0));
        Arc::new(Life { is_dead, ahead_s, state: Mutex::new(state) })
    }

    /// Changes how long work takes, for work that begins from now on.
    pub fn set_pace(&self, pace: Pace) {
        self.state().pace = pace;
    }

    /// Sets the machine's time of day, in seconds ahead of the world's; behind it if they are negative.
    pub fn set_ahead_s(&self, ahead_s: i64) {
        self.ahead_s.store(ahead_s, Ordering::Release);
    }

    /// Runs code of the machine that does not wait, such as what starts it.
    pub fn enter<T>(self: &Arc<Life>, code: impl FnOnce() -> T) -> T {
        let _entered = Entered::new(self);
        code()
    }

    /// Ends the life: from now on nothing of it runs. What waits is dropped by [`drop_tasks`](Life::drop_tasks).
    pub fn die(&self) {
        self.is_dead.store(true, Ordering::Release);
    }

    /// Whether it has ended.
    pub fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Acquire)
    }

    /// Has the runtime drop all tasks of a life that has ended; it does that when it comes to each of them.
    pub fn drop_tasks(&self) {
        let tasks = std::mem::take(&mut self.state().tasks);
        tasks.iter().for_each(AbortHandle::abort);
    }

    /// A random number.
    pub fn draw(&self) -> u64 {
        splitmix(&mut self.state().chance)
    }

    /// Starts a task of this life. If the life has ended, the task is dropped.
    pub fn spawn<F>(self: &Arc<Life>, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let handle = tokio::spawn(self.within(task));
        if self.is_dead() {
            handle.abort();
            return handle;
        }
        let mut state = self.state();
        if state.tasks.len() >= state.tasks_max {
            state.tasks.retain(|task| !task.is_finished());
            state.tasks_max = TASKS_FIRST_MAX.max(2 * state.tasks.len());
        }
        state.tasks.push(handle.abort_handle());
        drop(state);
        handle
    }

    /// A future that belongs to this life: it has it as the current one whenever it is polled, and when it is dropped.
    pub fn within<F: Future>(self: &Arc<Life>, task: F) -> Within<F> {
        Within { life: Some(self.clone()), task: Some(Box::pin(task)) }
    }

    /// Does blocking work at one moment; the handle has the result at a later one.
    pub fn run<T: Send + 'static>(
        self: &Arc<Life>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let life = self.clone();
        self.spawn(async move {
            life.until_it_happens().await;
            let done = work();
            life.until_it_is_known().await;
            done
        })
    }

    /// Does blocking work at one moment, and tells of it at a later one.
    pub fn run_and_tell<T: Send + 'static>(
        self: &Arc<Life>,
        work: impl FnOnce() -> T + Send + 'static,
        tell: impl FnOnce(T) + Send + 'static,
    ) {
        let life = self.clone();
        self.spawn(async move {
            life.until_it_happens().await;
            let done = work();
            life.until_it_is_known().await;
            tell(done);
        });
    }

    /// Does the steps of a thread, each of them at one moment.
    pub fn steps(self: &Arc<Life>, mut step: impl FnMut() -> Next + Send + 'static) {
        let life = self.clone();
        self.spawn(async move {
            loop {
                life.until_it_happens().await;
                match step() {
                    Next::Step => life.until_it_is_known().await,
                    Next::StepAfter(span) => sleep(span).await,
                    Next::End => return,
                }
            }
        });
    }

    /// Does jobs one after another, each of them at one moment. `until` is dropped after the last one.
    pub fn line<J: Send + 'static>(
        self: &Arc<Life>,
        mut perform: impl FnMut(J) + Send + 'static,
        until: oneshot::Sender<()>,
    ) -> UnboundedSender<J> {
        let (jobs, mut received) = unbounded_channel();
        let life = self.clone();
        self.spawn(async move {
            let _until = until;
            while let Some(job) = received.recv().await {
                life.until_it_happens().await;
                perform(job);
            }
        });
        jobs
    }

    /// Waits until work happens.
    async fn until_it_happens(&self) {
        let longest = self.state().pace.happens_max_ms;
        self.pause(longest).await;
    }

    /// Waits until the result of work that has happened is known.
    async fn until_it_is_known(&self) {
        let pace = self.state().pace;
        let is_late = self.draw().is_multiple_of(8);
        self.pause(if is_late { pace.late_max_ms } else { pace.known_max_ms }).await;
    }

    /// Waits a random time up to the longest, which is in milliseconds.
    async fn pause(&self, longest: u64) {
        match self.draw() % (longest + 1) {
            0 => tokio::task::yield_now().await,
            span => sleep(Duration::from_millis(span)).await,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets the current life, and restores the one before.
struct Entered(Option<Arc<Life>>);

impl Entered {
    fn new(life: &Arc<Life>) -> Entered {
        AHEAD_S.set(life.ahead_s.load(Ordering::Acquire));
        Entered(CURRENT.with(|current| current.borrow_mut().replace(life.clone())))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let former = self.0.take();
        let ahead_s = former.as_ref().map_or(0, |life| life.ahead_s.load(Ordering::Acquire));
        let _ = AHEAD_S.try_with(|current| current.set(ahead_s));
        let left = CURRENT.try_with(|current| std::mem::replace(&mut *current.borrow_mut(), former));
        drop(left); // here, where nothing of it is borrowed
    }
}

/// A future that belongs to a life; outside of worlds, to none. Once the life has ended, it waits until it is dropped.
#[derive(Debug)]
pub struct Within<F> {
    life: Option<Arc<Life>>,
    task: Option<Pin<Box<F>>>,
}

impl<F: Future> Within<F> {
    /// The future in the current life.
    ///
    /// # Panics
    /// As [`current`].
    pub fn present(task: F) -> Within<F> {
        Within { life: current(), task: Some(Box::pin(task)) }
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Within { life, task } = &mut *self;
        let task = task.as_mut().expect("only dropping takes the task");
        let Some(life) = life else { return task.as_mut().poll(context) };
        if life.is_dead() {
            return Poll::Pending;
        }
        polled();
        let _entered = Entered::new(life);
        task.as_mut().poll(context)
    }
}

impl<F> Drop for Within<F> {
    fn drop(&mut self) {
        let _entered = self.life.as_ref().map(Entered::new);
        self.task = None;
    }
}
