//! Decides which bandwidth limits are in force. The first of these that sets a limit counts: the last `ttctl limit`,
//! until ttd ends or reads its configuration again; the options of ttd's command line; the limits saved by `ttctl limit
//! --save`; the configuration. The saved limits are read only at the start, because only ttd writes them.

use crate::jobs;
use crate::store::{Home, SavedLimits, StoreError};
use crate::throttle::Bucket;
use shared::host::config::RateLimit;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A limit for each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Both<T> {
    /// For received data.
    pub download: T,
    /// For sent data.
    pub upload: T,
}

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
}

#[derive(Debug, Clone, Copy)]
struct Known {
    configured: Both<RateLimit>,
    saved: SavedLimits,
}

impl Known {
    fn limits(&self, options: Both<Option<RateLimit>>) -> Both<RateLimit> {
        let Known { configured, saved } = self;
        Both {
            download: options.download.or(saved.download).unwrap_or(configured.download),
            upload: options.upload.or(saved.upload).unwrap_or(configured.upload),
        }
    }
}

impl LimitBook {
    /// The limits at the start, which are put in force. Saved limits that cannot be read are skipped, which is logged.
    pub fn open(
        home: Arc<Home>,
        buckets: Both<Arc<Bucket>>,
        options: Both<Option<RateLimit>>,
        configured: Both<RateLimit>,
    ) -> LimitBook {
        let saved = home.saved_limits().unwrap_or_else(|error| {
            tracing::warn!(%error, "the saved limits are not used; `ttctl limit --save` writes them again");
            SavedLimits::default()
        });
        let known = Mutex::new(Known { configured, saved });
        let book = LimitBook { home, buckets, options, known, writing: tokio::sync::Mutex::default() };
        book.apply();
        book
    }

    /// Takes over the limits of a configuration that was read again.
    pub fn configured(&self, configured: Both<RateLimit>) {
        self.known().configured = configured;
        self.apply();
    }

    /// Puts these limits in force until the daemon ends. A direction without one keeps its limit.
    pub fn set(&self, change: Both<Option<RateLimit>>) {
        change.download.into_iter().for_each(|limit| self.buckets.download.set(limit));
        change.upload.into_iter().for_each(|limit| self.buckets.upload.set(limit));
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
        self.apply();
        Ok(())
    }

    /// The limits in force.
    pub fn now(&self) -> Both<RateLimit> {
        Both { download: self.buckets.download.limit(), upload: self.buckets.upload.limit() }
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

    fn apply(&self) {
        let known = *self.known();
        let Both { download, upload } = known.limits(self.options);
        self.set(Both { download: Some(download), upload: Some(upload) });
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str) -> RateLimit {
        text.parse().unwrap()
    }

    fn none() -> Both<Option<RateLimit>> {
        Both { download: None, upload: None }
    }

    fn open(folder: &std::path::Path, options: Both<Option<RateLimit>>) -> LimitBook {
        let home = Arc::new(Home::open(folder).unwrap());
        let bucket = || Bucket::new(RateLimit::None);
        let buckets = Both { download: bucket(), upload: bucket() };
        LimitBook::open(home, buckets, options, Both { download: limit("1 MB/s"), upload: limit("2 MB/s") })
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
        book.configured(Both { download: limit("4 MB/s"), upload: limit("5 MB/s") });
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
