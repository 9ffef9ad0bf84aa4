//! Which users and which parts of the daemon want a name to be here. A user's `remove` removes the name even if others
//! want it. A part of the daemon withdraws only its own wish, and the name is removed when no wish is left.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Limits the wishes that are remembered for one name; further ones count as [`WantedBy::Others`]. It is for people,
/// and bounds the record.
pub const WANTED_BY_MAX: usize = 8;

/// Limits the name of a user, the pattern of a subscription or the name of a feed, in bytes. A user's longer name is
/// left out; a longer pattern or feed counts as [`WantedBy::Others`].
pub const TEXT_BYTES_MAX: usize = 255;

/// A user or a part of the daemon that wants a name to be here. Records contain it: a variant that an earlier version
/// does not know makes the record one of a later version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WantedBy {
    /// A user of this machine.
    User {
        /// The user's id.
        uid: u32,
        /// The user's name, if known.
        name: Option<String>,
    },
    /// Nobody asked: the daemon found the file with its manifest in the shared directory.
    Found,
    /// The watch of the shared directory.
    Watch,
    /// A subscription, by its pattern.
    Subscription(String),
    /// A feed, by its name.
    Feed(String),
    /// Unknown: beyond the limit, or from before wishes were recorded.
    Others,
}

/// All that want a name to be here, in the order in which they asked; at most [`WANTED_BY_MAX`]. Empty if nothing is
/// known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<WantedBy>")]
pub struct Wanting(Vec<WantedBy>);

/// The result of a withdrawal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawn {
    /// The wish was not known.
    NotFound,
    /// Others still want it.
    OthersLeft,
    /// Nobody wants it any more.
    NobodyLeft,
}

impl WantedBy {
    /// Whether both mean the same. A user is identified by the id, since the name may change.
    fn is_same(&self, other: &WantedBy) -> bool {
        match (self, other) {
            (WantedBy::User { uid, .. }, WantedBy::User { uid: other, .. }) => uid == other,
            _ => self == other,
        }
    }

    /// Applies the limit of texts.
    fn bounded(self) -> WantedBy {
        let fits = |text: &String| !text.is_empty() && text.len() <= TEXT_BYTES_MAX;
        match self {
            WantedBy::User { uid, name } => WantedBy::User { uid, name: name.filter(fits) },
            WantedBy::Subscription(text) | WantedBy::Feed(text) if !fits(&text) => WantedBy::Others,
            by => by,
        }
    }
}

impl fmt::Display for WantedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WantedBy::User { name: Some(name), .. } => f.write_str(name),
            WantedBy::User { uid, name: None } => write!(f, "uid {uid}"),
            WantedBy::Found => f.write_str("found in the shared directory"),
            WantedBy::Watch => f.write_str("directory watch"),
            WantedBy::Subscription(pattern) => write!(f, "subscription {pattern}"),
            WantedBy::Feed(name) => write!(f, "feed {name}"),
            WantedBy::Others => f.write_str("others"),
        }
    }
}

impl Wanting {
    /// A list with one wish, for a name that was not here before.
    pub fn of(by: WantedBy) -> Wanting {
        Wanting::from(vec![by])
    }

    /// Adds a wish for a name that is here. Returns whether the list changed.
    pub fn add(&mut self, by: WantedBy) -> bool {
        if self.0.is_empty() {
            self.put(WantedBy::Others); // somebody must have asked for it before
        }
        self.put(by)
    }

    fn put(&mut self, by: WantedBy) -> bool {
        let mut by = by.bounded();
        if let Some(known) = self.0.iter_mut().find(|known| known.is_same(&by)) {
            let is_unnamed = matches!(by, WantedBy::User { name: None, .. });
            let is_news = *known != by && !is_unnamed;
            if is_news {
                *known = by; // the user's name may have changed
            }
            return is_news;
        }
        if self.0.len() + 1 >= WANTED_BY_MAX {
            by = WantedBy::Others; // the last entry stands for all others
        }
        let is_news = !self.0.contains(&by);
        if is_news {
            self.0.push(by);
        }
        is_news
    }

    /// Withdraws a wish. A user's withdrawal removes all wishes.
    pub fn withdraw(&mut self, by: &WantedBy) -> Withdrawn {
        if matches!(by, WantedBy::User { .. }) {
            self.0.clear();
            return Withdrawn::NobodyLeft;
        }
        let Some(place) = self.0.iter().position(|known| known.is_same(by)) else {
            return Withdrawn::NotFound;
        };
        self.0.remove(place);
        if self.0.is_empty() { Withdrawn::NobodyLeft } else { Withdrawn::OthersLeft }
    }

