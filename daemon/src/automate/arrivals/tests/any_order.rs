//! Any sequence of changes ends with the last content shared.

use super::*;
use proptest::prelude::*;

/// What happens in the directory.
#[derive(Debug, Clone)]
enum Step {
    /// Somebody writes to a file, and leaves its time as it was or not.
    Write {
        at: usize,
        keeps_time: bool,
    },
    Close {
        at: usize,
    },
    /// The mode changes, or the like.
    Touch {
        at: usize,
    },
    Delete {
        at: usize,
    },
    /// Another file gets the name, with the inode, size and time of the one that had it.
    Recreate {
        at: usize,
    },
    Rename {
        from: usize,
        to: usize,
    },
    /// ttd publishes a download.
    Download {
        at: usize,
    },
    Scan,
    /// The driver looks whether its files are what they were.
    Notice,
    Wait {
        ms: u64,
    },
    /// From now on events are lost, or they are not.
    Lossy(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at = || 0..3usize;
    let step = prop_oneof![
        4 => (at(), any::<bool>()).prop_map(|(at, keeps_time)| Step::Write { at, keeps_time }),
        3 => at().prop_map(|at| Step::Close { at }),
        1 => at().prop_map(|at| Step::Touch { at }),
        1 => at().prop_map(|at| Step::Delete { at }),
        2 => at().prop_map(|at| Step::Recreate { at }),
        1 => (at(), at()).prop_map(|(from, to)| Step::Rename { from, to }),
        1 => at().prop_map(|at| Step::Download { at }),
        2 => Just(Step::Scan),
        2 => Just(Step::Notice),
        6 => (1..6000u64).prop_map(|ms| Step::Wait { ms }),
        1 => any::<bool>().prop_map(Step::Lossy),
    ];
    prop::collection::vec(step, 1..60)
}

#[derive(Debug, Clone, Copy)]
struct File {
    seen: Seen,
    /// Of every content another one.
    content: u64,
    changed_at: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    identity: FileIdentity,
    content: u64,
    served: bool,
}

/// A directory, the driver, and the watch.
struct World {
    now: Instant,
    arrivals: Arrivals,
    files: BTreeMap<ResourceName, File>,
    held: BTreeMap<ResourceName, Held>,
    /// What is being hashed, since when.
    job: Option<(ResourceName, Job, File, Instant)>,
    is_lossy: bool,
    /// Makes numbers that no other thing has.
    last: u64,
}

impl World {
    fn new() -> World {
        World {
            now: Instant::now(),
            arrivals: Arrivals::new(SETTLE),
            files: BTreeMap::new(),
            held: BTreeMap::new(),
            job: None,
            is_lossy: false,
            last: 100,
        }
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn tell(&mut self, name: &ResourceName, heard: Heard) {
        if !self.is_lossy {
            self.arrivals.heard(name, heard);
        }
    }

    /// A file with other content gets a name.
    fn put(&mut self, name: &ResourceName, inode: u64, time: u64) -> File {
        let (content, changed) = (self.next(), self.next());
        let seen = seen(inode, 7, time as i64, changed as i64);
        let file = File { seen, content, changed_at: self.now };
        self.files.insert(name.clone(), file);
        file
    }

    fn step(&mut self, step: &Step) {
        let name_at = |at: usize| name(["a", "b", "c"][at]);
        match *step {
            Step::Write { at, keeps_time } => {
                let name = name_at(at);
                let new = self.next();
                let (inode, time) = match self.files.get(&name).map(|file| file.seen.identity) {
                    Some(identity) => (identity.parts().0, identity.parts().1 as u64),
                    None => (new, new),
                };
                let time = if keeps_time { time } else { self.next() };
                self.put(&name, inode, time);
                self.tell(&name, Heard::Written);
            }
            Step::Close { at } if self.files.contains_key(&name_at(at)) => {
                self.tell(&name_at(at), Heard::Closed);
            }
            Step::Touch { at } => {
                let changed = self.next() as i64;
                if let Some(file) = self.files.get_mut(&name_at(at)) {
                    file.seen.print = Print(changed, 0);
                    file.changed_at = self.now;
                    self.tell(&name_at(at), Heard::Changed);
                }
            }
            Step::Delete { at } if self.files.remove(&name_at(at)).is_some() => {
                self.tell(&name_at(at), Heard::Changed);
            }
            Step::Recreate { at } => self.recreate(&name_at(at)),
            Step::Rename { from, to } if from != to => self.rename(&name_at(from), &name_at(to)),
            Step::Download { at } => self.download(&name_at(at)),
            Step::Scan => self.arrivals.scanned(&self.listing(), 0),
            Step::Notice => {
                for (name, held) in &mut self.held {
                    let file = self.files.get(name);
                    held.served &= file.is_some_and(|file| file.seen.identity.is_same(&held.identity));
                }
            }
            Step::Wait { ms } => self.wait(Duration::from_millis(ms)),
            Step::Lossy(is_lossy) => {
                if self.is_lossy && !is_lossy {
                    self.arrivals.lost_events();
                }
                self.is_lossy = is_lossy;
            }
            Step::Close { .. } | Step::Delete { .. } | Step::Rename { .. } => {}
        }
        self.run();
    }

    fn recreate(&mut self, name: &ResourceName) {
        let Some(file) = self.files.remove(name) else { return };
        self.tell(name, Heard::Changed);
        let (inode, time, _) = file.seen.identity.parts();
        self.put(name, inode, time as u64);
        self.tell(name, Heard::Written);
        self.tell(name, Heard::Closed);
    }

    fn rename(&mut self, from: &ResourceName, to: &ResourceName) {
        let Some(mut file) = self.files.remove(from) else { return };
        file.seen.print = Print(self.next() as i64, 0);
        file.changed_at = self.now;
        self.files.insert(to.clone(), file);
        self.tell(from, Heard::Changed);
        self.tell(to, Heard::Closed);
    }

    fn download(&mut self, name: &ResourceName) {
        let (inode, time) = (self.next(), self.next());
        let file = self.put(name, inode, time);
        let (identity, content) = (file.seen.identity, file.content);
        self.held.insert(name.clone(), Held { identity, content, served: true });
        self.tell(name, Heard::Closed);
        self.run(); // the watch looks before somebody puts another file of the same inode and time there
        self.arrivals.scanned(&self.listing(), 0);
    }

    fn listing(&self) -> BTreeMap<ResourceName, Sight> {
        self.files.iter().map(|(name, file)| (name.clone(), there(file.seen))).collect()
    }

    fn sight(&self, name: &ResourceName) -> Sight {
        self.files.get(name).map_or(Sight::Gone, |file| there(file.seen))
    }

    /// Lets time pass, and does on the way what becomes due.
    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        self.end_job();
        self.run();
        while let Some(at) = self.arrivals.next_look(self.now).filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.run();
        }
        self.now = until;
        self.run();
    }

