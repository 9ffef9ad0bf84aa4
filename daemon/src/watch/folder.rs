//! What is known of the shared folder: whether it is there, answers, and has room. It is asked again and again; a disk
//! that is busy, or the server of a network file system that is down, may not answer for a long time.

use crate::store::{NotHere, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A folder that has not answered for this time is named as what everything waits for, and nobody is promised anything
/// that needs it.
const SLOW_AFTER: Duration = Duration::from_secs(5);

/// A folder that has not answered for this time counts as not there: others do better to ask another machine.
pub const AWAY_AFTER: Duration = Duration::from_secs(30);

/// A folder that does not answer is asked again after this time: another file system may be in its place by then …
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// … while no more questions than these wait. Each keeps a thread.
const WAITING_MAX: u32 = 8;

/// What is known of the shared folder.
#[derive(Debug, Default)]
pub struct Folder {
    /// Why nothing takes part in its swarm, while that is so.
    away: Option<Away>,
    /// Since when it has not answered whether it is there.
    silent_since: Option<Instant>,
    /// When it was asked last.
    asked_at: Option<Instant>,
    /// The number of the last question.
    asked: u64,
    /// The number of the last question that was answered: an answer to an older one comes too late.
    heard: u64,
    /// Questions that wait for an answer.
    waiting: u32,
    /// Bytes that are free in it, or why nobody knows; `None` before it was asked.
    free: Option<Result<u64, Arc<StoreError>>>,
    /// Its device and inode.
    place: Option<(u64, u64)>,
}

/// Why nothing takes part in its swarm.
#[derive(Debug)]
pub enum Away {
    /// The folder is not there.
    NotHere(NotHere),
    /// It has only not answered: what was open is open still.
    Silent,
}

/// What is to be done at a moment.
#[derive(Debug, PartialEq, Eq)]
pub struct Due {
    /// The folder counts as not there from now on: it has not answered for too long.
    pub is_lost: bool,
    /// The number of a question that is to be asked.
    pub question: Option<u64>,
}

/// What is to be done when the folder is back.
#[derive(Debug, PartialEq, Eq)]
pub enum Back {
    /// It is the same as before: everything goes on.
    AsItWas,
    /// What is in it is looked at anew: what was open may be open on a file system that is gone.
    Anew,
}

impl Folder {
    /// Whether nothing can be done with it.
    pub fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// Why nothing can be done with it.
    pub fn away(&self) -> Option<&Away> {
        self.away.as_ref()
    }

    /// For how long it has not answered, when that is long.
    pub fn silent_for(&self, now: Instant) -> Option<Duration> {
        let silent = now.saturating_duration_since(self.silent_since?);
        Some(silent).filter(|&silent| silent >= SLOW_AFTER)
    }

    /// Bytes that are free in it, or why nobody knows; `None` before it was asked.
    pub fn free(&self) -> Option<&Result<u64, Arc<StoreError>>> {
        self.free.as_ref()
    }

    /// Its free bytes were asked for between two questions.
    pub fn set_free(&mut self, free: Result<u64, Arc<StoreError>>) {
        self.free = Some(free);
    }

    // -- questions

    /// What is to be done now. A folder that owes an answer is not asked again for a while.
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

    /// A question was asked.
    pub fn asked(&mut self, question: u64, now: Instant) {
        (self.asked, self.asked_at) = (question, Some(now));
        self.silent_since.get_or_insert(now);
        self.waiting += 1;
    }

    /// A question was answered: how many bytes are free, and which device and inode the folder has. Whether another
    /// file system is in its place since the last answer; `None` if a later question was answered already.
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

    /// Nothing can be done with it. Whether that is news. A folder that was missing and is silent now counts as missing.
    pub fn go_away(&mut self, away: Away) -> bool {
        let is_news = self.away.is_none();
        if is_news || matches!(away, Away::NotHere(_)) {
            self.away = Some(away);
        }
        is_news
    }

    /// It is there. What is to be done, if it was away until now.
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
        let (mut folder, start) = (Folder::default(), Instant::now());
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
        let (mut folder, start) = (Folder::default(), Instant::now());
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
        let (mut folder, start) = (Folder::default(), Instant::now());
        folder.asked(1, start);
        folder.asked(2, start + AGAIN_AFTER);
        assert_eq!(folder.answered(2, Ok(2), None), Some(false));
        assert_eq!(folder.answered(1, Ok(1), None), None);
        assert!(matches!(folder.free(), Some(Ok(2))));
    }

    #[test]
    fn what_was_open_is_open_still_only_if_it_was_silent_all_the_time_and_is_the_same() {
        let back = |aways: &[fn() -> Away], is_moved| {
            let mut folder = Folder::default();
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
        let (mut folder, now) = (Folder::default(), Instant::now());
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