    /// Whether no wish is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The wishes in the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = &WantedBy> {
        self.0.iter()
    }
}

impl From<Vec<WantedBy>> for Wanting {
    fn from(all: Vec<WantedBy>) -> Wanting {
        let mut wanting = Wanting::default();
        all.into_iter().for_each(|by| _ = wanting.put(by));
        wanting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(uid: u32) -> WantedBy {
        WantedBy::User { uid, name: None }
    }

    fn words(wanting: &Wanting) -> Vec<String> {
        wanting.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_is_there_once_and_told_in_plain_words() {
        let mut wanting = Wanting::of(user(1000));
        let alice = WantedBy::User { uid: 1000, name: Some("alice".to_owned()) };
        assert!(wanting.add(alice.clone()), "the name is known now");
        assert!(!wanting.add(alice));
        assert!(!wanting.add(user(1000)), "a name that cannot be looked up just now is not forgotten");
        for by in [
            user(1234),
            WantedBy::Found,
            WantedBy::Watch,
            WantedBy::Subscription("*.iso".to_owned()),
            WantedBy::Feed("debian".to_owned()),
        ] {
            assert!(wanting.add(by.clone()) && !wanting.add(by));
        }
        assert_eq!(
            words(&wanting),
            [
                "alice",
                "uid 1234",
                "found in the shared directory",
                "directory watch",
                "subscription *.iso",
                "feed debian"
            ]
        );
    }

    #[test]
    fn a_name_goes_with_the_last_one_who_wants_it() {
        let mut wanting = Wanting::of(WantedBy::Watch);
        let subscription = WantedBy::Subscription("*".to_owned());
        wanting.add(subscription.clone());
        assert_eq!(wanting.withdraw(&WantedBy::Found), Withdrawn::NotFound);
        assert_eq!(wanting.withdraw(&subscription), Withdrawn::OthersLeft);
        assert_eq!(wanting.withdraw(&subscription), Withdrawn::NotFound);
        assert_eq!(wanting.withdraw(&WantedBy::Watch), Withdrawn::NobodyLeft);
        assert_eq!(wanting.withdraw(&WantedBy::Watch), Withdrawn::NotFound);
    }

    #[test]
    fn a_user_removes_a_name_whoever_wants_it() {
        for mut wanting in
            [Wanting::default(), Wanting::from(vec![WantedBy::Watch, user(1), WantedBy::Others])]
        {
            assert_eq!(wanting.withdraw(&user(2)), Withdrawn::NobodyLeft);
            assert!(wanting.is_empty());
        }
    }

    #[test]
    fn more_than_are_remembered_are_others_and_keep_the_name() {
        let mut wanting = Wanting::of(user(0));
        (1..100).for_each(|uid| _ = wanting.add(user(uid)));
        assert_eq!(wanting.iter().count(), WANTED_BY_MAX);
        assert_eq!(wanting.iter().last(), Some(&WantedBy::Others));
        let pattern = |number: usize| WantedBy::Subscription(number.to_string());
        let mut wanting = Wanting::of(pattern(0));
        (1..100).for_each(|number| _ = wanting.add(pattern(number)));
        assert_eq!(wanting.withdraw(&pattern(99)), Withdrawn::NotFound);
        for number in 0..WANTED_BY_MAX - 1 {
            assert_eq!(wanting.withdraw(&pattern(number)), Withdrawn::OthersLeft);
        }
        let long = WantedBy::Subscription("*".repeat(TEXT_BYTES_MAX + 1));
        assert_eq!(Wanting::of(long), Wanting::of(WantedBy::Others));
    }

    #[test]
    fn whoever_wanted_a_name_of_which_no_record_tells_keeps_it() {
        let mut wanting = Wanting::default();
        assert!(wanting.add(WantedBy::Watch));
        assert_eq!(wanting.withdraw(&WantedBy::Watch), Withdrawn::OthersLeft);
        assert_eq!(words(&wanting), ["others"]);
    }

    #[test]
    fn what_is_read_is_bounded() {
        let many: Vec<WantedBy> = (0..100).map(user).chain([user(1)]).collect();
        let wanting = Wanting::from(many);
        assert_eq!(wanting.iter().count(), WANTED_BY_MAX);
        assert_eq!(Wanting::from(wanting.0.clone()), wanting);
    }
}
