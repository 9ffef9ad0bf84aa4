//! `ttctl limit`: how fast ttd may receive and send, from now on.

use crate::cli::{Global, LimitArgs};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::Document;
use crate::error::Error;
use crate::output::Output;
use serde::Serialize;
use shared::host::config::{Rate, RateLimit};
use shared::rpc::control::{Limit, LimitChange, Limits};

pub(crate) async fn limit(args: &LimitArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let change = LimitChange { download: args.download.map(to_wire), upload: args.upload.map(to_wire) };
    let limits = daemon.caller.limit(change, CALL_TIMEOUT).await??;
    if output.is_json() {
        return output.json(&Document::new(LimitsDocument::from(limits)));
    }
    output.line(&format!("download  {}", text(limits.download)))?;
    output.line(&format!("upload    {}", text(limits.upload)))
}

fn to_wire(limit: RateLimit) -> Limit {
    match limit {
        RateLimit::None => Limit::None,
        RateLimit::AtMost(rate) => Limit::BytesPerS(rate.bytes_per_s()),
        RateLimit::Pause => Limit::BytesPerS(0),
    }
}

/// As it may be typed again.
fn text(limit: Limit) -> String {
    match limit {
        Limit::None => "none".to_owned(),
        Limit::BytesPerS(bytes_per_s) => {
            Rate::new(bytes_per_s).map_or("0 (paused)".to_owned(), |rate| rate.to_string())
        }
    }
}

/// `limit`; `null` is no limit, 0 a pause.
#[derive(Debug, Serialize)]
struct LimitsDocument {
    download_limit_bytes_per_s: Option<u64>,
    upload_limit_bytes_per_s: Option<u64>,
}

impl From<Limits> for LimitsDocument {
    fn from(limits: Limits) -> LimitsDocument {
        let number = |limit| match limit {
            Limit::None => None,
            Limit::BytesPerS(bytes_per_s) => Some(bytes_per_s),
        };
        LimitsDocument {
            download_limit_bytes_per_s: number(limits.download),
            upload_limit_bytes_per_s: number(limits.upload),
        }
    }
}
