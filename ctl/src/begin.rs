//! Asks ttd to begin a download: finds out what is meant, sends a manifest if there is one, and waits while ttd
//! compares a file that already has the name.

use crate::asker::Asker;
use crate::cli::{Global, WhichTracker};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::error::{Error, Kind};
use crate::fetch_url;
use crate::files;
use crate::link::Link;
use crate::progress::Progress;
use crate::select::{self, Known, Meaning};
use crate::targets::no_meaning;
use crate::tasks::{self, Ended};
use crate::want::Want;
use bytes::Bytes;
use shared::manifest::Manifest;
use shared::name::MANIFEST_SUFFIX;
use shared::rpc::control::{Accepted, ControlError, ErrorKind, GetRequest, GetWhat, PART_BYTES_MAX};
use shared::url::TrackerUrl;
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::time::Duration;

/// How long ttd may take to look up a name at its trackers and to fetch the manifest. Beyond it the command fails with
/// exit code 5.
const GET_TIMEOUT: Duration = Duration::from_secs(120);

/// The pause before a name that no tracker knows yet, or a tracker that cannot be reached, is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// A lookup that takes longer than this is mentioned on standard error.
const LOOK_UP_PATIENCE: Duration = Duration::from_secs(2);

/// A download to begin.
pub(crate) struct Order {
    /// The word on the command line, or the name that its pattern matched.
    pub(crate) what: String,
    ask: Result<Ask, Error>,
    /// Whether a file that already had the name had to be compared first.
    pub(crate) was_compared: Cell<bool>,
    /// The last reason why it has not begun yet.
    pub(crate) last: RefCell<Option<Error>>,
    /// What ttd accepted. To ask for it again, by id, ttd needs no tracker.
    accepted: RefCell<Option<Accepted>>,
}

struct Ask {
    what: GetWhat,
    manifest: Option<Manifest>,
}

/// Options for beginning downloads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) replace: bool,
    /// Whether chunks may be taken from other files here.
    pub(crate) reuse: bool,
    /// Whether a directory is fetched as a file.
    pub(crate) as_file: bool,
    /// Whether a directory may have symbolic links that lead outside of it.
    pub(crate) links_outside: bool,
    /// Whether a copy is made of it, which is then the file.
    pub(crate) is_copied: bool,
    /// Whether it may be older than what was accepted before.
    pub(crate) allows_older: bool,
    /// Whether to wait for trackers that cannot be reached and for names that are not published yet.
    pub(crate) waits: bool,
}

impl Manner {
    fn request(self, what: GetWhat) -> GetRequest {
        let Manner { replace, reuse, as_file, links_outside, is_copied, allows_older, .. } = self;
        GetRequest { what, replace, reuse, as_file, links_outside, is_copied, allows_older }
    }
}

impl Order {
    fn new(what: String, ask: Result<Ask, Error>) -> Order {
        let (was_compared, last, accepted) = (Cell::new(false), RefCell::new(None), RefCell::new(None));
        Order { what, ask, was_compared, last, accepted }
    }

    /// Reads a word that is not a pattern, and the manifest that it names.
    pub(crate) async fn read(what: &str, timeout: Option<Duration>) -> Result<Order, Error> {
        let ask = match Want::parse(what)? {
            Want::Manifest(path) => {
                let manifest = files::read_manifest_to_get(&path)?;
                let signature = files::read_signature_beside(&path)?;
                Ask { what: GetWhat::Manifest { signature }, manifest: Some(manifest) }
            }
            Want::Url(url) => {
                let (manifest, signature) = fetch_url::fetch(&url, timeout).await?;
                Ask { what: GetWhat::Manifest { signature }, manifest: Some(manifest) }
            }
            Want::Catalogue(what) => Ask { what, manifest: None },
        };
        Ok(Order::new(what.to_owned(), Ok(ask)))
    }

    /// A download that cannot begin.
    pub(crate) fn failed(what: &str, error: Error) -> Order {
        Order::new(what.to_owned(), Err(error))
    }

