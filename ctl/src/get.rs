//! `ttctl get`: has ttd fetch files, and waits until they are complete.

use crate::awaited::{Complete, Until, Waiting, wait_for_all};
use crate::begin::{Manner, Order, in_catalogue, look_up};
use crate::cli::{GetArgs, Global};
use crate::copy;
use crate::deadline::Deadline;
use crate::documents::{Document, FailureOf, Got, GotAll};
use crate::error::{Error, Kind};
use crate::human;
use crate::link::Link;
use crate::output::Output;
use crate::progress::Progress;
use crate::targets::is_single;
use crate::to_stdout;
use shared::rpc::control::{Accepted, ResourceStatus};
use std::cell::RefCell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Added to the message when an existing file turned out to be the wanted one.
const ADOPTED: &str = " (the existing file matches; nothing was fetched)";

pub(crate) async fn get(args: &GetArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let start = Instant::now();
    refuse_early(args, global)?;
    let timeout = args.timeout.map(|timeout| timeout.duration());
    let mut deadline = Deadline::after(timeout);
    let is_single = is_single(&args.what);
    let late = |span: &str| format!("the manifests were not read within {span}");
    let read = deadline.within(read(args, timeout, is_single), late).await?;
    let late = |span: &str| format!("ttd has not answered within {span}");
    let link = deadline.within(Link::connect(global, timeout, output), late).await?;
    let late = |span: &str| format!("no file was found within {span}");
    let orders = async { Ok(expand(read, timeout.is_some(), global).await) };
    let orders = deadline.within(orders, late).await?;
    let manner = Manner { replace: args.replace, waits: timeout.is_some() };
    let getting = Getting {
        args,
        start,
        is_single,
        link: &link,
        manner,
        progress: if is_single {
            Box::new(Progress::maker(output))
        } else {
            Box::new(|_| Progress::silent())
        },
        got: RefCell::new(orders.iter().map(|_| None).collect()),
        failed: RefCell::new(Vec::new()),
        orders,
    };
    let waited = wait_for_all(getting.orders.len(), &getting, &link, &mut deadline, global, output).await;
    getting.end(waited, output)
}

/// Refuses command lines that cannot succeed, before anything begins.
fn refuse_early(args: &GetArgs, global: &Global) -> Result<(), Error> {
    to_stdout::refuse_early(args, global)?;
    let Some(target) = &args.output else { return Ok(()) };
    if !is_single(&args.what) && !target.is_dir() {
        return Err(Error::usage(format!(
            "{} is not a directory, and several files go there",
            target.display()
        ))
        .hint("name a directory that exists with -o"));
    }
    match to_stdout::is_meant(target) {
        true => Ok(()),
        false => copy::refuse_early(target, args.replace),
    }
}

/// A word of the command line, as far as it is understood.
enum Read {
    Order(Order),
    /// It must be looked up in a catalogue.
    Word(String),
}

/// Reads the words of the command line, and the manifests that they name. If there are several words, an error concerns
/// only its own.
async fn read(args: &GetArgs, timeout: Option<Duration>, is_single: bool) -> Result<Vec<Read>, Error> {
    let mut read = Vec::new();
    for what in &args.what {
        if in_catalogue(what).is_some() {
            read.push(Read::Word(what.clone()));
            continue;
        }
        read.push(Read::Order(match Order::read(what, timeout).await {
            Ok(order) => order,
            Err(error) if is_single => return Err(error),
            Err(error) => Order::failed(what, error),
        }));
    }
    Ok(read)
}

/// Looks up patterns and beginnings of ids.
async fn expand(read: Vec<Read>, waits: bool, global: &Global) -> Vec<Order> {
    let mut orders = Vec::new();
    for read in read {
        match read {
            Read::Order(order) => orders.push(order),
            Read::Word(what) => {
                let (tracker, word) = in_catalogue(&what).unwrap_or((None, what.clone()));
                match look_up(&word, tracker, waits, global).await {
                    Ok(found) => orders.extend(found),
                    Err(error) => orders.push(Order::failed(&what, error)),
                }
            }
        }
    }
    let mut named = std::collections::BTreeSet::new();
    orders.retain(|order| named.insert(order.what.clone()));
    orders
}

/// The downloads of this command.
struct Getting<'a> {
    args: &'a GetArgs,
    start: Instant,
    /// Whether there is only one, whose document is not in a list.
    is_single: bool,
    link: &'a Link<'a>,
    manner: Manner,
    orders: Vec<Order>,
    /// Makes the display for the progress of a comparison.
    progress: Box<dyn Fn(&str) -> Progress>,
    /// In the order of the command line.
    got: RefCell<Vec<Option<Got>>>,
    failed: RefCell<Vec<(usize, Error)>>,
}

