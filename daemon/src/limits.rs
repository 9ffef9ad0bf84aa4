//! Decides which bandwidth limits are in force. The first of these that sets a limit counts: the last `ttctl limit`,
//! until ttd ends or reads its configuration again; the options of ttd's command line; the limits saved by `ttctl limit
//! --save`; the configuration, which may set different ones at certain hours (`timetable`, by the `wall_clock`). The saved limits
//! are read only at the start, because only ttd writes them.

mod both;
mod timetable;
mod wall_clock;

pub use both::Both;
pub use timetable::Timetable;
pub use wall_clock::shown;

use crate::jobs;
use crate::store::{Home, SavedLimits, StoreError};
use crate::throttle::Bucket;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use shared::host::config::RateLimit;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// While the configuration sets limits at certain hours, the clock is looked at this often at least, because it may be set
/// meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// The limits from all sources.
#[derive(Debug)]
pub struct LimitBook {
    home: Arc<Home>,
    buckets: Both<Arc<Bucket>>,
    /// The options of the command line.
    options: Both<Option<RateLimit>>,
    known: Mutex<Known>,
    /// Held while a change is written, so that changes are written one at a time.
    writing: tokio::sync::Mutex<()>,
    /// The configuration has changed.
    configured: Notify,
}

#[derive(Debug)]
struct Known {
    configured: Timetable,
    saved: SavedLimits,
    /// Those of `ttctl limit`.
    for_now: Both<Option<RateLimit>>,
}

impl Known {
    /// The limits that come before those of the configuration.
    fn before_configured(&self, options: Both<Option<RateLimit>>) -> Both<Option<RateLimit>> {
        let Known { saved, for_now, .. } = self;
        Both {
            download: for_now.download.or(options.download).or(saved.download),
            upload: for_now.upload.or(options.upload).or(saved.upload),
        }
    }
}

impl LimitBook {
    /// The limits at the start, which are put in force. Saved limits that cannot be read are skipped, which is logged.
    pub fn open(
        home: Arc<Home>,
        buckets: Both<Arc<Bucket>>,
        options: Both<Option<RateLimit>>,
        configured: Timetable,
    ) -> LimitBook {
        let saved = home.saved_limits().unwrap_or_else(|error| {
            tracing::warn!(%error, "the saved limits are not used; `ttctl limit --save` writes them again");
            SavedLimits::default()
        });
        let known = Known { configured, saved, for_now: Both { download: None, upload: None } };
        let book = LimitBook {
            home,
            buckets,
            options,
            known: Mutex::new(known),
            writing: tokio::sync::Mutex::default(),
            configured: Notify::new(),
        };
        book.apply();
        book
    }

    /// Changes the limits at the hours of the configuration, for ever. It notices within [`LOOK_EVERY`] that the clock was set.
    pub async fn follow(self: Arc<LimitBook>) {
        loop {
            let configured = self.configured.notified();
            match self.look(wall_clock::now()) {
                Some(pause) => drop(tokio::time::timeout(pause, configured).await),
                None => configured.await,
            }
        }
    }

    /// Puts those limits in force that the configuration sets at this moment, and logs a change. Returns when to look again;
    /// `None` if that depends on no clock.
    fn look(&self, now: Timestamp) -> Option<Duration> {
        if !self.known().configured.has_rules() {
            return None;
        }
        let before = self.now();
        self.apply_at(now, &wall_clock::zone());
        let (Both { download, upload }, until) = (self.now(), self.until_ms());
        if before != self.now() {
            tracing::info!(%download, %upload, "the limits change, as [[limit]] in the configuration says");
        }
        let next = until.download.into_iter().chain(until.upload).min();
        let pause = next.map(|next| wall_clock::of_ms(next).duration_since(now).unsigned_abs());
        Some(pause.unwrap_or(LOOK_EVERY).min(LOOK_EVERY))
    }

