//! How the daemon starts tasks, blocking work and threads. All of it begins here, and nothing of it elsewhere, so that a
//! test can run a whole daemon on virtual time: there blocking work happens at moments that a seed decides (`jobs/life.rs`).

#[cfg(test)]
pub mod life;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Starts a task.
///
/// # Panics
/// Outside of a runtime.
#[expect(clippy::disallowed_methods, reason = "this is the place that it is disallowed for")]
pub fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    #[cfg(test)]
    if let Some(life) = life::current() {
        return life.spawn(task);
    }
    tokio::spawn(task)
}

/// The task itself, for a `JoinSet` to start it.
#[cfg(not(test))]
pub fn within<F: Future>(task: F) -> F {
    task
}

/// The task, in the present life if there is one, for a `JoinSet` to start it.
#[cfg(test)]
pub fn within<F: Future>(task: F) -> life::Within<F> {
    life::Within::present(task)
}

/// Does blocking work on a thread of the pool. Nothing stops it once it has begun, not even dropping the handle.
///
/// # Panics
/// Outside of a runtime.
#[expect(clippy::disallowed_methods, reason = "this is the place that it is disallowed for")]
pub fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    #[cfg(test)]
    if let Some(life) = life::current() {
        return life.run(work);
    }
    tokio::task::spawn_blocking(work)
}

/// Does blocking work on a thread of the pool, and then tells somebody of the result, on the same thread.
///
/// # Panics
/// Outside of a runtime.
#[expect(clippy::disallowed_methods, reason = "this is the place that it is disallowed for")]
pub fn run_and_tell<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    tell: impl FnOnce(T) + Send + 'static,
) {
    #[cfg(test)]
    if let Some(life) = life::current() {
        return life.run_and_tell(work, tell);
    }
    tokio::task::spawn_blocking(move || tell(work()));
}

/// Does blocking work on a thread of the pool, of which nobody waits for the result. Outside of a runtime, where the
/// daemon is ending, the calling thread does it at once.
#[expect(clippy::disallowed_methods, reason = "this is the place that it is disallowed for")]
pub fn detach(work: impl FnOnce() + Send + 'static) {
    #[cfg(test)]
    if let Some(life) = life::current() {
        return drop(life.run(work));
    }
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(work)),
        Err(_) => work(),
    }
}

/// Does blocking work on a thread of its own: for work that must not wait until a thread of the pool is free, or that
/// lasts long.
///
/// # Errors
/// When the system has no further thread.
#[expect(clippy::disallowed_methods, reason = "this is the place that it is disallowed for")]
pub fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    #[cfg(test)]
    if let Some(life) = life::current() {
        drop(life.run(work));
        return Ok(());
    }
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// What follows a step of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next step, at once.
    Step,
    /// The next step, after this time.
    StepAfter(Duration),
    /// Nothing: the thread ends.
    End,
}

/// Does blocking work on a thread of its own, step after step, until a step says that it was the last one.
///
/// # Errors
/// When the system has no further thread.
#[expect(clippy::disallowed_methods, reason = "this is the place that it is disallowed for")]
pub fn steps(name: &str, mut step: impl FnMut() -> Next + Send + 'static) -> io::Result<()> {
    #[cfg(test)]
    if let Some(life) = life::current() {
        life.steps(step);
        return Ok(());
    }
    let work = move || {
        loop {
            match step() {
                Next::Step => {}
                Next::StepAfter(span) => std::thread::sleep(span),
                Next::End => return,
            }
        }
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// A thread that does jobs one after another, in the order in which they were sent. The queue has no bound: whoever
/// sends must have one.
#[derive(Debug)]
pub struct Line<J> {
    jobs: Sender<J>,
    /// Closes when all jobs are done.
    ended: oneshot::Receiver<()>,
}

#[derive(Debug)]
enum Sender<J> {
    Thread(mpsc::Sender<J>),
    #[cfg(test)]
    Life(tokio::sync::mpsc::UnboundedSender<J>),
}

impl<J: Send + 'static> Line<J> {
    /// Starts the thread. A job that panics keeps no other from being done.
    ///
    /// # Errors
    /// When the system has no further thread.
    #[expect(clippy::disallowed_methods, reason = "this is the place that it is disallowed for")]
    pub fn start(name: &str, mut perform: impl FnMut(J) + Send + 'static) -> io::Result<Line<J>> {
        let (until, ended) = oneshot::channel();
        // The panic itself was reported by the panic hook. Whatever the next job needs is behind locks or on the disk.
        let mut perform = move |job| _ = catch_unwind(AssertUnwindSafe(|| perform(job)));
        #[cfg(test)]
        if let Some(life) = life::current() {
            return Ok(Line { jobs: Sender::Life(life.line(perform, until)), ended });
        }
        let (jobs, received) = mpsc::channel();
        let work = move || {
            let _until = until;
            received.into_iter().for_each(&mut perform);
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Line { jobs: Sender::Thread(jobs), ended })
    }

    /// Adds a job at the end.
    pub fn send(&self, job: J) {
        match &self.jobs {
            Sender::Thread(jobs) => drop(jobs.send(job)), // the thread ends after the last of its senders
            #[cfg(test)]
            Sender::Life(jobs) => drop(jobs.send(job)),
        }
    }

    /// Waits until all jobs are done and the thread has ended.
    pub async fn end(self) {
        drop(self.jobs);
        let _ = self.ended.await;
    }
}

/// The processor time that the calling thread has taken. It means something only within one piece of blocking work.
pub fn processor_time() -> Duration {
    #[cfg(test)]
    if life::current().is_some() {
        return Duration::ZERO; // it differs from run to run
    }
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests;
