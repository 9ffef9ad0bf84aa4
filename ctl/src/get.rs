//! `ttctl get`: has ttd fetch files, and waits until they are complete.

use crate::awaited::{Begun, Complete, Until, Waiter, wait_for_all};
use crate::begin::{Manner, Order, in_catalogue, look_up};
use crate::cli::{GetArgs, Global, LinksArg};
use crate::copy;
use crate::deadline::Deadline;
use crate::documents::{Document, FailureOf, Got, GotAll, kind};
use crate::error::{Error, Kind};
use crate::human;
use crate::link::Link;
use crate::output::Output;
use crate::progress::Progress;
use crate::targets::is_single;
use crate::to_stdout;
use shared::plain::reused_from;
use shared::rpc::control::{Accepted, ResourceStatus, TRY_LATER};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Added to the message when an existing file turned out to be the wanted one.
const ADOPTED: &str = " (the existing file matches; nothing was fetched)";

pub(crate) async fn get(args: &GetArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let start = Instant::now();
    refuse_early(args, global, output)?;
    let timeout = args.timeout.map(|timeout| timeout.duration());
    let mut deadline = Deadline::after(timeout);
    let is_single = is_single(&args.what);
    let late = |span: &str| format!("the manifests were not read within {span}");
    let wanted = deadline.within(read(args, timeout, is_single), late).await?;
    let late = |span: &str| format!("ttd has not answered within {span}");
    let link = deadline.within(Link::connect(global, timeout, output), late).await?;
    let manner = Manner {
        replace: args.replace,
        as_file: args.as_file,
        links_outside: args.symlinks == LinksArg::Any,
        is_copied: args.output.is_some(),
        reuse: !args.no_reuse,
        allows_older: args.allow_older,
        waits: timeout.is_some(),
    };
    let getting = Getting {
        args,
        global,
        start,
        is_single,
        link: &link,
        manner,
        progress: if is_single {
            Box::new(Progress::maker(output))
        } else {
            Box::new(|_| Progress::silent())
        },
        got: RefCell::default(),
        failed: RefCell::default(),
        wanted: RefCell::default(),
    };
    let count = getting.add(wanted);
    let waited = wait_for_all(count, &getting, &link, &mut deadline, global, output).await;
    getting.end(waited, output)
}

/// Refuses command lines that cannot succeed, before anything begins.
fn refuse_early(args: &GetArgs, global: &Global, output: &Output) -> Result<(), Error> {
    to_stdout::refuse_early(args, global, output.out_is_terminal())?;
    let Some(target) = &args.output else { return Ok(()) };
    if !is_single(&args.what) && !target.is_dir() {
        return Err(Error::usage(format!(
            "{} is not a directory, and several files need one",
            target.display()
        ))
        .hint("name an existing directory with -o"));
    }
    match to_stdout::is_meant(target) {
        true => Ok(()),
        false => copy::refuse_early(target, args.replace),
    }
}

/// A download, or a pattern whose downloads are not known yet.
#[derive(Clone)]
struct Wanted {
    /// The index of its word on the command line.
    word: usize,
    what: What,
}

#[derive(Clone)]
enum What {
    Order(Rc<Order>),
    LookUp(Rc<LookUp>),
}

impl What {
    /// The word on the command line; if that is a pattern, a name that matches it.
    fn words(&self) -> &str {
        match self {
            What::Order(order) => &order.what,
            What::LookUp(look_up) => &look_up.what,
        }
    }

    /// Why it has not begun yet.
    fn last(&self) -> Option<Error> {
        match self {
            What::Order(order) => order.last.borrow().clone(),
            What::LookUp(look_up) => look_up.last.borrow().clone(),
        }
    }
}

/// A pattern or the beginning of an id, which is looked up in a catalogue.
struct LookUp {
    what: String,
    /// Why it means nothing yet.
    last: RefCell<Option<Error>>,
}