    /// Takes over the limits of a configuration that was read again.
    pub fn configured(&self, configured: Timetable) {
        self.known().configured = configured;
        self.forget();
        self.configured.notify_one();
    }

    /// Puts these limits in force until the daemon ends. A direction without one keeps its limit.
    pub fn set(&self, change: Both<Option<RateLimit>>) {
        let mut known = self.known();
        known.for_now.download = change.download.or(known.for_now.download);
        known.for_now.upload = change.upload.or(known.for_now.upload);
        drop(known);
        self.apply();
    }

    /// Puts these limits in force now and after a restart. Without any, the present limits are saved.
    ///
    /// # Errors
    /// When they cannot be written. Then nothing has changed.
    pub async fn save(&self, change: Both<Option<RateLimit>>) -> Result<(), StoreError> {
        let _writing = self.writing.lock().await;
        let mut saved = self.saved();
        match change {
            Both { download: None, upload: None } => {
                let Both { download, upload } = self.now();
                saved = SavedLimits { download: Some(download), upload: Some(upload) };
            }
            Both { download, upload } => {
                saved.download = download.or(saved.download);
                saved.upload = upload.or(saved.upload);
            }
        }
        self.write(saved).await?;
        self.set(change);
        Ok(())
    }

    /// Deletes the saved limits, so that the command line and the configuration count again.
    ///
    /// # Errors
    /// When they cannot be deleted. Then nothing has changed.
    pub async fn reset(&self) -> Result<(), StoreError> {
        let _writing = self.writing.lock().await;
        self.write(SavedLimits::default()).await?;
        self.forget();
        Ok(())
    }

    /// The limits in force.
    pub fn now(&self) -> Both<RateLimit> {
        Both { download: self.buckets.download.limit(), upload: self.buckets.upload.limit() }
    }

    /// When the configuration changes them the next time, in milliseconds since 1970; `None` if it does not, also where another
    /// limit comes before it.
    pub fn until_ms(&self) -> Both<Option<u64>> {
        Both { download: self.buckets.download.until_ms(), upload: self.buckets.upload.until_ms() }
    }

    /// The saved limits.
    pub fn saved(&self) -> SavedLimits {
        self.known().saved
    }

    /// The file of the saved limits.
    pub fn file(&self) -> PathBuf {
        self.home.limits_file()
    }

    /// The options of the command line that override the saved limits.
    pub fn overridden_by(&self) -> Vec<String> {
        let (saved, options) = (self.saved(), self.options);
        let directions = [
            ("--download-limit", saved.download, options.download),
            ("--upload-limit", saved.upload, options.upload),
        ];
        let hidden = directions.into_iter().filter(|(_, saved, option)| saved.is_some() && option.is_some());
        hidden.map(|(option, ..)| option.to_owned()).collect()
    }

    async fn write(&self, saved: SavedLimits) -> Result<(), StoreError> {
        let (home, path) = (self.home.clone(), self.file());
        let written = jobs::run(move || home.save_limits(saved)).await;
        let failed = |error| Err(StoreError { doing: "write", path, source: std::io::Error::other(error) });
        written.unwrap_or_else(failed)?;
        self.known().saved = saved;
        Ok(())
    }

    /// Forgets the limits of `ttctl limit`.
    fn forget(&self) {
        self.known().for_now = Both { download: None, upload: None };
        self.apply();
    }

    fn apply(&self) {
        self.apply_at(wall_clock::now(), &wall_clock::zone());
    }

