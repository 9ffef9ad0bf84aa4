//! Handles the answers to calls: what the tracker accepted, what it refused and what it says of our resources.

use super::super::dates::Dates;
use super::super::entry::NotPublished;
use super::super::health::Trouble;
use super::super::publish::Outcome;
use super::super::session::{Session, dialable};
use super::{Announcer, Answered, Calls, News, PUBLISH_AGAIN, REFUSALS_MAX, REFUSED_AGAIN, answer};
use crate::inbox::Found;
use crate::inbox::Input;
use crate::library::Standing;
use shared::id::SwarmKey;
use shared::rpc::tracker::{ANNOUNCE_NAMES_MAX, AnnounceAnswer, Stage, TrackerError};
use shared::swarm::PeerAddr;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

impl Announcer {
    /// Handles an answer. An error means that the connection cannot be used any more.
    pub(super) async fn answered(
        &mut self,
        session: &Session,
        calls: &mut Calls,
        answered: Answered,
    ) -> Result<(), Trouble> {
        match answered {
            Answered::Asked => calls.asking -= 1,
            Answered::Withdraw(keys, answer) => {
                calls.announcing = false;
                answer??;
                self.withdrawn.retain(|key| !keys.contains(key));
            }
            Answered::Unpublish(key, name, answer) => {
                calls.taking_back = false;
                self.taken_back(key, name, answer)?;
            }
            Answered::Publish(outcomes) => {
                calls.publishing -= 1;
                for (key, outcome) in outcomes? {
                    self.published(key, outcome).await;
                }
            }
            Answered::Announce(keys, answer) => {
                calls.announcing = false;
                match answer? {
                    Ok(reply) if reply.answers.len() == keys.len() => {
                        self.recovered();
                        self.context.catalogues.tell(&self.url, reply.catalogue);
                        for (key, answer) in keys.into_iter().zip(reply.answers) {
                            self.announced(session, &calls.dates, key, answer).await?;
                        }
                    }
                    Ok(_) => {
                        return Err(Trouble::Nonsense("its answer does not fit our announce".to_owned()));
                    }
                    Err(error) => self.refused(calls, keys, &error),
                }
            }
        }
        Ok(())
    }

    /// The tracker refused a batch. It is halved until the refused resources are found, so that they do not keep the
    /// others from being announced. A refused resource is announced again after [`REFUSED_AGAIN`].
    fn refused(&mut self, calls: &mut Calls, mut keys: Vec<SwarmKey>, error: &TrackerError) {
        calls.refusals += 1;
        if keys.len() > 1 && calls.refusals < REFUSALS_MAX {
            let second = keys.split_off(keys.len() / 2);
            calls.halves.extend([second, keys]);
            return;
        }
        keys.iter().for_each(|key| self.refused_one(*key, error));
        tracing::debug!(tracker = %self.url, resources = keys.len(), %error, "the tracker refused an announce");
    }

    /// The tracker refused to note a resource.
    fn refused_one(&mut self, key: SwarmKey, error: &TrackerError) {
        let (now, trouble) = (Instant::now(), Trouble::from(error.clone()));
        self.schedule.told(key, now, REFUSED_AGAIN);
        self.health().took(now, key, Some(trouble.clone()));
        if let Some(announced) = self.entries.get_mut(&key) {
            announced.is_known = false;
            answer(&mut announced.waiting, &Err(NotPublished::Refused(trouble.to_string())));
        }
    }