/// Reads the words of the command line, and the manifests that they name. If there are several words, an error concerns
/// only its own.
async fn read(args: &GetArgs, timeout: Option<Duration>, is_single: bool) -> Result<Vec<Wanted>, Error> {
    let mut read = Vec::new();
    for (word, what) in args.what.iter().enumerate() {
        let what = match in_catalogue(what) {
            Some(_) => What::LookUp(Rc::new(LookUp { what: what.clone(), last: RefCell::default() })),
            None => What::Order(Rc::new(match Order::read(what, timeout).await {
                Ok(order) => order,
                Err(error) if is_single => return Err(error),
                Err(error) => Order::failed(what, error),
            })),
        };
        read.push(Wanted { word, what });
    }
    Ok(read)
}

/// The downloads of this command.
struct Getting<'a> {
    args: &'a GetArgs,
    global: &'a Global,
    start: Instant,
    /// Whether there is only one, whose document is not in a list.
    is_single: bool,
    link: &'a Link<'a>,
    manner: Manner,
    /// By their indices. Those that a pattern means are added when it was looked up.
    wanted: RefCell<Vec<Wanted>>,
    /// Makes the display for the progress of a comparison.
    progress: Box<dyn Fn(&str) -> Progress>,
    /// What was fetched or accepted, and what failed, by their indices.
    got: RefCell<BTreeMap<usize, Got>>,
    failed: RefCell<BTreeMap<usize, Error>>,
}

impl Waiter for Getting<'_> {
    async fn begin(&self, place: usize, link: &Link<'_>) -> Result<Begun, Error> {
        let Wanted { word, what } = self.wanted(place);
        let order = match what {
            What::Order(order) => order,
            What::LookUp(look_up) => return self.look_up(word, &look_up).await.map(Begun::Means),
        };
        let mut accepted = order.begin(link, self.manner, &self.progress).await?;
        if self.args.detach && !accepted.complete {
            // For this command it has ended.
            self.got.borrow_mut().insert(place, self.document(&accepted, false));
            accepted.complete = true;
        }
        Ok(Begun::Accepted(accepted))
    }

    fn until(&self, _: usize) -> Until {
        Until::Complete
    }

    fn not_begun(&self, place: usize, timeout: Duration) -> Error {
        let Wanted { what, .. } = self.wanted(place);
        let last = what.last();
        let is_away = last.as_ref().is_some_and(|error| error.kind == Kind::Unreachable);
        let helps = last.as_ref().and_then(|error| error.hint.clone()).filter(|hint| hint != TRY_LATER);
        let why = last.map_or_else(|| "ttd has not responded".to_owned(), |error| error.message);
        match &what {
            What::Order(order) if order.was_compared.get() => Error::new(Kind::TimedOut, why)
                .hint("the comparison continues; `ttctl status` shows the result"),
            what => {
                let (what, span) = (what.words(), human::duration(timeout));
                let why = why.strip_prefix(&format!("cannot look up {what}: ")).unwrap_or(&why);
                Error::new(Kind::TimedOut, format!("{what} was not found within {span}: {why}")).hint(match (
                    is_away, helps,
                ) {
                    (true, Some(helps)) => format!("nothing was started; {helps}"),
                    (true, None) => "nothing was started; check that tt-tracker runs there".to_owned(),
                    (false, _) => {
                        "nothing was started; `ttctl tracker list` shows what is published".to_owned()
                    }
                })
            }
        }
    }

    fn before_begin(&self, place: usize) -> String {
        let Wanted { what, .. } = self.wanted(place);
        what.last().map_or_else(|| format!("{} was not found yet", what.words()), |error| error.message)
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
                self.failed.borrow_mut().insert(place, error.told());
                Ok(())
            }
            Ok(()) => output.flush_lines(),
        }
    }
}

