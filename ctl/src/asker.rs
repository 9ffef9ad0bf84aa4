//! Asks a tracker through ttd, which knows the trackers and connects to them from this machine.

use crate::cli::{Global, WhichTracker};
use crate::connect::Daemon;
use crate::error::{Error, Kind};
use crate::kept::Kept;
use crate::select::{self, Known, Meaning};
use crate::targets::no_meaning;
use shared::id::{ResourceId, digits_hint};
use shared::rpc::control::{Page, TrackerAnswer};
use shared::rpc::tracker::{FLEET_MAX, Fleet, FleetPlace, ListEntry, Lookup, PeerEntry, ResourceEntry};
use shared::tree::TreeName;
use shared::url::TrackerUrl;
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long to wait for ttd to answer one question to a tracker. ttd itself gives up after 25 s and then says which
/// tracker does not answer; 5 s more let that message arrive. Beyond it the command fails with exit code 5.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The time in milliseconds after which a restarted tracker knows all names again. Machines connect again within 15 s,
/// and publish what they have at once; a machine with 100,000 files takes some seconds for that.
const KNOWS_NAMES_MS: u64 = 30_000;

/// Limits the entries of one answer, all its pages together; beyond it the command fails. A tracker has at most a
/// million of each kind unless it is configured otherwise, so twice as many come only from a broken tracker.
const ENTRIES_MAX: usize = 2_000_000;

/// Limits the names that an error lists when a pattern matches several; the others are left out. Five fit on one or two
/// lines.
const NAMED_MAX: usize = 5;

/// Puts questions to one tracker.
#[derive(Debug)]
pub(crate) struct Asker {
    daemon: Daemon,
    kept: Kept,
    /// Since when no ttd has answered.
    away_since: Option<Instant>,
}

impl Asker {
    /// The tracker that the command line names, else the first of the daemon's that answers.
    pub(crate) async fn connect(which: &WhichTracker, global: &Global) -> Result<Asker, Error> {
        let daemon = Daemon::connect(global).await?;
        Ok(Asker { daemon, kept: Kept::new(which.tracker.clone()), away_since: None })
    }

    /// Connects to the daemon again, which may have been restarted. The tracker stays the same.
    ///
    /// If no ttd answers, that is an error after `back_within`; without `back_within` it waits forever. A ttd that
    /// answers but cannot be used, such as one of another version, is an error at once.
    pub(crate) async fn reconnect(
        &mut self,
        global: &Global,
        back_within: Option<Duration>,
    ) -> Result<(), Error> {
        match Daemon::connect(global).await {
            Ok(daemon) => {
                self.daemon = daemon;
                self.away_since = None;
                Ok(())
            }
            Err(error) if error.kind == Kind::NoDaemon => {
                let away = self.away_since.get_or_insert_with(Instant::now).elapsed();
                if back_within.is_none_or(|within| away < within) { Ok(()) } else { Err(error) }
            }
            Err(error) => Err(error),
        }
    }

    /// Everything that is published, sorted by name.
    pub(crate) async fn list(&mut self) -> Result<TrackerAnswer<Vec<ListEntry>>, Error> {
        let asked = Instant::now();
        let ask = async |tracker, after| {
            Ok(self.daemon.caller.tracker_list(tracker, after, ANSWER_TIMEOUT).await??)
        };
        let answer = pages(self.kept.tracker(), ENTRIES_MAX, ask).await;
        self.keep(asked, answer)
    }

    /// The resource that is meant by an id, by the beginning of an id, by a name, or by a pattern that matches one
    /// name.
    pub(crate) async fn resource(&mut self, what: &str) -> Result<ResourceId, Error> {
        let name = match self.lookup(what).await? {
            Lookup::Resource(resource) => return Ok(resource),
            Lookup::Name(name) => name,
        };
        // If a name has several publications, the tracker puts the one that it means first.
        let what = Lookup::Name(name.clone());
        let mut found = self.find_and_keep(what.clone()).await?;
        if let (true, Some(tree)) = (found.answer.is_empty(), as_tree(&what)) {
            found = self.find_and_keep(tree).await?;
        }
        let meant = found.answer.first().map(|entry| entry.publication.key.resource);
        meant.ok_or_else(|| not_published(name.as_str(), &found.tracker))
    }

    async fn find_and_keep(&mut self, what: Lookup) -> Result<TrackerAnswer<Vec<ListEntry>>, Error> {
        let asked = Instant::now();
        let found = self.find(what).await;
        self.keep(asked, found)
    }

