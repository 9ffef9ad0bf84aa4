//! Everything that is settled before the daemon does anything: command line, configuration and default places together.

use crate::cli::Args;
use crate::identity::{ConfiguredTls, settle};
use crate::limits::{Both, Timetable};
use crate::store::{Credentials, Publisher};
use crate::trust::{Policy, Rule};
use shared::host::accounts::{LookupError, group_id};
use shared::host::config::{ConfigError, DaemonConfig, Files, GroupName, TrustKey};
use shared::host::environment;
use shared::host::paths::Places;
use shared::host::program::StartError;
use shared::host::sources::may_learn_groups;
use shared::plain::io_error;
use shared::signature::{BadKey, PublicKey};
use shared::tls_mode::TlsMode;
use std::io::Read;
use std::path::PathBuf;

/// The most that is read of the file of a public key, in bytes. minisign writes 113.
const KEY_FILE_BYTES_MAX: u64 = 4096;

/// The settled values.
#[derive(Debug)]
pub struct Plan {
    /// The configuration; the environment and the command line have replaced values of the files.
    pub config: DaemonConfig,
    /// The config file and its drop-ins.
    pub files: Files,
    /// The shared directory.
    pub folder: PathBuf,
    /// Whether the configuration or the command line names the folder. Otherwise it is the default place of the machine
    /// or of the user.
    pub is_folder_named: bool,
    /// Whether the folder was named on the command line.
    pub has_own_folder: bool,
    /// The control socket.
    pub socket: PathBuf,
    /// Where this machine's key and certificate are kept.
    pub credentials: Credentials,
    /// What the configuration says of TLS.
    pub tls: ConfiguredTls,
    /// The mode and group of finished files. The group is `None` also while its number is unknown.
    pub publisher: Publisher,
    /// Why the number of the group that `file_group` names could not be looked up, if that failed.
    pub group_unknown: Option<StartError>,
    /// Whose signatures count. A key that could not be read accepts nothing.
    pub policy: Policy,
    /// Why a key could not be read, if that is so.
    pub key_unread: Option<StartError>,
}

impl Plan {
    /// Reads the configuration. The environment overrides the files, and the command line overrides both.
    ///
    /// # Errors
    /// When the configuration or the environment cannot be read or is invalid. A group whose lookup failed is no error:
    /// it is in [`Plan::group_unknown`], and the caller decides.
    pub fn make(args: &Args) -> Result<Plan, StartError> {
        let places = Places::of_process();
        let (files, mut config) =
            load(args, &places).map_err(|error| StartError::wrong(error.to_string()))?;
        config.listen = args.listen.or(config.listen);
        let trackers = environment::trackers(&args.trackers);
        let trackers = trackers.map_err(|error| StartError::wrong(error.to_string()))?;
        if !trackers.is_empty() {
            config.trackers = trackers;
        }
        args.common.apply(&mut config.log_level, &mut config.log_format);
        let folder = places.shared_folder(args.folder.as_deref(), config.directory.as_deref());
        let socket =
            places.daemon_socket(args.socket.as_deref(), args.folder.as_deref(), config.socket.as_deref());
        let credentials = Credentials::at(places.identity(args.folder.as_deref()));
        let tls = configured_tls(&config);
        if config.trackers.is_empty()
            && let Ok(Some(joined)) = credentials.joined()
        {
            config.trackers = vec![joined.tracker];
        }
        let mut publisher = Publisher { mode: config.file_mode.bits(), group: None };
        let mut group_unknown = None;
        if let Some(name) = &config.file_group {
            let place = files.place_of("file_group");
            match group_id(name.as_str()) {
                Ok(Some(group)) => publisher.group = Some(group),
                Ok(None) => return Err(no_such_group(&place, name, may_learn_groups())),
                Err(error) => group_unknown = Some(not_looked_up(&place, name, &error)),
            }
        }
        let (policy, key_unread) = policy(&config, &files.place_of("trust"));
        let has_own_folder = args.folder.is_some();
        let is_folder_named = has_own_folder || config.directory.is_some();
        Ok(Plan {
            config,
            files,
            folder,
            is_folder_named,
            has_own_folder,
            socket,
            credentials,
            tls,
            publisher,
            group_unknown,
            policy,
            key_unread,
        })
    }
}

