//! Work for a caller that blocks: it runs outside the async workers.

use crate::inbox::store_error;
use crate::jobs;
use crate::store::StoreError;
use shared::rpc::control::{ControlError, ErrorKind};

/// Does work that blocks.
///
/// # Errors
/// Those of the work; also when it panics.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ControlError> {
    match jobs::run(work).await {
        Ok(done) => done.map_err(|error| store_error(&error)),
        Err(error) => Err(ControlError { kind: ErrorKind::Internal, message: error.to_string(), hint: None }),
    }
}

/// Does work on an import. Bytes that are not those of a directory are bad data.
///
/// # Errors
/// As of [`blocking`].
pub(super) async fn adding<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ControlError> {
    let bad = |error: &StoreError| ControlError {
        kind: ErrorKind::BadData,
        message: error.to_string(),
        hint: None,
    };
    let work = move || match work() {
        Err(error) if error.is_bad_data() => Ok(Err(bad(&error))),
        done => done.map(Ok),
    };
    blocking(work).await?
}