    /// Asks ttd to begin it. While a file is compared, `progress` makes the display for it.
    pub(crate) async fn begin(
        &self,
        link: &Link<'_>,
        manner: Manner,
        progress: &dyn Fn(&str) -> Progress,
    ) -> Result<Accepted, Error> {
        let ask = self.ask.as_ref().map_err(Clone::clone)?;
        let slow = async {
            tokio::time::sleep(LOOK_UP_PATIENCE).await;
            if ask.manifest.is_none() {
                link.note(&format!("{}: asking the trackers for it", self.what));
            }
            std::future::pending().await
        };
        let accepted = tokio::select! {
            accepted = self.begin_until_accepted(ask, link, manner, progress) => accepted?,
            never = slow => never,
        };
        self.accepted.replace(Some(accepted.clone()));
        Ok(accepted)
    }

    async fn begin_until_accepted(
        &self,
        ask: &Ask,
        link: &Link<'_>,
        manner: Manner,
        progress: &dyn Fn(&str) -> Progress,
    ) -> Result<Accepted, Error> {
        loop {
            let begun = link.call_in_turn(async |daemon| {
                if let Some(accepted) = self.again(daemon, manner, progress).await? {
                    return Ok(Ok(accepted));
                }
                let begun = match self.ask_once(ask, daemon, link, manner).await? {
                    Ok(begun) => begun,
                    Err(error) => return Ok(Err(error)),
                };
                self.compared(begun, daemon, progress).await.map(Ok)
            });
            let error = match begun.await? {
                Ok(accepted) => return Ok(accepted),
                Err(error) => error,
            };
            let may_come = matches!(error.kind, ErrorKind::Unknown | ErrorKind::Unreachable);
            if may_come && manner.waits {
                self.last.replace(Some(error.into()));
                tokio::time::sleep(ASK_AGAIN).await;
                continue;
            }
            let beside = format!("{}{MANIFEST_SUFFIX}", self.what);
            let by_name = matches!(ask.what, GetWhat::Name { tracker: None, .. });
            return Err(match by_name && may_come && Path::new(&beside).exists() {
                true => Error::from(error).hint(format!(
                    "to fetch what the manifest in this directory describes: `ttctl get {beside}`"
                )),
                false => error.into(),
            });
        }
    }

    /// Asks a restarted ttd for what it had accepted before: it most likely remembers it. If the name has another
    /// version by now, that one is kept, since it was asked for later.
    async fn again(
        &self,
        daemon: &Daemon,
        manner: Manner,
        progress: &dyn Fn(&str) -> Progress,
    ) -> Result<Option<Accepted>, Error> {
        let Some(accepted) = self.accepted.borrow().clone() else { return Ok(None) };
        let Accepted { name, resource, .. } = &accepted;
        let here = daemon.caller.status(Some(name.to_string()), CALL_TIMEOUT).await?.unwrap_or_default();
        let has_other = here.iter().any(|here| here.name == *name && here.resource != *resource);
        if has_other {
            return Err(Error::refused(format!("{name} was replaced by another version meanwhile"))
                .hint("another `ttctl get` or `ttctl share` replaced it; to return to the former version, get it by its id"));
        }
        let what = GetWhat::Resource { resource: *resource, tracker: None };
        match daemon.caller.get(manner.request(what), GET_TIMEOUT).await? {
            Ok(begun) => self.compared(begun, daemon, progress).await.map(Some),
            Err(_) => Ok(None),
        }
    }

    async fn ask_once(
        &self,
        ask: &Ask,
        daemon: &Daemon,
        link: &Link<'_>,
        manner: Manner,
    ) -> Result<Result<Accepted, ControlError>, Error> {
        let request = manner.request(ask.what.clone());
        let Some(manifest) = &ask.manifest else { return Ok(daemon.caller.get(request, GET_TIMEOUT).await?) };
        let _one_at_a_time = link.manifests.lock().await;
        send(daemon, manifest).await?;
        Ok(daemon.caller.get(request, GET_TIMEOUT).await?)
    }

