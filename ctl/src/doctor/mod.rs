//! `ttctl doctor`: looks for problems that keep TinyTorrent from working on this machine, and says what to do about
//! them. Without a ttd it checks what it can.
//!
//! Reading order: this file runs the checks, `machine` checks the directory and the port, `trackers` has ttd ask the
//! trackers, and `findings` prints the results.

mod findings;
mod machine;
mod trackers;

use crate::cli::Global;
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::error::Error;
use crate::human;
use crate::output::Output;
use crate::watching;
use findings::{Findings, Verdict};
use shared::host::clock::time_of_day;
use shared::host::config::{ConfigError, DaemonConfig, Files};
use shared::host::environment;
use shared::host::paths::Places;
use shared::rpc::control::{
    ErrorKind, Examined, IdentityOrigin, IdentityReport, ResourceStatus, State, TlsState, WatchState,
};
use shared::tls_mode::TlsMode;
use std::path::Path;

/// Said when ttd is running but cannot be asked. From outside its port would look taken by another process, and the
/// directory would be the caller's own.
const NOT_CHECKED: &str =
    "not checked: directory, port and trackers; a ttd may be running that does not respond to you";

pub(crate) async fn doctor(global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut findings = Findings::default();
    let config = config(&mut findings);
    match Daemon::look_for(global).await {
        Ok(daemon) => {
            if let Err(error) = with_daemon(&daemon, &mut findings).await {
                findings.add("daemon", Verdict::Failure, error.message, error.hint);
            }
        }
        Err(nobody) => {
            findings.add("daemon", Verdict::Failure, nobody.error.message, nobody.error.hint);
            findings.no_daemon = true;
            match nobody.may_run {
                true => findings.add("the rest", Verdict::Warning, NOT_CHECKED.to_owned(), None),
                false => without_daemon(global, &config, &mut findings).await,
            }
        }
    }
    findings.report(output)
}

/// Checks the configuration with which a ttd would start.
fn config(findings: &mut Findings) -> DaemonConfig {
    match read_config() {
        Ok((files, config)) => {
            let says = match files.is_empty() {
                true => "no ttd.toml; using defaults".to_owned(),
                false => format!("{files}: OK"),
            };
            findings.ok("config", says);
            config
        }
        Err(error) => {
            let hint = "ttd cannot start with it; a running ttd keeps its former configuration";
            findings.add("config", Verdict::Failure, error.to_string(), Some(hint.to_owned()));
            DaemonConfig::default()
        }
    }
}

fn read_config() -> Result<(Files, DaemonConfig), ConfigError> {
    let mut files = Files::read_if_any(&Places::of_process().daemon_config())?;
    if files.is_empty() {
        files = Files::read_if_any(Path::new("/etc/tinytorrent/ttd.toml"))?;
    }
    let config = DaemonConfig::of(&files)?;
    Ok((files, config))
}

async fn with_daemon(daemon: &Daemon, findings: &mut Findings) -> Result<(), Error> {
    let info = &daemon.info;
    let examined = daemon.caller.examine(CALL_TIMEOUT).await??;
    let resources = daemon.caller.status(None, CALL_TIMEOUT).await??;
    let overview = daemon.caller.overview(CALL_TIMEOUT).await??;
    let says = format!("ttd {} answers (process {}, uid {})", info.software, info.pid, examined.uid);
    match info.software == env!("CARGO_PKG_VERSION") {
        true => findings.ok("daemon", says),
        false => findings.add(
            "daemon",
            Verdict::Warning,
            format!("{says}, and this ttctl is {}", env!("CARGO_PKG_VERSION")),
            Some("restart ttd after an upgrade".to_owned()),
        ),
    }
    folder(daemon, &examined, &resources, findings);
    check_resources(&resources, findings);
    descriptors(&examined, findings);
    tls(&overview.tls, time_of_day().as_secs(), findings);
    membership(&daemon.caller.identity(CALL_TIMEOUT).await??, &overview.tls, findings);
    machine::listens(info.listen, findings).await;
    trackers::check(daemon, findings).await;
    watch(overview.watch.as_ref(), findings);
    Ok(())
}

/// Whether what is put into the shared directory is shared.
fn watch(watch: Option<&WatchState>, findings: &mut Findings) {
    let Some(watch) = watch else { return };
    let has_trouble = watch.waits.is_some() || watch.refused > 0 || watch.beyond > 0;
    let is_asked_for = watch.scans_only.as_ref().is_none_or(|why| why.starts_with("watch = "));
    let hint = watching::refused(watch).join("; ");
    match has_trouble || !is_asked_for {
        true => findings.add(
            "watch",
            Verdict::Warning,
            watching::line(watch),
            Some(hint).filter(|hint| !hint.is_empty()),
        ),
        false => findings.ok("watch", watching::line(watch)),
    }
}

async fn without_daemon(global: &Global, config: &DaemonConfig, findings: &mut Findings) {
    let places = Places::of_process();
    let folder = places.shared_folder(global.folder.as_deref(), config.directory.as_deref());
    if machine::folder_of_nobody(&folder, findings) {
        machine::file_system(&folder, findings);
    }
    machine::port_is_free(config.listen, global.folder.is_some(), findings).await;
    match environment::trackers(&[]) {
        Ok(named) if named.is_empty() => trackers::not_asked(&config.trackers, findings),
        Ok(named) => trackers::not_asked(&named, findings),
        Err(error) => findings.add("environment", Verdict::Failure, error.to_string(), None),
    }
}

