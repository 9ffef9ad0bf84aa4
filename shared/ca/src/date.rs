//! Dates in certificates and in signed lists.

use crate::error::CaError;
use time::OffsetDateTime;

/// A second since 1970 as a date.
pub(crate) fn date(seconds: u64) -> Result<OffsetDateTime, CaError> {
    let date =
        i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    date.filter(|date| date.year() < 9999).ok_or_else(|| {
        CaError::Invalid(format!("no certificate can have the date {seconds} (seconds since 1970)"))
    })
}