impl Getting<'_> {
    /// Adds those that are not there yet, and returns how many these are.
    fn add(&self, wanted: Vec<Wanted>) -> usize {
        let mut all = self.wanted.borrow_mut();
        let before = all.len();
        for wanted in wanted {
            if all.iter().all(|known| known.what.words() != wanted.what.words()) {
                all.push(wanted);
            }
        }
        all.len() - before
    }

    fn wanted(&self, place: usize) -> Wanted {
        self.wanted.borrow()[place].clone()
    }

    /// Adds the downloads that a pattern or the beginning of an id means, and returns how many these are.
    async fn look_up(&self, word: usize, wanted: &LookUp) -> Result<usize, Error> {
        let LookUp { what, last } = wanted;
        let (tracker, pattern) = in_catalogue(what).unwrap_or((None, what.clone()));
        let found = look_up(&pattern, tracker, self.manner.waits, last, self.global).await?;
        let new = |order| Wanted { word, what: What::Order(Rc::new(order)) };
        Ok(self.add(found.into_iter().map(new).collect()))
    }

    fn document(&self, accepted: &Accepted, complete: bool) -> Got {
        let path = copy::place_of(&self.link.daemon().info, &accepted.name, accepted.is_tree);
        Got {
            name: accepted.name.to_string(),
            resource: accepted.resource.to_string(),
            chunks_total: accepted.count.get(),
            complete,
            path: path.display().to_string(),
            bytes_fetched: 0,
            bytes_reused: 0,
            chunks_reused: 0,
            kind: kind(accepted.is_tree),
        }
    }

    /// Reports one that is complete or was only begun, and copies it to its target.
    async fn tell(&self, place: usize, complete: Complete, output: &mut Output) -> Result<(), Error> {
        let Complete { accepted, done, bytes_before } = complete;
        let is_tree = accepted.is_tree || done.as_ref().is_some_and(|done| done.is_tree);
        let accepted = Accepted { is_tree, ..accepted };
        let was_begun = self.got.borrow().get(&place).map(|got| human::clean(&got.path));
        if let Some(path) = was_begun {
            return output.only_text(|output| {
                output.done(&format!("accepted: {path} will appear when it is complete"))
            });
        }
        let mut how = match &done {
            Some(done) => speed(done, bytes_before, self.start.elapsed()),
            None if self.was_compared(place) => ADOPTED.to_owned(),
            None => " (nothing to fetch)".to_owned(),
        };
        if self.args.output.is_some() && done.is_none() {
            how = " (copied from the shared directory)".to_owned();
        }
        let mut got = self.document(&accepted, true);
        if let Some(done) = &done {
            (got.bytes_fetched, got.bytes_reused) = (done.bytes_fetched, done.bytes_reused);
            got.chunks_reused = done.chunks_reused;
        }
        match &self.args.output {
            None => {}
            Some(target) if to_stdout::is_meant(target) => {
                return to_stdout::write(self.link, &accepted, is_tree, output).await;
            }
            Some(target) => {
                let bytes = done.as_ref().and_then(|done| done.bytes_total);
                let bytes = bytes.unwrap_or_else(|| accepted.count.bytes_max());
                let copied = copy::Done { accepted, is_tree, as_file: self.args.as_file, bytes };
                let copied = copy::copy_out(self.link, copied, target, self.args.replace, output).await?;
                copied.warning.iter().for_each(|warning| output.warning(warning));
                got.path = copied.path.display().to_string();
                got.kind = kind(is_tree && !self.args.as_file);
            }
        }
        let path = human::clean(&got.path);
        self.got.borrow_mut().insert(place, got);
        output.only_text(|output| output.done(&format!("{path} is complete{how}")))
    }

    fn was_compared(&self, place: usize) -> bool {
        matches!(&self.wanted.borrow()[place].what, What::Order(order) if order.was_compared.get())
    }

    /// Ends the command with one document of all downloads.
    fn end(self, waited: Result<(), Error>, output: &mut Output) -> Result<(), Error> {
        let (got, failed, wanted) =
            (self.got.into_inner(), self.failed.into_inner(), self.wanted.into_inner());
        if self.is_single {
            waited?;
            return match got.into_values().next() {
                Some(got) if output.is_json() => output.json(&Document::new(got)),
                _ => Ok(()),
            };
        }
        // The downloads of a pattern have higher indices than the words after it.
        let mut got: Vec<(usize, Got)> = got.into_iter().collect();
        got.sort_by_key(|(place, _)| (wanted[*place].word, *place));
        let mut failed: Vec<(usize, Error)> = failed.into_iter().collect();
        failed.sort_by_key(|(place, _)| (wanted[*place].word, *place));
        let error_of = |(place, error): &(usize, Error)| FailureOf {
            what: wanted[*place].what.words().to_owned(),
            failure: output.failure(error),
        };
        let errors = failed.iter().map(error_of).collect();
        let got = got.into_iter().map(|(_, got)| got);
        if output.is_json() {
            output.json(&Document::new(GotAll { got: got.collect(), errors }))?;
        }
        let first = failed.into_iter().next().map(|(_, error)| error);
        waited.and(first.map_or(Ok(()), Err))
    }
}