    /// What a person means: an id, the beginning of one, a name, or a pattern that matches one name.
    pub(crate) async fn lookup(&mut self, what: &str) -> Result<Lookup, Error> {
        if let Ok(resource) = what.parse() {
            return Ok(Lookup::Resource(resource));
        }
        if select::needs_list(what) {
            return self.lookup_in_list(what).await;
        }
        let name = what.parse().map_err(|why| Error::usage(format!("\"{what}\": {why}")))?;
        Ok(Lookup::Name(name))
    }

    async fn lookup_in_list(&mut self, what: &str) -> Result<Lookup, Error> {
        let TrackerAnswer { tracker, answer: entries } = self.list().await?;
        let known: Vec<Known> = entries.iter().map(Known::from).collect();
        let names = match select::select(what, &known) {
            Ok(Meaning::Id(id)) => return Ok(Lookup::Resource(id)),
            Ok(Meaning::Name(name)) => vec![name],
            Ok(Meaning::Names(names)) => names,
            Err(why) => {
                let hint = format!("`ttctl tracker list --tracker {tracker}` shows what is published");
                return Err(no_meaning(what, &why, &hint));
            }
        };
        let [name] = &names[..] else {
            let shown: Vec<&str> = names.iter().take(NAMED_MAX).map(|name| name.as_str()).collect();
            return Err(Error::usage(format!("{what} matches {} files; name one", names.len()))
                .hint(format!("such as {}", shown.join(", "))));
        };
        Ok(Lookup::Name(name.clone()))
    }

    /// Peers of a resource.
    pub(crate) async fn peers(
        &mut self,
        resource: ResourceId,
    ) -> Result<TrackerAnswer<Vec<PeerEntry>>, Error> {
        let asked = Instant::now();
        let answer = self.peers_of(resource).await;
        self.keep(asked, answer)
    }

    /// All resources of a peer, sorted by id.
    pub(crate) async fn resources(
        &mut self,
        peer: SocketAddr,
    ) -> Result<TrackerAnswer<Vec<ResourceEntry>>, Error> {
        let asked = Instant::now();
        let ask = async |tracker, after| {
            Ok(self.daemon.caller.tracker_resources(tracker, peer, after, ANSWER_TIMEOUT).await??)
        };
        let answer = pages(self.kept.tracker(), ENTRIES_MAX, ask).await;
        self.keep(asked, answer)
    }

    /// All machines that were seen with a resource, or with what a name means, in the tracker's order. The counts are
    /// those of the last page. A directory may be called without `.tar`.
    pub(crate) async fn fleet(&mut self, what: &Lookup) -> Result<TrackerAnswer<Fleet>, Error> {
        let fleet = self.fleet_of(what).await?;
        if let (None, Some(tree)) = (fleet.answer.resource, as_tree(what)) {
            let of_tree = self.fleet_of(&tree).await?;
            if of_tree.answer.resource.is_some() {
                return Ok(of_tree);
            }
        }
        published(what, fleet)
    }

    async fn fleet_of(&mut self, what: &Lookup) -> Result<TrackerAnswer<Fleet>, Error> {
        let asked = Instant::now();
        let last = Cell::new(Fleet::default());
        let ask = async |tracker, after| {
            let TrackerAnswer { tracker, answer: mut page } =
                self.fleet_page(tracker, what, after, FLEET_MAX as u32).await?;
            let (entries, next) = (std::mem::take(&mut page.machines), page.next);
            last.set(page);
            Ok(TrackerAnswer { tracker, answer: Page { entries, next } })
        };
        let answer = pages(self.kept.tracker(), ENTRIES_MAX, ask).await;
        let TrackerAnswer { tracker, answer: machines } = self.keep(asked, answer)?;
        Ok(TrackerAnswer { tracker, answer: Fleet { machines, ..last.take() } })
    }

    /// The number of machines that have all or a part of a resource, or of what a name means. A directory may be called
    /// without `.tar`.
    pub(crate) async fn count(&mut self, what: &Lookup) -> Result<TrackerAnswer<Fleet>, Error> {
        let count = self.count_of(what).await?;
        if let (None, Some(tree)) = (count.answer.resource, as_tree(what)) {
            let of_tree = self.count_of(&tree).await?;
            if of_tree.answer.resource.is_some() {
                return Ok(of_tree);
            }
        }
        published(what, count)
    }

    /// Whether the tracker was started so recently that it may not know again what a name means. An answer that does not
    /// come says no.
    pub(crate) async fn may_not_know_yet(&mut self, what: &str) -> bool {
        let Ok(Lookup::Name(name)) = self.lookup(what).await else { return false };
        let counted = self.count_of(&Lookup::Name(name)).await;
        counted.is_ok_and(|counted| counted.answer.up_ms < KNOWS_NAMES_MS)
    }

