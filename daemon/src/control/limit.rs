//! The limits: shows them, changes them, saves them.

use crate::limits::{Both, LimitBook};
use crate::store::StoreError;
use shared::host::config::{Rate, RateLimit};
use shared::rpc::control::{Keep, Limit, LimitChange, Limits, LimitsKept};

/// Changes limits for as long as `keep` says.
///
/// # Errors
/// When the limits cannot be saved; then nothing has changed.
pub async fn change(book: &LimitBook, change: LimitChange, keep: Keep) -> Result<(), StoreError> {
    let change = Both { download: change.download.map(of_wire), upload: change.upload.map(of_wire) };
    match keep {
        Keep::ForNow => {}
        Keep::Saved => return book.save(change).await,
        Keep::Configured => book.reset().await?,
    }
    book.set(change);
    Ok(())
}

/// The limits that hold, and those that are saved.
pub fn kept(book: &LimitBook) -> LimitsKept {
    let saved = book.saved();
    LimitsKept {
        limits: now(book),
        saved: LimitChange { download: saved.download.map(to_wire), upload: saved.upload.map(to_wire) },
        file: book.file(),
        overridden_by: book.overridden_by(),
    }
}

/// The limits that hold.
pub fn now(book: &LimitBook) -> Limits {
    let (Both { download, upload }, until) = (book.now(), book.until_ms());
    Limits {
        download: to_wire(download),
        upload: to_wire(upload),
        download_until_ms: until.download,
        upload_until_ms: until.upload,
    }
}

fn of_wire(limit: Limit) -> RateLimit {
    match limit {
        Limit::None => RateLimit::None,
        Limit::BytesPerS(bytes_per_s) => Rate::new(bytes_per_s).map_or(RateLimit::Pause, RateLimit::AtMost),
    }
}

fn to_wire(limit: RateLimit) -> Limit {
    match limit {
        RateLimit::None => Limit::None,
        RateLimit::AtMost(rate) => Limit::BytesPerS(rate.bytes_per_s()),
        RateLimit::Pause => Limit::BytesPerS(0),
    }
}
