//! `ttctl identity`: shows who this machine is in a closed fleet, and what is wrong with that.

use crate::cli::Global;
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::details::Details;
use crate::documents::Document;
use crate::error::Error;
use crate::human;
use crate::local_time;
use crate::output::{Colour, Output};
use serde::Serialize;
use shared::rpc::control::{Certificate, IdentityOrigin, IdentityReport, ModeOrigin};

const DAY_S: u64 = 24 * 3600;

pub(crate) async fn identity(global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let report = daemon.caller.identity(CALL_TIMEOUT).await??;
    match output.is_json() {
        true => output.json(&Document::new(IdentityDocument::new(&report)))?,
        false => details(&report, output).print(output)?,
    }
    let wrong = match (&report.fault, report.origin) {
        (Some(fault), _) => fault.clone(),
        (None, IdentityOrigin::None) => "this machine has no certificate".to_owned(),
        (None, _) => {
            if let Some(hint) = &report.hint {
                output.warning(hint);
            }
            return Ok(());
        }
    };
    let error = Error::refused(wrong);
    Err(match &report.hint {
        Some(hint) => error.hint(hint),
        None => error,
    })
}

/// The lines for people.
pub(crate) fn details(report: &IdentityReport, output: &Output) -> Details {
    let mut details = Details::default();
    if let Some(certificate) = &report.certificate {
        details.add("node", certificate.node.to_string());
        details.add("role", words(&certificate.roles));
        details.add("groups", words(&certificate.groups));
        let colour = if days_left(certificate, report) > 0 { Colour::Good } else { Colour::Bad };
        details.add_coloured("valid until", &validity(certificate, report, output), colour);
    }
    details.add("renewal", renewal(report, output));
    details.add("authority", words(&report.authorities));
    details.add("tracker", report.tracker.as_ref().map(ToString::to_string).unwrap_or_default());
    details.add("TLS", format!("{} ({})", report.mode, mode_origin(report.mode_origin)));
    let list = report.revoked_list.map(|number| format!("list number {number} is known"));
    details.add("revocations", list.unwrap_or_default());
    details.add("file", report.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default());
    details
}

fn words(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// "2026-03-01 08:05 (89 days left)"
fn validity(certificate: &Certificate, report: &IdentityReport, output: &Output) -> String {
    let until = local_time::minute(ms(certificate.not_after_s), output);
    if certificate.not_after_s < report.now_s {
        return format!("{until} (expired)");
    }
    if certificate.not_before_s > report.now_s {
        return format!("{until} (not valid yet)");
    }
    let left = human::count(days_left(certificate, report), "day");
    format!("{until} ({left} left)")
}

fn days_left(certificate: &Certificate, report: &IdentityReport) -> u64 {
    certificate.not_after_s.saturating_sub(report.now_s) / DAY_S
}

fn renewal(report: &IdentityReport, output: &Output) -> String {
    match (report.origin, report.renewal_s) {
        (IdentityOrigin::Joined, Some(at)) => {
            format!("by ttd, from {} on", local_time::minute(ms(at), output))
        }
        (IdentityOrigin::Joined, None) => "by ttd".to_owned(),
        (IdentityOrigin::Configured, _) => "by whoever writes the file".to_owned(),
        (IdentityOrigin::None, _) => String::new(),
    }
}

fn mode_origin(origin: ModeOrigin) -> &'static str {
    match origin {
        ModeOrigin::Default => "by default",
        ModeOrigin::Joined => "as the token said",
        ModeOrigin::Configured => "as configured",
    }
}

fn ms(seconds: u64) -> u64 {
    seconds.saturating_mul(1000)
}

/// `identity` and `join`
#[derive(Debug, Serialize)]
pub(crate) struct IdentityDocument {
    /// "none", "joined" or "configured".
    origin: &'static str,
    node: Option<String>,
    roles: Vec<String>,
    groups: Vec<String>,
    /// The begin and the end of the certificate's life, in milliseconds since 1970.
    valid_from_ms: Option<u64>,
    valid_until_ms: Option<u64>,
    days_left: Option<u64>,
    /// When ttd renews it; `null` if it does not.
    renewal_ms: Option<u64>,
    /// The pins of the authorities that this machine believes.
    authorities: Vec<String>,
    tracker: Option<String>,
    /// "off", "prefer" or "require".
    tls: &'static str,
    /// "default", "joined" or "configured".
    tls_origin: &'static str,
    revoked_list: Option<u64>,
    /// The file with key and certificate.
    file: Option<String>,
    /// What is wrong.
    fault: Option<String>,
    /// What to do about it.
    hint: Option<String>,
}

impl IdentityDocument {
    pub(crate) fn new(report: &IdentityReport) -> IdentityDocument {
        let certificate = report.certificate.as_ref();
        let strings = |values: &[_]| -> Vec<String> { values.iter().map(ToString::to_string).collect() };
        IdentityDocument {
            origin: match report.origin {
                IdentityOrigin::None => "none",
                IdentityOrigin::Joined => "joined",
                IdentityOrigin::Configured => "configured",
            },
            node: certificate.map(|certificate| certificate.node.to_string()),
            roles: certificate
                .map(|it| it.roles.iter().map(ToString::to_string).collect())
                .unwrap_or_default(),
            groups: certificate
                .map(|it| it.groups.iter().map(ToString::to_string).collect())
                .unwrap_or_default(),
            valid_from_ms: certificate.map(|certificate| ms(certificate.not_before_s)),
            valid_until_ms: certificate.map(|certificate| ms(certificate.not_after_s)),
            days_left: certificate.map(|certificate| days_left(certificate, report)),
            renewal_ms: report.renewal_s.map(ms),
            authorities: strings(&report.authorities),
            tracker: report.tracker.as_ref().map(ToString::to_string),
            tls: report.mode.as_str(),
            tls_origin: match report.mode_origin {
                ModeOrigin::Default => "default",
                ModeOrigin::Joined => "joined",
                ModeOrigin::Configured => "configured",
            },
            revoked_list: report.revoked_list,
            file: report.file.as_ref().map(|file| file.display().to_string()),
            fault: report.fault.clone(),
            hint: report.hint.clone(),
        }
    }
}
