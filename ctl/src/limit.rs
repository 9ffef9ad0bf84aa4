//! `ttctl limit`: shows and sets how fast ttd may receive and send, until it restarts or permanently.

use crate::cli::{Global, LimitArgs};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, LimitsDocument};
use crate::error::Error;
use crate::local_time;
use crate::output::Output;
use serde::Serialize;
use shared::host::config::{Rate, RateLimit};
use shared::rpc::control::{Keep, Limit, LimitChange, LimitsKept};

pub(crate) async fn limit(args: &LimitArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let change = LimitChange { download: args.download.map(to_wire), upload: args.upload.map(to_wire) };
    let keep = match (args.save, args.reset) {
        (true, _) => Keep::Saved,
        (_, true) => Keep::Configured,
        _ => Keep::ForNow,
    };
    let kept = daemon.caller.limit(change, keep, CALL_TIMEOUT).await??;
    if args.save {
        for option in &kept.overridden_by {
            output.warning(&format!(
                "ttd was started with {option}, which overrides the saved limit after a restart"
            ));
        }
    }
    if output.is_json() {
        return output.json(&Document::new(Kept::from(&kept)));
    }
    let LimitsKept { limits, saved, .. } = kept;
    let download = lasting(limits.download, limits.download_until_ms, output);
    output.line(&format!("download  {download}{}", note(limits.download, saved.download)))?;
    let upload = lasting(limits.upload, limits.upload_until_ms, output);
    output.line(&format!("upload    {upload}{}", note(limits.upload, saved.upload)))
}

/// The limit, and until when it lasts if the hours in ttd.toml change it: "5 MB/s until 2026-03-01 18:00".
pub(crate) fn lasting(limit: Limit, until_ms: Option<u64>, output: &Output) -> String {
    let until = until_ms.map(|ms| format!(" until {}", local_time::minute(ms, output)));
    format!("{}{}", text(limit), until.unwrap_or_default())
}

/// A remark on a limit, for people.
fn note(limit: Limit, saved: Option<Limit>) -> String {
    match saved {
        None => String::new(),
        Some(saved) if saved == limit => " (saved)".to_owned(),
        Some(saved) => format!(" (for now; {} is saved)", text(saved)),
    }
}

fn to_wire(limit: RateLimit) -> Limit {
    match limit {
        RateLimit::None => Limit::None,
        RateLimit::AtMost(rate) => Limit::BytesPerS(rate.bytes_per_s()),
        RateLimit::Pause => Limit::BytesPerS(0),
    }
}

/// The limit as it can be typed on a command line.
pub(crate) fn text(limit: Limit) -> String {
    match limit {
        Limit::None => "none".to_owned(),
        Limit::BytesPerS(bytes_per_s) => {
            Rate::new(bytes_per_s).map_or("0 (paused)".to_owned(), |rate| rate.to_string())
        }
    }
}

/// `limit`
#[derive(Debug, Serialize)]
struct Kept {
    #[serde(flatten)]
    limits: LimitsDocument,
    /// Whether a limit is saved for this direction, even if another one applies now.
    download_saved: bool,
    upload_saved: bool,
    /// The file of the saved limits; `null` if nothing is saved.
    limits_file: Option<String>,
}

impl From<&LimitsKept> for Kept {
    fn from(kept: &LimitsKept) -> Kept {
        let (download_saved, upload_saved) = (kept.saved.download.is_some(), kept.saved.upload.is_some());
        let is_saved = download_saved || upload_saved;
        let limits_file = is_saved.then(|| kept.file.display().to_string());
        Kept { limits: kept.limits.into(), download_saved, upload_saved, limits_file }
    }
}