    fn run(&mut self) {
        for name in self.arrivals.looks(self.now, usize::MAX) {
            self.arrivals.saw(self.now, &name, self.sight(&name));
        }
        while let Some(name) = self.arrivals.candidate() {
            self.arrivals.saw(self.now, &name, self.sight(&name));
            if self.arrivals.candidate().as_ref() == Some(&name) {
                self.begin(&name);
            }
        }
    }

    fn begin(&mut self, name: &ResourceName) {
        let held = self.held.get(name).copied();
        let holding = held.map_or(Holding::Nothing, |held| Holding::File {
            identity: held.identity,
            served: if held.served { Served::Yes } else { Served::No },
        });
        let Some(job) = self.arrivals.decide(self.now, name, holding) else { return };
        let file = self.files[name];
        if job == Job::Share {
            assert!(self.now - file.changed_at >= SETTLE, "a state that did not last is shared");
            let is_again = held.is_some_and(|held| {
                held.content == file.content && held.served && held.identity.is_same(&file.seen.identity)
            });
            assert!(!is_again, "it is shared a second time");
        }
        self.job = Some((name.clone(), job, file, self.now));
    }

    fn end_job(&mut self) {
        let Some((name, job, hashed, _)) = self.job.take() else { return };
        let now = self.files.get(&name).copied();
        let is_same = now.is_some_and(|now| now.seen.identity.is_same(&hashed.seen.identity));
        let outcome = match (job, self.held.get_mut(&name)) {
            (Job::Check, Some(held)) => match held.content == hashed.content && is_same {
                true => {
                    held.served = true;
                    Outcome::Good
                }
                false => Outcome::Differs,
            },
            (Job::Share, _) if is_same => {
                let (identity, content) = (hashed.seen.identity, hashed.content);
                self.held.insert(name.clone(), Held { identity, content, served: true });
                Outcome::Good
            }
            _ => Outcome::Failed("it changed".to_owned()),
        };
        self.arrivals.ended(self.now, &name, outcome);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn in_the_end_the_last_content_is_shared_whatever_happened(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        // Everybody closes what is open, nobody writes any more, and nothing is lost.
        world.step(&Step::Lossy(false));
        for at in 0..3 {
            world.step(&Step::Close { at });
        }
        for _ in 0..8 {
            world.step(&Step::Notice);
            world.step(&Step::Scan);
            world.step(&Step::Wait { ms: 75_000 });
        }
        for (name, file) in &world.files {
            let held = world.held.get(name);
            prop_assert!(held.is_some_and(|held| held.content == file.content && held.served),
                "{name}: {file:?} is not what is served: {held:?} {:?}", world.arrivals);
        }
        prop_assert_eq!(world.arrivals.counts().shared, world.files.len());
    }
}
