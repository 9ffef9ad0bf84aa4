//! A connection to ttd that outlives a restart of it: whoever waits for a download goes on waiting.

use crate::cli::Global;
use crate::connect::Daemon;
use crate::error::{Error, Kind};
use crate::output::Output;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Semaphore};

/// How long a ttd that has gone is waited for where the command line gives no --timeout. The upgrade of a package with
/// others takes less; after it the command ends with the exit code 3.
const BACK_WITHIN: Duration = Duration::from_secs(120);

/// How often ttd is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How many calls are open at once: ttd refuses more than 16 of one connection. Further ones wait for their turn.
const CALLS_MAX: usize = 8;

/// The connection.
pub(crate) struct Link<'a> {
    global: &'a Global,
    daemon: RefCell<Rc<Daemon>>,
    /// How long to wait for ttd; `None`: as long as the command does.
    back_within: Option<Duration>,
    /// One looks for ttd at a time; the others wait for what it finds.
    looking: Mutex<()>,
    is_away: Cell<bool>,
    /// Another ttd answers than the one that answered first.
    has_changed: Cell<bool>,
    /// ttd has not come back, and is not waited for any more.
    given_up: RefCell<Option<Error>>,
    calls: Semaphore,
    /// The parts of a manifest belong to the connection: one is sent at a time.
    pub(crate) manifests: Mutex<()>,
    say: Box<dyn Fn(&str)>,
}

impl<'a> Link<'a> {
    /// Connects to ttd. A command with a timeout of its own waits for ttd until that is over.
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
            has_changed: Cell::new(false),
            given_up: RefCell::new(None),
            calls: Semaphore::new(CALLS_MAX),
            manifests: Mutex::new(()),
            say: Box::new(output.noter()),
        })
    }

    /// The ttd of this moment.
    pub(crate) fn daemon(&self) -> Rc<Daemon> {
        self.daemon.borrow().clone()
    }

    /// Whether ttd has gone and is waited for.
    pub(crate) fn is_away(&self) -> bool {
        self.is_away.get()
    }

    /// Whether another ttd answers than the one that answered first.
    pub(crate) fn has_changed(&self) -> bool {
        self.has_changed.get()
    }

    /// Says something beside the result, for people.
    pub(crate) fn note(&self, text: &str) {
        (self.say)(text);
    }

    /// Asks ttd, and asks the next one again if this one goes. What is asked must bear to be asked twice.
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

    /// The same, for those of whom there may be many: only some are asked for at once.
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
            return Ok(()); // somebody else has found it
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
                    self.has_changed.set(true);
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