    async fn count_of(&mut self, what: &Lookup) -> Result<TrackerAnswer<Fleet>, Error> {
        let asked = Instant::now();
        let answer = self.fleet_page(self.kept.tracker(), what, None, 0).await;
        self.keep(asked, answer)
    }

    async fn find(&self, what: Lookup) -> Result<TrackerAnswer<Vec<ListEntry>>, Error> {
        Ok(self.daemon.caller.tracker_find(self.kept.tracker(), what, ANSWER_TIMEOUT).await??)
    }

    async fn peers_of(&self, resource: ResourceId) -> Result<TrackerAnswer<Vec<PeerEntry>>, Error> {
        Ok(self.daemon.caller.tracker_peers(self.kept.tracker(), resource, ANSWER_TIMEOUT).await??)
    }

    async fn fleet_page(
        &self,
        tracker: Option<TrackerUrl>,
        what: &Lookup,
        after: Option<FleetPlace>,
        machines_max: u32,
    ) -> Result<TrackerAnswer<Fleet>, Error> {
        let caller = &self.daemon.caller;
        Ok(caller.tracker_fleet(tracker, what.clone(), after, machines_max, ANSWER_TIMEOUT).await??)
    }

    /// Keeps asking the tracker that has answered. An error of ttd itself, which is gone or too slow, says nothing
    /// about the tracker.
    fn keep<T>(
        &mut self,
        asked: Instant,
        answer: Result<TrackerAnswer<T>, Error>,
    ) -> Result<TrackerAnswer<T>, Error> {
        match &answer {
            Ok(answer) => self.kept.answered(&answer.tracker),
            Err(error) if matches!(error.kind, Kind::NoDaemon | Kind::TimedOut) => {}
            Err(_) => self.kept.failed(asked, Instant::now()),
        }
        answer
    }
}

/// The directory of this name.
fn as_tree(what: &Lookup) -> Option<Lookup> {
    let Lookup::Name(name) = what else { return None };
    let tree: TreeName = name.as_str().parse().ok()?;
    Some(Lookup::Name(tree.resource_name()))
}

fn published(what: &Lookup, fleet: TrackerAnswer<Fleet>) -> Result<TrackerAnswer<Fleet>, Error> {
    match what {
        Lookup::Name(name) if fleet.answer.resource.is_none() => {
            Err(not_published(name.as_str(), &fleet.tracker))
        }
        _ => Ok(fleet),
    }
}

fn not_published(what: &str, tracker: &TrackerUrl) -> Error {
    Error::refused(format!("{what} is not published on {tracker}")).hint(format!(
        "`ttctl tracker list --tracker {tracker}` shows what is published{}",
        digits_hint(what)
    ))
}

/// Asks for one page after another, all from the tracker that sent the first.
async fn pages<T, P>(
    tracker: Option<TrackerUrl>,
    entries_max: usize,
    ask: impl AsyncFn(Option<TrackerUrl>, Option<P>) -> Result<TrackerAnswer<Page<T, P>>, Error>,
) -> Result<TrackerAnswer<Vec<T>>, Error> {
    let (mut tracker, mut after, mut entries) = (tracker, None, Vec::new());
    loop {
        let TrackerAnswer { tracker: answered, answer: page } = ask(tracker, after).await?;
        entries.extend(page.entries);
        if page.next.is_none() {
            return Ok(TrackerAnswer { tracker: answered, answer: entries });
        }
        if entries.len() >= entries_max {
            return Err(Error::internal(format!("{answered} sent more than {entries_max} entries"))
                .hint("it may be a different program"));
        }
        (tracker, after) = (Some(answered), page.next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(entries: Vec<u32>, next: Option<u32>) -> Result<TrackerAnswer<Page<u32, u32>>, Error> {
        Ok(TrackerAnswer { tracker: "tt://b".parse().unwrap(), answer: Page { entries, next } })
    }

    #[tokio::test]
    async fn the_next_pages_come_from_whoever_gave_the_first() {
        let all = pages(None, 100, async |tracker: Option<TrackerUrl>, after| match after {
            None => page(vec![1, 2], Some(2)),
            Some(2) => {
                assert_eq!(tracker, Some("tt://b".parse().unwrap()));
                page(vec![3], None)
            }
            after => panic!("{after:?}"),
        });
        let all = all.await.unwrap();
        assert_eq!((all.tracker.as_str(), all.answer), ("tt://b", vec![1, 2, 3]));
    }

    #[tokio::test]
    async fn an_answer_without_end_is_broken_off() {
        let endless = async |_, after: Option<u32>| page(vec![0; 10], Some(after.unwrap_or(0) + 1));
        let error = pages(None, 95, endless).await.unwrap_err();
        assert_eq!((error.exit_code(), error.message.as_str()), (1, "tt://b sent more than 95 entries"));
    }
}