/// " (4.0 GiB in 7 s, 580 MiB/s)", or " (4.0 GiB, 1.0 GiB fetched in 2 s, 512 MiB/s)", or what [`shares`] says
fn speed(done: &ResourceStatus, bytes_before: u64, elapsed: Duration) -> String {
    let bytes = done.bytes_total.unwrap_or(done.bytes_have);
    if bytes == 0 {
        return " (it is empty)".to_owned();
    }
    if done.chunks_reused > 0 {
        return shares(done, bytes, elapsed);
    }
    if done.downloaded_bytes == 0 {
        return ADOPTED.to_owned();
    }
    let fetched = bytes.saturating_sub(bytes_before);
    let rate = human::rate_of(fetched, elapsed).map_or(String::new(), |rate| format!(", {rate}"));
    let took = human::duration(elapsed);
    // the first chunks may arrive before the first update
    match bytes_before > bytes / 10 {
        true => format!(" ({}, {} fetched in {took}{rate})", human::bytes(bytes), human::bytes(fetched)),
        false => format!(" ({} in {took}{rate})", human::bytes(bytes)),
    }
}

/// Which part came from where: " (4.0 GiB: 212 MiB fetched in 7 s, 3.8 GiB reused from app-2.3.img)"
fn shares(done: &ResourceStatus, bytes: u64, elapsed: Duration) -> String {
    let (all, took) = (human::bytes(bytes), human::duration(elapsed));
    let (fetched, reused) = (human::bytes(done.bytes_fetched), human::bytes(done.bytes_reused));
    // Otherwise a part came before ttd was restarted.
    let is_counted = done.bytes_fetched.saturating_add(done.bytes_reused) >= bytes;
    let files = &done.reused_from;
    let Some(first) = files.first().map(|file| human::clean(file.as_str())) else {
        return match (done.bytes_fetched, is_counted) {
            (0, _) => format!(" ({all}; nothing had to be fetched)"),
            (_, true) => format!(" ({all}: {fetched} fetched in {took}, the rest is zeros or repeats)"),
            (_, false) => format!(" ({all}: {fetched} fetched in {took}, the rest was here)"),
        };
    };
    let from = reused_from(&human::clean(done.name.as_str()), Some(&first), files.len() - 1);
    let is_all_from_files = done.chunks_from_files >= done.chunks_reused;
    if done.bytes_fetched == 0 && is_counted && is_all_from_files {
        return format!(" ({all} in {took}, all of it reused from {from})");
    }
    let part = if is_all_from_files { "" } else { ", part of it" };
    format!(" ({all}: {fetched} fetched in {took}, {reused} reused{part} from {from})")
}