impl Waiting for Getting<'_> {
    async fn begin(&self, place: usize, link: &Link<'_>) -> Result<Accepted, Error> {
        let mut accepted = self.orders[place].begin(link, self.manner, &self.progress).await?;
        if self.args.detach && !accepted.complete {
            // For this command it has ended.
            self.got.borrow_mut()[place] = Some(self.document(&accepted, false));
            accepted.complete = true;
        }
        Ok(accepted)
    }

    fn until(&self, _: usize) -> Until {
        Until::Complete
    }

    fn not_begun(&self, place: usize, timeout: Duration) -> Error {
        let Order { what, last, was_compared, .. } = &self.orders[place];
        let last = last.borrow();
        let why = last.as_ref().map_or("ttd has not responded", |error| &error.message);
        match was_compared.get() {
            true => Error::new(Kind::TimedOut, why)
                .hint("the comparison continues; `ttctl status` shows the result"),
            false => {
                let span = human::duration(timeout);
                Error::new(Kind::TimedOut, format!("{what} was not found within {span}: {why}"))
                    .hint("nothing was started; `ttctl tracker list` shows what is published")
            }
        }
    }

    fn before_begin(&self, place: usize) -> String {
        let Order { what, last, .. } = &self.orders[place];
        last.borrow()
            .as_ref()
            .map_or_else(|| format!("{what} was not found yet"), |error| error.message.clone())
    }

    async fn ended(
        &self,
        place: usize,
        ended: Result<Complete, Error>,
        output: &mut Output,
    ) -> Result<(), Error> {
        let told = match ended {
            Ok(complete) => self.tell(place, complete, output).await,
            Err(error) => Err(error),
        };
        match told {
            Err(error) if self.is_single || matches!(error.kind, Kind::Interrupted | Kind::BrokenPipe) => {
                Err(error)
            }
            Err(error) => {
                output.error(&error);
                self.failed.borrow_mut().push((place, error.told()));
                Ok(())
            }
            Ok(()) => output.flush_lines(),
        }
    }
}

impl Getting<'_> {
    fn document(&self, accepted: &Accepted, complete: bool) -> Got {
        Got {
            name: accepted.name.to_string(),
            resource: accepted.resource.to_string(),
            chunks_total: accepted.count.get(),
            complete,
            path: self.link.daemon().info.folder.join(accepted.name.as_str()).display().to_string(),
        }
    }

    /// Reports one that is complete or was only begun, and copies it to its target.
    async fn tell(&self, place: usize, complete: Complete, output: &mut Output) -> Result<(), Error> {
        let Complete { accepted, done, bytes_before } = complete;
        let was_begun = self.got.borrow()[place].as_ref().map(|got| human::clean(&got.path));
        if let Some(path) = was_begun {
            return output.only_text(|output| {
                output.done(&format!("accepted: {path} will appear when it is complete"))
            });
        }
        let mut how = match &done {
            Some(done) => speed(done, bytes_before, self.start.elapsed()),
            None if self.orders[place].was_compared.get() => ADOPTED.to_owned(),
            None => " (nothing to fetch)".to_owned(),
        };
        if self.args.output.is_some() && done.is_none() {
            how = " (copied from the shared directory)".to_owned();
        }
        let daemon = self.link.daemon();
        let mut got = self.document(&accepted, true);
        match &self.args.output {
            None => {}
            Some(target) if to_stdout::is_meant(target) => {
                return to_stdout::write(PathBuf::from(got.path), output).await;
            }
            Some(target) => {
                let (target, name) = (target.clone(), accepted.name.clone());
                let (info, replace) = (daemon.info.clone(), self.args.replace);
                let copied = copy::copy_out_until_interrupted(info, name, target, replace, output).await?;
                got.path = copied.display().to_string();
            }
        }
        let path = human::clean(&got.path);
        self.got.borrow_mut()[place] = Some(got);
        output.only_text(|output| output.done(&format!("{path} is complete{how}")))
    }

    /// Ends the command with one document of all downloads.
    fn end(self, waited: Result<(), Error>, output: &mut Output) -> Result<(), Error> {
        let mut got = self.got.into_inner().into_iter().flatten();
        if self.is_single {
            waited?;
            return match got.next() {
                Some(got) if output.is_json() => output.json(&Document::new(got)),
                _ => Ok(()),
            };
        }
        let mut failed = self.failed.into_inner();
        failed.sort_by_key(|(place, _)| *place);
        let error_of = |(place, error): &(usize, Error)| FailureOf {
            what: self.orders[*place].what.clone(),
            failure: output.failure(error),
        };
        let errors = failed.iter().map(error_of).collect();
        if output.is_json() {
            output.json(&Document::new(GotAll { got: got.collect(), errors }))?;
        }
        let first = failed.into_iter().next().map(|(_, error)| error);
        waited.and(first.map_or(Ok(()), Err))
    }
}

/// " (4.0 GiB in 7 s, 580 MiB/s)", or " (4.0 GiB, 1.0 GiB of it in 2 s, 512 MiB/s)"
fn speed(done: &ResourceStatus, bytes_before: u64, elapsed: Duration) -> String {
    let bytes = done.bytes_total.unwrap_or(done.bytes_have);
    if bytes == 0 {
        return " (it is empty)".to_owned();
    }
    if done.downloaded_bytes == 0 {
        return ADOPTED.to_owned();
    }
    let fetched = bytes.saturating_sub(bytes_before);
    let rate = human::rate((fetched as f64 / elapsed.as_secs_f64().max(0.001)) as u64);
    let took = human::duration(elapsed);
    // the first chunks may arrive before the first update
    match bytes_before > bytes / 10 {
        true => format!(" ({}, {} of it in {took}, {rate})", human::bytes(bytes), human::bytes(fetched)),
        false => format!(" ({} in {took}, {rate})", human::bytes(bytes)),
    }
}