    fn apply_at(&self, now: Timestamp, zone: &TimeZone) {
        let known = self.known();
        let before = known.before_configured(self.options);
        let configured = known.configured.at(zone.to_datetime(now));
        let changes = known.configured.changes_after(now, zone);
        let put =
            |bucket: &Bucket, before: Option<RateLimit>, configured: RateLimit, change: Option<Timestamp>| {
                let change = change.filter(|_| before.is_none());
                bucket.put(
                    before.unwrap_or(configured),
                    change.and_then(|change| u64::try_from(change.as_millisecond()).ok()),
                );
            };
        put(&self.buckets.download, before.download, configured.download, changes.download);
        put(&self.buckets.upload, before.upload, configured.upload, changes.upload);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::host::config::LimitRule;

    fn limit(text: &str) -> RateLimit {
        text.parse().unwrap()
    }

    fn none() -> Both<Option<RateLimit>> {
        Both { download: None, upload: None }
    }

    fn configured(download: &str, upload: &str) -> Timetable {
        Both { download: limit(download), upload: limit(upload) }.into()
    }

    fn open(folder: &std::path::Path, options: Both<Option<RateLimit>>) -> LimitBook {
        let home = Arc::new(Home::open(folder).unwrap());
        let bucket = || Bucket::new(RateLimit::None);
        let buckets = Both { download: bucket(), upload: bucket() };
        LimitBook::open(home, buckets, options, configured("1 MB/s", "2 MB/s"))
    }

    fn shown(book: &LimitBook) -> [String; 2] {
        let Both { download, upload } = book.now();
        [download.to_string(), upload.to_string()]
    }

    #[tokio::test]
    async fn what_is_saved_holds_over_restarts_and_reloads_and_what_is_not_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let book = open(folder.path(), none());
        assert_eq!(shown(&book), ["1 MB/s", "2 MB/s"], "as configured");
        book.set(Both { download: Some(limit("3 MB/s")), upload: None });
        book.save(Both { download: None, upload: Some(RateLimit::Pause) }).await.unwrap();
        assert_eq!(shown(&book), ["3 MB/s", "0"]);
        book.configured(configured("4 MB/s", "5 MB/s"));
        assert_eq!(shown(&book), ["4 MB/s", "0"], "after a reload");
        drop(book);
        let book = open(folder.path(), none());
        assert_eq!(shown(&book), ["1 MB/s", "0"], "after a restart");
        book.save(Both { download: Some(RateLimit::None), upload: None }).await.unwrap();
        assert_eq!(shown(&book), ["none", "0"], "what was saved for the other direction stays");
        book.reset().await.unwrap();
        assert_eq!(shown(&book), ["1 MB/s", "2 MB/s"]);
        assert!(!book.file().exists());
    }

    /// From 8 to 18 h UTC downloads are slow.
    fn by_day() -> Timetable {
        let rule = LimitRule {
            from: "08:00".parse().unwrap(),
            to: "18:00".parse().unwrap(),
            days: Vec::new(),
            download: Some(limit("1 MB/s")),
            upload: None,
        };
        Timetable::new(vec![rule], Both { download: limit("8 MB/s"), upload: limit("9 MB/s") })
    }

