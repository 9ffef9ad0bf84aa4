//! The state of the shared directory: whether it exists, answers, and has room. It is queried regularly. A busy disk,
//! or the server of a network file system that is down, may not answer for a long time.

use crate::store::{NotHere, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After this time without an answer the directory is reported as the cause of waiting, and nothing that needs it is
/// promised.
const SLOW_AFTER: Duration = Duration::from_secs(5);

/// After this time without an answer the directory counts as missing: peers do better to ask another machine.
pub const AWAY_AFTER: Duration = Duration::from_secs(30);

/// The time after which a directory that does not answer is queried again, since another file system may be there by
/// then.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Limits the queries that wait for an answer. Each blocks a thread, so no more are started.
const WAITING_MAX: u32 = 8;

/// The state of the shared directory.
#[derive(Debug, Default)]
pub struct FolderState {
    /// Why all resources have left their swarms, while they have.
    away: Option<Away>,
    /// When the oldest unanswered query was started.
    silent_since: Option<Instant>,
    /// When it was last queried.
    asked_at: Option<Instant>,
    /// The number of the last query.
    asked: u64,
    /// The number of the last answered query. Answers to older ones are ignored.
    heard: u64,
    /// The number of queries without an answer.
    waiting: u32,
    /// Its free bytes, or why they are unknown; `None` before it was queried.
    free: Option<Result<u64, Arc<StoreError>>>,
    /// Its device and inode.
    place: Option<(u64, u64)>,
}

/// Why all resources have left their swarms.
#[derive(Debug)]
pub enum Away {
    /// The directory is missing.
    NotHere(NotHere),
    /// It does not answer. Open files are still open.
    Silent,
}

/// What to do at a moment.
#[derive(Debug, PartialEq, Eq)]
pub struct Due {
    /// Whether the directory counts as missing from now on, because it has not answered for too long.
    pub is_lost: bool,
    /// The number of a query to start.
    pub question: Option<u64>,
}

/// What to do when the directory is back.
#[derive(Debug, PartialEq, Eq)]
pub enum Back {
    /// Nothing changed: everything continues.
    AsItWas,
    /// Its content must be examined again, since open files may belong to a file system that is gone.
    Anew,
}

impl FolderState {
    /// Whether it is unusable.
    pub fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// Why it is unusable.
    pub fn away(&self) -> Option<&Away> {
        self.away.as_ref()
    }

    /// How long it has not answered, if that is long enough to report.
    pub fn silent_for(&self, now: Instant) -> Option<Duration> {
        let silent = now.saturating_duration_since(self.silent_since?);
        Some(silent).filter(|&silent| silent >= SLOW_AFTER)
    }

    /// Its free bytes, or why they are unknown; `None` before it was queried.
    pub fn free(&self) -> Option<&Result<u64, Arc<StoreError>>> {
        self.free.as_ref()
    }

    /// Sets the free bytes, which were asked for between two queries.
    pub fn set_free(&mut self, free: Result<u64, Arc<StoreError>>) {
        self.free = Some(free);
    }

    // -- questions

    /// What to do now. A directory that owes an answer is not queried again for a while.
    pub fn due(&self, now: Instant) -> Due {
        let question = Some(self.asked + 1);
        let (Some(since), Some(asked_at)) = (self.silent_since, self.asked_at) else {
            return Due { is_lost: false, question };
        };
        let may_ask_again =
            now.saturating_duration_since(asked_at) >= AGAIN_AFTER && self.waiting < WAITING_MAX;
        Due {
            is_lost: !self.is_away() && now.saturating_duration_since(since) >= AWAY_AFTER,
            question: question.filter(|_| may_ask_again),
        }
    }

    /// Notes that a query was started.
    pub fn asked(&mut self, question: u64, now: Instant) {
        (self.asked, self.asked_at) = (question, Some(now));
        self.silent_since.get_or_insert(now);
        self.waiting += 1;
    }

    /// Notes the answer to a query: the free bytes, and the directory's device and inode. Returns whether another file
    /// system has replaced it since the last answer; `None` if a later query was answered already.
    pub fn answered(
        &mut self,
        question: u64,
        free: Result<u64, Arc<StoreError>>,
        place: Option<(u64, u64)>,
    ) -> Option<bool> {
        self.waiting = self.waiting.saturating_sub(1);
        if question <= self.heard {
            return None;
        }
        (self.heard, self.silent_since) = (question, None);
        self.free = Some(free);
        let is_moved = self.place.is_some_and(|before| place != Some(before));
        self.place = place.or(self.place);
        Some(is_moved)
    }

    // -- away and back

    /// Marks the directory as unusable. Returns whether that is new. If it was missing and is silent now, it still
    /// counts as missing.
    pub fn go_away(&mut self, away: Away) -> bool {
        let is_news = self.away.is_none();
        if is_news || matches!(away, Away::NotHere(_)) {
            self.away = Some(away);
        }
        is_news
    }

    /// Marks the directory as usable. Returns what to do if it was unusable before.
    pub fn come_back(&mut self, is_moved: bool) -> Option<Back> {
        Some(match self.away.take()? {
            Away::Silent if !is_moved => Back::AsItWas,
            Away::Silent | Away::NotHere(_) => Back::Anew,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn silent() -> Away {
        Away::Silent
    }

    fn missing() -> Away {
        Away::NotHere(NotHere::Missing("/folder".into()))
    }

    #[test]
    fn it_is_asked_again_and_again_while_it_answers() {
        let (mut folder, start) = (FolderState::default(), Instant::now());
        for question in 1..10 {
            assert_eq!(folder.due(start), Due { is_lost: false, question: Some(question) });
            folder.asked(question, start);
            assert_eq!(folder.due(start), Due { is_lost: false, question: None }, "it owes an answer");
            assert_eq!(folder.answered(question, Ok(7), Some((1, 2))), Some(false));
        }
        assert!(matches!(folder.free(), Some(Ok(7))));
        assert_eq!(folder.silent_for(start + 100 * S), None);
    }

    #[test]
    fn one_that_does_not_answer_is_named_then_lost_and_asked_by_few_threads() {
        let (mut folder, start) = (FolderState::default(), Instant::now());
        folder.asked(1, start);
        assert_eq!(folder.silent_for(start + 4 * S), None);
        assert_eq!(folder.silent_for(start + 5 * S), Some(5 * S));
        assert!(!folder.due(start + 29 * S).is_lost);
        assert!(folder.due(start + 30 * S).is_lost);
        assert!(folder.go_away(silent()));
        let mut asked = 1;
        for tenth in 3..1000 {
            let now = start + 10 * tenth * S;
            let due = folder.due(now);
            assert!(!due.is_lost, "it is away already");
            if let Some(question) = due.question {
                folder.asked(question, now);
                asked += 1;
            }
        }
        assert_eq!(asked, WAITING_MAX);
    }

    #[test]
    fn an_answer_to_an_older_question_says_nothing() {
        let (mut folder, start) = (FolderState::default(), Instant::now());
        folder.asked(1, start);
        folder.asked(2, start + AGAIN_AFTER);
        assert_eq!(folder.answered(2, Ok(2), None), Some(false));
        assert_eq!(folder.answered(1, Ok(1), None), None);
        assert!(matches!(folder.free(), Some(Ok(2))));
    }

    #[test]
    fn what_was_open_is_open_still_only_if_it_was_silent_all_the_time_and_is_the_same() {
        let back = |aways: &[fn() -> Away], is_moved| {
            let mut folder = FolderState::default();
            assert_eq!(folder.come_back(is_moved), None, "it was not away");
            let news: Vec<bool> = aways.iter().map(|away| folder.go_away(away())).collect();
            assert!(news[0] && !news[1..].contains(&true));
            let back = folder.come_back(is_moved);
            assert!(!folder.is_away());
            back
        };
        assert_eq!(back(&[silent], false), Some(Back::AsItWas));
        assert_eq!(back(&[silent], true), Some(Back::Anew));
        assert_eq!(back(&[missing], false), Some(Back::Anew));
        assert_eq!(back(&[silent, missing], false), Some(Back::Anew));
        assert_eq!(back(&[missing, silent], false), Some(Back::Anew));
    }

    #[test]
    fn another_file_system_in_its_place_is_noticed_once() {
        let (mut folder, now) = (FolderState::default(), Instant::now());
        let mut place = |question, place| {
            folder.asked(question, now);
            folder.answered(question, Ok(0), place).unwrap()
        };
        assert!(!place(1, Some((1, 1))));
        assert!(place(2, None), "nobody knows where it is");
        assert!(place(3, Some((2, 1))));
        assert!(!place(4, Some((2, 1))));
    }
}
