//! The loop: hands each input to its function, and performs all the core's actions before the next input.

use super::Driver;
use super::reasons::words_of;
use crate::inbox::{Input, TaskInput};
use shared::rpc::wire::buffers;
use shared::swarm::{AskEnd, AskId, Event};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How often rates are sampled, syncs begun and blocked downloads tried again.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// Limits the inputs that are handled before the loop looks at the clock again, so that timers are not late when many
/// inputs wait.
const BATCH: usize = 64;

/// How long the end waits for the trackers to accept the withdrawal. A tracker that has not received it forgets this
/// daemon when no more announces come.
const FAREWELL: Duration = Duration::from_secs(2);

impl Driver {
    /// Runs until [`Input::Shutdown`], or until only a restart can help, and then returns why. Before it returns,
    /// arrived chunks are synced and the trackers are told.
    pub async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input>,
        mut ended: mpsc::UnboundedReceiver<(AskId, AskEnd)>,
    ) -> Option<String> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH);
        'working: while self.ending.is_none() {
            let timeout = self.machine.next_timeout().map(|time| self.start + Duration::from_micros(time.0));
            let far = self.start + Duration::from_secs(365 * 24 * 3600);
            let snapshot_at = self.next_snapshot_at(Instant::now());
            tokio::select! {
                _ = inputs.recv_many(&mut batch, BATCH) => {}
                Some((ask, end)) = ended.recv() => self.ask_ended(ask, end),
                () = sleep_until(timeout.unwrap_or(far)) => self.event(Event::Timeout),
                () = sleep_until(snapshot_at.unwrap_or(far)) => {}
                _ = tick.tick() => self.tick(),
            }
            for input in batch.drain(..) {
                if matches!(input, Input::Shutdown) {
                    break 'working;
                }
                self.handle(input);
            }
            self.publish_news(Instant::now());
        }
        drop((inputs, ended)); // everybody who waits for an answer is told that none comes
        let why = self.ending.take().map(|why| words_of(&why));
        self.end().await;
        why
    }

    pub(super) fn handle(&mut self, input: Input) {
        #[cfg(test)]
        super::tap::input(self, &input);
        match input {
            Input::Event(event) => self.event(event),
            Input::Link { peer, link, event } => self.link_event(peer, link, event),
            Input::Ask { ask, event, answer } => {
                if let Event::ChunkAsked { peer, key, .. } = &event {
                    self.uploads.asked(ask, *key, *peer, Instant::now());
                }
                self.asks.insert(ask, answer);
                self.event(event);
            }
            Input::Doubt { key, index, peer } => self.doubt(key, index, peer),
            Input::SourceChanged { key, published, chunk } => {
                self.source_changed(key, &published, Some(chunk));
            }
            Input::Taken { download, index, peer, taken } => self.taken(&download, index, peer, taken),
            Input::Found(found) => self.found(found),
            Input::Standing { key, tracker, standing } => self.stands(key, tracker, standing),
            Input::Command(command) => self.command(command),
            Input::Settled(settings, publisher) => {
                (self.settings, self.publisher) = (settings, publisher);
                self.all_changed();
            }
            Input::Limited => self.all_changed(),
            Input::Alive(reply) => {
                self.show_news();
                let _ = reply.send(());
            }
            Input::Task(task) => self.task(task),
            Input::Shutdown => {}
        }
    }

    fn task(&mut self, task: TaskInput) {
        match task {
            TaskInput::Hashed { task, request, hashed } => self.hashed(task, request, hashed),
            TaskInput::Cleared { task, request, hashed, other } => {
                self.cleared(task, &request, hashed, other)
            }
            TaskInput::Forgotten { task, name, outcome } => self.forgotten(task, &name, outcome),
            TaskInput::Imported { task, request, imported } => self.imported(task, &request, imported),
            TaskInput::Asked { asked, place, here, edited } => self.asked(*asked, place, here, edited),
            TaskInput::Inspected { what, here, changed, edited, reply } => {
                self.inspected(&what, here, &changed, edited, reply);
            }
            TaskInput::Edited { key, published, edited } => self.edited(key, &published, edited),
            TaskInput::Scanned(scanned) => self.scanned(scanned),
            TaskInput::Compared { task, wanted, checked } => self.compared(task, *wanted, checked),
            TaskInput::Shown(shown) => self.shown(shown),
            TaskInput::Stray(stray) => self.stray(*stray),
            TaskInput::DonorsAsked { after, reply } => self.tell_donors(after, reply),
            TaskInput::Searched { download, work, found } => self.searched(&download, &work, found),
            TaskInput::ReuseEnded { download, work } => self.reuse_ended(&download, &work),
            TaskInput::Repeated { download, work } => self.repeated(&download, &work),
            TaskInput::Reused { download, index, from, taken } => {
                self.reused(&download, index, &from, taken);
            }
            TaskInput::Followed { download, by, followed } => self.followed(&download, &by, followed),
            TaskInput::Opened { wanted, record, place, opened, kept, reply } => {
                self.opened(&wanted, *record, &place, opened, kept, reply);
            }
            TaskInput::Made { key, opening, opened } => self.made(key, &opening, opened),
            TaskInput::Reopened { key, opening, opened, checked } => {
                self.reopened(key, &opening, opened, *checked);
            }
            TaskInput::Listed(places) => self.listed(places),
            TaskInput::Seen(seen) => self.seen(seen),
            TaskInput::Another { key, found } => self.another(key, found),
            TaskInput::Replaced { key, other, taken } => self.replaced(key, other, taken),
            TaskInput::Answered { number, answer } => self.answered(number, answer),
            TaskInput::Looked { number, here, changed } => self.looked(number, here, changed),
            TaskInput::Checked { key, check, turn, checked, here } => {
                self.checked(key, &check, turn, checked, here);
            }
            TaskInput::Synced { download, have, synced } => self.synced(&download, have, synced),
            TaskInput::Noted { download, have, is_probe, noted } => {
                self.noted(&download, &have, is_probe, noted);
            }
            TaskInput::ZerosMade { download, made } => self.zeros_made(&download, made),
            TaskInput::LaidOut { download, chunks, laid_out } => self.laid_out(&download, chunks, laid_out),
            TaskInput::NamesLookedAt { download, taken } => self.names_looked_at(&download, taken),
            TaskInput::Whole { download, whole } => self.whole(&download, whole),
            TaskInput::Published { source, name, published } => self.published(&source, &name, published),
            TaskInput::Suspected { key, index, peer, good } => self.suspected(key, index, peer, good),
        }
    }

    /// Hands an event to the core and performs its actions, including those of events that they cause.
    pub(super) fn event(&mut self, event: Event) {
        self.pending.push_back(event);
        while let Some(event) = self.pending.pop_front() {
            tracing::trace!(?event);
            #[cfg(test)]
            super::tap::event(self, &event);
            let now = self.now();
            self.machine.handle(now, event);
            while let Some(action) = self.machine.poll() {
                tracing::trace!(?action);
                #[cfg(test)]
                super::tap::action(self, &action);
                self.perform(action);
            }
        }
    }

    pub(super) fn tick(&mut self) {
        self.ticks += 1;
        let now = Instant::now();
        let mut busy = self.library.sample(now);
        busy |= self.checks.are_running();
        self.sync_due(now);
        self.retry_blocked(now);
        self.look_at_followers();
        self.scan_trees(now);
        if self.ticks.is_multiple_of(8) {
            buffers::trim();
            self.report_progress();
            self.check_for_askers();
            self.look_for_stalls(now);
            self.look_for_events(now);
            self.log_sent(now);
            self.look_for_other_lists(now);
            self.look_at_clock();
            self.refuse_parked(now);
            self.ask_folder(now);
            self.look_at_files();
            if self.ticks.is_multiple_of(24) && !self.folder.is_away() {
                self.save_again();
            }
        }
        if busy {
            self.changed();
        }
        #[cfg(test)]
        super::tap::tick(self);
    }

    /// Ends in order, so that no chunk on disk is fetched again and no tracker names this daemon any more.
    pub(super) async fn end(mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        self.links.clear();
        self.log_rest_of_sent();
        self.sync_all();
        let trackers = std::mem::take(&mut self.trackers);
        tokio::join!(trackers.end(FAREWELL), self.saver.end());
    }
}

async fn sleep_until(moment: Instant) {
    tokio::time::sleep_until(moment.into()).await;
}