    #[tokio::test]
    async fn the_hours_change_what_nothing_else_sets_and_a_set_clock_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let book = open(folder.path(), none());
        assert_eq!(book.look(Timestamp::UNIX_EPOCH), None, "there are no hours");
        book.configured(by_day());
        let at = |text: &str| book.apply_at(text.parse().unwrap(), &TimeZone::UTC);
        let ms = |text: &str| Some(text.parse::<Timestamp>().unwrap().as_millisecond() as u64);
        at("2026-11-27T17:59:59Z");
        assert_eq!(shown(&book), ["1 MB/s", "9 MB/s"]);
        assert_eq!(book.until_ms(), Both { download: ms("2026-11-27T18:00:00Z"), upload: None });
        at("2026-11-27T18:00:00Z");
        assert_eq!(shown(&book), ["8 MB/s", "9 MB/s"]);
        assert_eq!(book.until_ms().download, ms("2026-11-28T08:00:00Z"));
        at("2020-01-01T09:00:00Z");
        assert_eq!(shown(&book), ["1 MB/s", "9 MB/s"], "the clock was set back");
        book.set(Both { download: Some(limit("3 MB/s")), upload: None });
        at("2026-11-27T20:00:00Z");
        assert_eq!(
            (shown(&book), book.until_ms().download),
            (["3 MB/s", "9 MB/s"].map(str::to_owned), None),
            "as a user set it"
        );
        book.save(Both { download: Some(RateLimit::None), upload: None }).await.unwrap();
        book.configured(by_day());
        at("2026-11-27T09:00:00Z");
        assert_eq!(shown(&book), ["none", "9 MB/s"], "as it was saved");
        book.reset().await.unwrap();
        at("2026-11-27T09:00:00Z");
        assert_eq!(shown(&book), ["1 MB/s", "9 MB/s"]);
        assert!(book.look(wall_clock::now()).unwrap() <= LOOK_EVERY);
    }

    #[tokio::test(start_paused = true)]
    async fn new_hours_are_in_force_at_once_and_the_clock_is_looked_at_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let book = Arc::new(open(folder.path(), none()));
        let following = jobs::spawn(book.clone().follow());
        tokio::task::yield_now().await;
        book.configured(by_day());
        let put = || Both { download: limit("5 MB/s"), upload: limit("5 MB/s") };
        for _ in 0..2 {
            // Something else than the hours say is put right again.
            book.buckets.download.put(put().download, None);
            book.buckets.upload.put(put().upload, None);
            tokio::time::sleep(LOOK_EVERY + Duration::from_millis(1)).await;
            assert_eq!(book.now().upload, limit("9 MB/s"));
        }
        following.abort();
    }

    #[tokio::test]
    async fn without_a_change_what_holds_now_is_saved() {
        let folder = tempfile::tempdir().unwrap();
        let book = open(folder.path(), none());
        book.set(Both { download: Some(limit("7 MB/s")), upload: None });
        book.save(none()).await.unwrap();
        drop(book);
        assert_eq!(shown(&open(folder.path(), none())), ["7 MB/s", "2 MB/s"]);
    }

    #[tokio::test]
    async fn the_command_line_comes_before_what_is_saved() {
        let folder = tempfile::tempdir().unwrap();
        let options = Both { download: None, upload: Some(limit("9 MB/s")) };
        let book = open(folder.path(), options);
        book.save(Both { download: Some(limit("3 MB/s")), upload: Some(limit("3 MB/s")) }).await.unwrap();
        assert_eq!(shown(&book), ["3 MB/s", "3 MB/s"], "for now");
        assert_eq!(book.overridden_by(), ["--upload-limit"]);
        drop(book);
        assert_eq!(shown(&open(folder.path(), options)), ["3 MB/s", "9 MB/s"]);
    }

    #[tokio::test]
    async fn what_cannot_be_written_changes_nothing_and_what_cannot_be_read_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let book = open(folder.path(), none());
        std::fs::create_dir(book.file()).unwrap();
        book.save(Both { download: Some(limit("3 MB/s")), upload: None }).await.unwrap_err();
        assert_eq!(shown(&book), ["1 MB/s", "2 MB/s"]);
        std::fs::remove_dir(book.file()).unwrap();
        std::fs::write(book.file(), "version = 1\ndownload_limit = \"none\"\n").unwrap();
        drop(book);
        assert_eq!(shown(&open(folder.path(), none())), ["1 MB/s", "2 MB/s"]);
    }

    #[tokio::test]
    async fn limits_that_a_later_version_saved_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let book = open(folder.path(), none());
        let later = "version = 2\nburst = \"1 MB\"\n";
        std::fs::write(book.file(), later).unwrap();
        book.save(Both { download: Some(limit("3 MB/s")), upload: None }).await.unwrap_err();
        book.reset().await.unwrap_err();
        assert_eq!(std::fs::read_to_string(book.file()).unwrap(), later);
        assert_eq!(shown(&book), ["1 MB/s", "2 MB/s"]);
    }
}