    /// The tracker has accepted the announce of a resource.
    async fn announced(
        &mut self,
        session: &Session,
        dates: &Dates,
        key: SwarmKey,
        told: AnnounceAnswer,
    ) -> Result<(), Trouble> {
        let now = Instant::now();
        if let Some(why) = told.not_allowed {
            self.refused_one(key, &TrackerError::NotAllowed(why));
            return Ok(());
        }
        self.health().took(now, key, None);
        let Some(announced) = self.entries.get_mut(&key) else { return Ok(()) };
        self.schedule.told(key, now, Duration::from_millis(told.interval_ms.into()));
        announced.is_known = true;
        let may_publish = announced.published.is_none_or(|at| now.duration_since(at) >= PUBLISH_AGAIN);
        let may_publish = may_publish && announced.entry.to_publish().next().is_some();
        if told.want_manifest && may_publish && !self.publications.is_wanted(key) {
            self.publications.want(key, false);
        }
        if !self.publications.is_wanted(key) {
            answer(&mut announced.waiting, &Ok(()));
        }
        let newer = told.newer.iter().take(ANNOUNCE_NAMES_MAX);
        let newer = newer.map(|other| (other.name.clone(), other.resource)).collect();
        let news = News { conflict: told.conflict, newer };
        let wants_date = announced.entry.shared_at_ms == 0 && told.shared_at_ms.is_some_and(|at| at > 0);
        let is_news = announced.told.replace(news.clone()) != Some(news);
        if announced.entry.stage == Stage::Seeding && !is_news && !wants_date && told.peers.is_empty() {
            return Ok(()); // nothing is new, and no leecher looks for seeders
        }
        // The tracker may name more peers than were asked for; the rest is dropped.
        let wanted = usize::from(announced.peers_wanted());
        announced.lonely = false;
        let same_list = told.peers.iter().filter(|peer| peer.key == key);
        let peers = dialable(same_list.clone().map(|peer| peer.addr), session.is_local);
        let peers: Vec<PeerAddr> = peers.into_iter().take(wanted).collect();
        for peer in same_list {
            let addr = SocketAddr::new(peer.addr.ip().to_canonical(), peer.addr.port());
            if peers.contains(&addr) {
                self.context.nodes.told(now, addr, peer.node.clone());
            }
        }
        let shared_at_ms = match told.shared_at_ms.filter(|_| wants_date) {
            Some(shared_at_ms) => Some(dates.compare(&session.caller).await?.ours(shared_at_ms)),
            None => None,
        };
        let found = Found {
            key,
            peers,
            seeds: announced.entry.stage == Stage::Seeding,
            conflict: told.conflict,
            newer: told.newer.into_iter().take(ANNOUNCE_NAMES_MAX).collect(),
            bytes: told.bytes,
            shared_at_ms,
            tracker: self.url.clone(),
        };
        self.context.tell(Input::Found(found)).await;
        Ok(())
    }

    /// The tracker has accepted or refused a publication.
    async fn published(&mut self, key: SwarmKey, outcome: Outcome) {
        let now = Instant::now();
        let Some(announced) = self.entries.get_mut(&key) else { return self.publications.answered(key) };
        announced.published = Some(now);
        let (standing, said) = match outcome {
            Ok(None) => (Standing::Good, Ok(())),
            Ok(Some(other)) => {
                let standing = Standing::Overtaken(other);
                (standing.clone(), Err(NotPublished::Standing(standing)))
            }
            Err(TrackerError::Taken(other)) => {
                let standing = Standing::Taken(other);
                (standing.clone(), Err(NotPublished::Standing(standing)))
            }
            Err(error) => {
                let error = error.to_string();
                (Standing::Refused(error.clone()), Err(NotPublished::Refused(error)))
            }
        };
        match standing {
            Standing::Good | Standing::Overtaken(_) => {
                announced.entry.claims = false;
                self.publications.answered(key);
            }
            Standing::Taken(_) | Standing::Refused(_) => self.publications.refused(key, now + REFUSED_AGAIN),
        }
        answer(&mut announced.waiting, &said);
        if let Err(why) = &said {
            let name = announced.entry.manifests.first().map(|named| named.name().as_str());
            tracing::debug!(name, id = %key, tracker = %self.url, ?why, "not published");
        }
        let tracker = self.url.clone();
        self.context.tell(Input::Standing { key, tracker, standing }).await;
    }
}
