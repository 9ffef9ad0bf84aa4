//! A connection to ttd that survives a restart of ttd, so that a command that waits for a download can go on waiting.

use crate::cli::Global;
use crate::connect::Daemon;
use crate::error::{Error, Kind};
use crate::output::Output;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Semaphore};

/// How long to wait for a ttd that has gone, if the command line has no --timeout. The upgrade of several packages
/// takes less. Beyond it the command ends with exit code 3.
pub(crate) const BACK_WITHIN: Duration = Duration::from_secs(120);

/// The pause between two attempts to find ttd.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Limits the calls that are open at once; further ones wait. ttd refuses more than 16 calls of one connection, and
/// this leaves some for other calls.
const CALLS_MAX: usize = 8;

/// The connection.
pub(crate) struct Link<'a> {
    global: &'a Global,
    daemon: RefCell<Rc<Daemon>>,
    /// How long to wait for a ttd that has gone; `None` if the command's own timeout decides.
    back_within: Option<Duration>,
    /// Held while looking for ttd: one call looks, and the others wait for the result.
    looking: Mutex<()>,
    is_away: Cell<bool>,
    /// How often ttd was restarted since the first connection.
    generation: Cell<u64>,
    /// Set when ttd did not come back in time.
    given_up: RefCell<Option<Error>>,
    calls: Semaphore,
    /// Held while a manifest is sent: ttd joins the parts that arrive on one connection, so only one manifest can be
    /// sent at a time.
    pub(crate) manifests: Mutex<()>,
    say: Box<dyn Fn(&str)>,
}

impl<'a> Link<'a> {
    /// Connects to ttd. If the command has a timeout, a ttd that has gone is waited for until then.
    pub(crate) async fn connect(
        global: &'a Global,
        timeout: Option<Duration>,
        output: &Output,
    ) -> Result<Link<'a>, Error> {
        let daemon = RefCell::new(Rc::new(Daemon::connect(global).await?));
        Ok(Link {
            global,
            daemon,
            back_within: if timeout.is_some() { None } else { Some(BACK_WITHIN) },
            looking: Mutex::new(()),
            is_away: Cell::new(false),
            generation: Cell::new(0),
            given_up: RefCell::new(None),
            calls: Semaphore::new(CALLS_MAX),
            manifests: Mutex::new(()),
            say: Box::new(output.noter()),
        })
    }

    /// The ttd that is connected now.
    pub(crate) fn daemon(&self) -> Rc<Daemon> {
        self.daemon.borrow().clone()
    }

    /// Whether ttd has gone and has not come back yet.
    pub(crate) fn is_away(&self) -> bool {
        self.is_away.get()
    }

    /// How often ttd was restarted since the first connection: 0 for the ttd that answered first.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// Prints a remark for people.
    pub(crate) fn note(&self, text: &str) {
        (self.say)(text);
    }

    /// Makes a call, and repeats it with the next ttd if this one goes away. The call must be safe to repeat.
    pub(crate) async fn call<T>(
        &self,
        mut call: impl AsyncFnMut(&Daemon) -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            let daemon = self.daemon();
            match call(&daemon).await {
                Err(error) if error.kind == Kind::NoDaemon => self.wait_for_next(&daemon, error).await?,
                result => return result,
            }
        }
    }

    /// Like [`Link::call`], for calls of which there may be many: at most [`CALLS_MAX`] are open at once.
    pub(crate) async fn call_in_turn<T>(
        &self,
        mut call: impl AsyncFnMut(&Daemon) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.call(async |daemon| {
            let _turn = self.calls.acquire().await; // it is never closed
            call(daemon).await
        })
        .await
    }

    async fn wait_for_next(&self, gone: &Rc<Daemon>, error: Error) -> Result<(), Error> {
        let _turn = self.looking.lock().await;
        if !Rc::ptr_eq(gone, &self.daemon()) {
            return Ok(()); // another call has found it
        }
        if let Some(error) = &*self.given_up.borrow() {
            return Err(error.clone());
        }
        self.is_away.set(true);
        self.note("ttd has stopped; waiting for it to come back");
        let begin = Instant::now();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match Daemon::connect(self.global).await {
                Ok(daemon) => {
                    self.daemon.replace(Rc::new(daemon));
                    self.is_away.set(false);
                    self.generation.set(self.generation.get() + 1);
                    self.note("ttd is back");
                    return Ok(());
                }
                Err(nobody) if nobody.kind != Kind::NoDaemon => return Err(nobody),
                Err(_) if self.back_within.is_none_or(|within| begin.elapsed() < within) => {}
                Err(_) => {
                    self.given_up.replace(Some(error.clone()));
                    return Err(error);
                }
            }
        }
    }
}
