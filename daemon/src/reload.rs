//! Reads the configuration again after SIGHUP. Settings that can change while the daemon runs change at once, the log
//! names the others, and a configuration with a mistake changes nothing.

use crate::cli::Args;
use crate::inbox::{Configured, Context, Input, Settings, WatchSettings};
use crate::jobs;
use crate::limits::LimitBook;
use crate::plan::{self, Plan};
use crate::store::Publisher;
use shared::host::config::{DaemonConfig, Files};
use shared::host::logging::Logging;
use shared::host::program::{self, StartError};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// What a reload reads, and what it changes.
#[derive(Debug)]
pub struct Reloader {
    /// The command line, which still overrides the files.
    pub args: Args,
    /// The configuration that is in force.
    pub running: DaemonConfig,
    /// The mode and group of finished files that are in force.
    pub publisher: Publisher,
    /// Holds the rate limits and leads to the driver.
    pub limits: Arc<LimitBook>,
    /// Where the driver listens.
    pub context: Arc<Context>,
    /// Changes the log's filter.
    pub logging: Logging,
    /// Passes the new configuration on to the control service.
    pub configured: watch::Sender<Configured>,
    /// As in [`Settings`]. It depends on the machine's descriptors, not on the configuration.
    pub neighbours_max: u32,
}

impl Reloader {
    /// Reads the configuration again, and logs the result.
    pub async fn reload(&mut self) {
        let args = self.args.clone();
        // This reads files and may wait for a directory service.
        let made = jobs::run(move || Plan::make(&args)).await;
        let made =
            made.unwrap_or_else(|error| Err(StartError::failed("the configuration was not read", &error)));
        let all_read = |mut plan: Plan| plan.key_unread.take().map_or(Ok(plan), Err);
        match made.and_then(|plan| self.keep_group(plan)).and_then(all_read) {
            Ok(plan) => self.apply(plan).await,
            Err(StartError { message, .. }) => {
                program::not_reloaded(&message);
            }
        }
    }

    /// Uses the tracker with which this machine has joined a fleet, if the configuration names none.
    pub async fn joined(&mut self) {
        let known = self.context.membership.known();
        let Some(joined) = known.joined.as_ref().filter(|_| known.configured.trackers.is_empty()) else {
            return;
        };
        let trackers = vec![joined.tracker.clone()];
        if self.running.trackers == trackers {
            return;
        }
        tracing::info!(tracker = %joined.tracker, "this machine uses the tracker with which it joined");
        self.running.trackers.clone_from(&trackers);
        self.configured.send_modify(|configured| configured.trackers = trackers);
        let settings = settings(&self.running, self.neighbours_max);
        self.context.tell(Input::Settled(settings, self.publisher.clone())).await;
    }

    /// If the group's lookup failed and the configuration still names the same group, keeps the number that was found
    /// before.
    fn keep_group(&self, mut plan: Plan) -> Result<Plan, StartError> {
        if let Some(error) = plan.group_unknown.take() {
            if plan.config.file_group != self.running.file_group {
                return Err(error);
            }
            tracing::warn!(error = %error.message, "finished files get the same group as before");
            plan.publisher.group = self.publisher.group;
        }
        Ok(plan)
    }

    async fn apply(&mut self, plan: Plan) {
        let mut config = plan.config;
        let waiting = config.keep_fixed(&self.running);
        let changed = self.running.changed(&config);
        self.logging.set_filter(&config.log_level);
        self.context.trust.configure(plan.policy);
        let membership = self.context.membership.clone();
        let _ = jobs::run(move || membership.configure(plan.tls)).await; // it reads files
        self.limits.configured(plan::limits(&config));
        self.context.served.send_replace(config.allow_networks.clone());
        self.context.dscp.send_replace(config.dscp);
        self.configured.send_replace(configured(&config, &plan.publisher, &plan.files));
        self.publisher = plan.publisher.clone();
        self.context.advertised.send_if_modified(|advertised| {
            std::mem::replace(advertised, config.advertise.clone()) != config.advertise
        });
        self.context.tell(Input::Settled(settings(&config, self.neighbours_max), plan.publisher)).await;
        self.running = config;
        program::reloaded(&plan.files, &changed, &waiting);
    }
}

/// The parts of the configuration that other parts of the daemon receive.
pub fn configured(config: &DaemonConfig, publisher: &Publisher, files: &Files) -> Configured {
    Configured {
        trackers: config.trackers.clone(),
        file_mode: publisher.mode,
        file_group: publisher.group,
        subscribe: config.subscribe.iter().cloned().zip(files.places_of_tables("subscribe")).collect(),
        files: files.paths().map(Path::to_owned).collect(),
        watch: WatchSettings::of(config),
    }
}

/// The part of the configuration that the driver needs.
pub fn settings(config: &DaemonConfig, neighbours_max: u32) -> Settings {
    Settings {
        trackers: config.trackers.clone(),
        min_free_bytes: config.min_free_space.bytes(),
        sync_every: config.sync_every.duration(),
        stall_warning: config.stall_warning.duration(),
        reuse: config.reuse,
        neighbours_max,
    }
}