impl Plan {
    /// What is missing where TLS is required: without it this machine talks with no other one. It is no reason not to start,
    /// since ttctl has to be answered. What this machine joined with may be unreadable for whoever runs the check; then
    /// nothing is known to be missing.
    pub fn missing_identity(&self) -> Option<StartError> {
        let joined = self.credentials.joined().ok()?;
        let settled =
            settle(&self.tls, joined.map(|joined| joined.mode), Some(&self.credentials.places()), false);
        let keys = [("tls_identity", &settled.places.identity), ("tls_ca", &settled.places.authorities)];
        let missing: Vec<&str> =
            keys.into_iter().filter(|(_, place)| place.is_none()).map(|(key, _)| key).collect();
        if settled.mode != TlsMode::Require || missing.is_empty() {
            return None;
        }
        let (place, missing) = (self.files.place_of("tls"), missing.join(" and "));
        Some(StartError::wrong(format!(
            "{place}: tls = \"require\" is set without {missing}, so this machine would talk with no other one: join a \
             fleet (`ttctl join TOKEN --tracker URL`), or set {missing}"
        )))
    }
}

/// The rules of `[[trust]]` with their keys, and why one of these could not be read.
fn policy(config: &DaemonConfig, place: &str) -> (Policy, Option<StartError>) {
    let mut unread = None;
    let mut rules = Vec::new();
    for rule in &config.trust {
        let mut keys = Vec::new();
        for key in &rule.keys {
            match public_key(key) {
                Ok(key) => keys.push(key),
                Err(why) => {
                    unread.get_or_insert_with(|| {
                        StartError::wrong(format!("{place}: trust.keys: {key}: {why}"))
                    });
                }
            }
        }
        let max_age_s = rule.max_age.map(|age| age.duration().as_secs());
        rules.push(Rule { names: rule.names.clone(), keys, is_needed: !rule.keys.is_empty(), max_age_s });
    }
    (Policy::new(rules), unread)
}

fn public_key(key: &TrustKey) -> Result<PublicKey, String> {
    let path = match key {
        TrustKey::Key(key) => return Ok(key.clone()),
        TrustKey::File(path) => path,
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| io_error(&error))?;
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text).map_err(|error| io_error(&error))?;
    text.parse().map_err(|why: BadKey| why.to_string())
}

/// The limits that a configuration names. What is saved, and the command line, come before them.
pub fn limits(config: &DaemonConfig) -> Timetable {
    let otherwise = Both { download: config.download_limit, upload: config.upload_limit };
    Timetable::new(config.limit.clone(), otherwise)
}

/// What the configuration says of TLS.
fn configured_tls(config: &DaemonConfig) -> ConfiguredTls {
    ConfiguredTls {
        mode: config.tls,
        identity: config.tls_identity.clone(),
        authorities: config.tls_ca.clone(),
        revoked: config.tls_crl.clone(),
        trackers: config.trackers.clone(),
    }
}

fn load(args: &Args, places: &Places) -> Result<(Files, DaemonConfig), ConfigError> {
    let files = args.common.read_files(&places.daemon_config())?;
    let config = DaemonConfig::of(&files)?;
    Ok((files, config))
}

fn not_looked_up(place: &str, name: &GroupName, error: &LookupError) -> StartError {
    let message = format!(
        "{place}: file_group: {error}; use the group's number, or try again when `getent group {name}` answers"
    );
    StartError { message, exit: 1 }
}

/// If the machine has a directory service that may start later and know the group, trying again helps.
fn no_such_group(place: &str, name: &GroupName, may_come: bool) -> StartError {
    let missing = format!("{place}: file_group: no group \"{name}\" on this machine");
    if may_come {
        let message = format!(
            "{missing}, and no directory service of /etc/nsswitch.conf knows it yet; use the group's number, or try \
             again when `getent group {name}` finds it"
        );
        return StartError { message, exit: 1 };
    }
    StartError::wrong(format!("{missing}; `getent group` lists all groups, `groupadd {name}` creates it"))
}