/// With fewer free bytes than this, the disk counts as nearly full: many resources are larger than that.
const LITTLE_SPACE: u64 = 1 << 30;

fn folder(daemon: &Daemon, examined: &Examined, resources: &[ResourceStatus], findings: &mut Findings) {
    let folder = daemon.info.folder.display();
    match &examined.folder_trouble {
        None => findings.ok("directory", format!("ttd can write to {folder}")),
        Some(trouble) => findings.add(
            "directory",
            Verdict::Failure,
            format!("ttd cannot write to {folder}: {trouble}"),
            Some(format!("ttd runs as uid {}, which must own the directory", examined.uid)),
        ),
    }
    let free = human::bytes(examined.free_bytes);
    let space = format!("{free} of {} free", human::bytes(examined.total_bytes));
    let wants = resources.iter().find(|resource| resource.kind == Some(ErrorKind::NoSpace));
    let hint =
        || Some(format!("free space on the disk of {folder}, or delete files with `ttctl remove --delete`"));
    match wants {
        Some(resource) => {
            let reason = resource.reason.as_deref().unwrap_or("no space");
            findings.add("space", Verdict::Failure, format!("{}: {reason} ({space})", resource.name), hint());
        }
        None if examined.total_bytes > 0 && examined.free_bytes < LITTLE_SPACE => {
            findings.add("space", Verdict::Warning, format!("only {space}"), hint());
        }
        None => findings.ok("space", space),
    }
    machine::file_system(&daemon.info.folder, findings);
}

fn check_resources(resources: &[ResourceStatus], findings: &mut Findings) {
    let bad: Vec<&ResourceStatus> =
        resources.iter().filter(|resource| resource.state == State::Error).collect();
    for resource in &bad {
        let reason = resource.reason.as_deref().unwrap_or("ttd gives no reason");
        let hint = format!("see `ttctl status {0}`; `ttctl verify {0}` checks it again", resource.name);
        findings.add("resource", Verdict::Failure, format!("{}: {reason}", resource.name), Some(hint));
    }
    if bad.is_empty() {
        let number = human::count(resources.len() as u64, "file");
        findings.ok("resources", format!("{number}, no errors"));
    }
}

/// With less time left than this, somebody has to renew the certificate. Those that renew themselves never have so
/// little.
const SOON_S: u64 = 7 * 24 * 3600;

fn tls(state: &TlsState, now: u64, findings: &mut Findings) {
    let (verdict, hint) = match (&state.fault, &state.node) {
        _ if state.mode == TlsMode::Off && state.fault.is_none() => (Verdict::Ok, None),
        (Some(fault), None) if fault.ends_with("is not set in the configuration") => (
            Verdict::Failure,
            Some("join a fleet (`ttctl join`), or set tls_identity and tls_ca in ttd.toml"),
        ),
        (Some(_), None) => (Verdict::Failure, Some("ttd uses it within 5 s once the file is right")),
        (Some(_), Some(_)) => (
            Verdict::Warning,
            Some("ttd uses the former certificate, until that one ends or the file is right"),
        ),
        (None, None) => (Verdict::Failure, Some("set tls_identity and tls_ca in ttd.toml")),
        (None, Some(_)) if state.not_after.is_some_and(|end| end.saturating_sub(now) < SOON_S) => (
            Verdict::Warning,
            Some("put a new certificate into the file of tls_identity; ttd notices it within 5 s"),
        ),
        (None, Some(_)) => (Verdict::Ok, None),
    };
    findings.add("tls", verdict, state.line.clone(), hint.map(str::to_owned));
}

/// What only ttd knows of the certificate: that it cannot be renewed, and that the authority ends soon. What is wrong with
/// the files is said by `tls` already.
fn membership(report: &IdentityReport, state: &TlsState, findings: &mut Findings) {
    let counts =
        report.certificate.as_ref().is_some_and(|certificate| certificate.not_after_s >= report.now_s);
    match (&report.fault, &report.hint) {
        _ if report.origin == IdentityOrigin::None || state.mode == TlsMode::Off => {}
        (Some(fault), _) if state.fault.as_ref() == Some(fault) => {}
        (Some(fault), hint) => {
            let verdict = if counts { Verdict::Warning } else { Verdict::Failure };
            findings.add("identity", verdict, fault.clone(), hint.clone());
        }
        (None, Some(hint)) => {
            let (said, what) = hint.split_once("; ").unwrap_or((hint, ""));
            let what = Some(what.to_owned()).filter(|what| !what.is_empty());
            findings.add("identity", Verdict::Warning, said.to_owned(), what);
        }
        (None, None) => {
            let renewal = if report.renewal_s.is_some() { ", which ttd renews" } else { "" };
            findings.ok("identity", format!("a certificate of the fleet's authority{renewal}"));
        }
    }
}

fn descriptors(examined: &Examined, findings: &mut Findings) {
    let Examined { descriptors, descriptors_max, .. } = examined;
    let says = format!("{descriptors} of {descriptors_max} file descriptors in use");
    match descriptors.saturating_mul(5) < descriptors_max.saturating_mul(4) && *descriptors_max >= 1024 {
        true => findings.ok("descriptors", says),
        false => findings.add(
            "descriptors",
            Verdict::Warning,
            says,
            Some(
                "raise the limit: LimitNOFILE=65536 in the unit, or `ulimit -n` where ttd is started"
                    .to_owned(),
            ),
        ),
    }
}