    /// Waits while the file that already has the name is compared with the wanted content. Returns what is accepted
    /// then.
    async fn compared(
        &self,
        mut accepted: Accepted,
        daemon: &Daemon,
        progress: &dyn Fn(&str) -> Progress,
    ) -> Result<Accepted, Error> {
        while let Some(task) = accepted.comparing {
            self.was_compared.set(true);
            let comparing = format!("the file {} is still being compared", accepted.name);
            self.last.replace(Some(Error::refused(comparing)));
            let progress = progress(accepted.name.as_str());
            accepted = match tasks::wait(daemon, task, progress).await? {
                Ended::Found(accepted) => accepted,
                ended => return Err(tasks::unexpected(&ended)),
            };
        }
        Ok(accepted)
    }
}

/// Sends the text of a manifest in parts of the largest size that ttd accepts.
async fn send(daemon: &Daemon, manifest: &Manifest) -> Result<(), Error> {
    let mut text = String::with_capacity(manifest.text_bytes().min(PART_BYTES_MAX));
    for part in manifest.text_parts() {
        if text.len() + part.len() > PART_BYTES_MAX {
            let full = Bytes::from(std::mem::take(&mut text));
            daemon.caller.manifest_part(full.into(), CALL_TIMEOUT).await??;
        }
        text.push_str(&part);
    }
    daemon.caller.manifest_part(Bytes::from(text).into(), CALL_TIMEOUT).await??;
    Ok(())
}

/// If a word is a pattern or the beginning of an id: the tracker that it names, if any, and the word itself. `None` for
/// every other word.
pub(crate) fn in_catalogue(what: &str) -> Option<(Option<TrackerUrl>, String)> {
    match Want::parse(what) {
        Ok(Want::Catalogue(GetWhat::Name { name, tracker })) if select::needs_list(name.as_str()) => {
            Some((tracker, name.to_string()))
        }
        _ => None,
    }
}

/// The downloads that a pattern or the beginning of an id means in a tracker's catalogue. While there are none, `last`
/// has the reason.
pub(crate) async fn look_up(
    word: &str,
    tracker: Option<TrackerUrl>,
    waits: bool,
    last: &RefCell<Option<Error>>,
    global: &Global,
) -> Result<Vec<Order>, Error> {
    let which = WhichTracker { tracker: tracker.clone() };
    let mut asker = Asker::connect(&which, global).await?;
    loop {
        let error = match asker.list().await {
            Ok(answer) => {
                let known: Vec<Known> = answer.answer.iter().map(Known::from).collect();
                let orders = |asks: Vec<(String, GetWhat)>| {
                    let new = |(what, ask)| Order::new(what, Ok(Ask { what: ask, manifest: None }));
                    asks.into_iter().map(new).collect()
                };
                let by_name = |name: shared::name::ResourceName| {
                    (name.to_string(), GetWhat::Name { name, tracker: tracker.clone() })
                };
                match select::select(word, &known) {
                    Ok(Meaning::Name(name)) => return Ok(orders(vec![by_name(name)])),
                    Ok(Meaning::Id(resource)) => {
                        let what = GetWhat::Resource { resource, tracker: tracker.clone() };
                        return Ok(orders(vec![(word.to_owned(), what)]));
                    }
                    Ok(Meaning::Names(names)) => return Ok(orders(names.into_iter().map(by_name).collect())),
                    Err(why) => {
                        let hint = format!(
                            "`ttctl tracker list --tracker {}` shows what is published",
                            answer.tracker
                        );
                        let may_come = matches!(why, select::NoMeaning::Unknown | select::NoMeaning::NoMatch);
                        let error = no_meaning(word, &why, &hint);
                        if !may_come {
                            return Err(error);
                        }
                        error
                    }
                }
            }
            Err(error) => error,
        };
        let may_pass =
            matches!(error.kind, Kind::Refused | Kind::Unreachable | Kind::TimedOut | Kind::NoDaemon);
        if !waits || !may_pass {
            return Err(error);
        }
        last.replace(Some(error));
        tokio::time::sleep(ASK_AGAIN).await;
        asker.reconnect(global, None).await?;
    }
}
