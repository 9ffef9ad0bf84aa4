//! What happened in a world, in order: a digest for each machine, the last lines, and how each machine stands.

use crate::driver::tap::{Facts, Watcher};
use shared::id::SwarmKey;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::IpAddr;
use tokio::time::Instant;

/// How many lines are kept to be shown when a seed fails.
const LAST_MAX: usize = 300;

/// The first value of FNV-1a with 64 bits, and what it multiplies with.
const FNV_BEGIN: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// The trace of a world.
#[derive(Debug)]
pub(crate) struct Trace {
    begin: Instant,
    state: RefCell<State>,
}

/// A machine joined a swarm, told it that it has other chunks now, or left it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move {
    /// When it did so.
    pub(crate) at: Instant,
    /// Whether it takes part in the swarm since then.
    pub(crate) takes_part: bool,
}

#[derive(Debug, Default)]
struct State {
    digests: BTreeMap<IpAddr, u64>,
    lines: u64,
    last: VecDeque<String>,
    facts: BTreeMap<IpAddr, Facts>,
    /// The last move of each machine in each swarm.
    moves: BTreeMap<(IpAddr, SwarmKey), Move>,
    /// Where all lines go, if somebody wants them.
    file: Option<BufWriter<File>>,
}

impl Trace {
    /// A trace that begins now. All of its lines also go into `file`.
    pub(crate) fn new(file: Option<File>) -> Trace {
        let state = State { file: file.map(BufWriter::new), ..State::default() };
        Trace { begin: Instant::now(), state: RefCell::new(state) }
    }

    /// Notes what the world itself does.
    pub(crate) fn note(&self, line: fmt::Arguments<'_>) {
        self.line(IpAddr::from([0; 4]), line);
    }

    /// One number for the order of all inputs at each machine.
    pub(crate) fn digest(&self) -> u64 {
        let state = self.state.borrow();
        state.digests.values().fold(FNV_BEGIN, |sum, digest| fnv(sum, &digest.to_le_bytes()))
    }

    /// The number of lines.
    pub(crate) fn lines(&self) -> u64 {
        self.state.borrow().lines
    }

    /// The last lines, oldest first.
    pub(crate) fn last(&self) -> Vec<String> {
        self.state.borrow().last.iter().map(|line| shortened(line)).collect()
    }

    /// How the machine with this address stood at its last look; `None` before the first one in its life.
    pub(crate) fn facts_of(&self, machine: IpAddr) -> Option<Facts> {
        self.state.borrow().facts.get(&machine).cloned()
    }

    /// The last move of the machine with this address in a swarm; `None` if there was none in its life.
    pub(crate) fn moved(&self, machine: IpAddr, key: SwarmKey) -> Option<Move> {
        self.state.borrow().moves.get(&(machine, key)).copied()
    }

    /// The machine has died: what was known of it is no longer so.
    pub(crate) fn forget_facts(&self, machine: IpAddr) {
        let mut state = self.state.borrow_mut();
        state.facts.remove(&machine);
        state.moves.retain(|&(of, _), _| of != machine);
    }
}

impl Watcher for Trace {
    fn line(&self, machine: IpAddr, line: fmt::Arguments<'_>) {
        let state = &mut *self.state.borrow_mut();
        let ms = self.begin.elapsed().as_millis();
        let mut text = match state.last.len() < LAST_MAX {
            true => String::new(),
            false => state.last.pop_front().unwrap_or_default(),
        };
        text.clear();
        let _ = write!(text, "{ms:>7} {machine} {line}");
        let digest = state.digests.entry(machine).or_insert(FNV_BEGIN);
        *digest = fnv(*digest, text.as_bytes());
        state.lines += 1;
        if let Some(file) = &mut state.file {
            let _ = writeln!(file, "{}", shortened(&text));
        }
        state.last.push_back(text);
    }

    fn takes_part(&self, machine: IpAddr, key: SwarmKey, takes_part: bool) {
        let moved = Move { at: Instant::now(), takes_part };
        self.state.borrow_mut().moves.insert((machine, key), moved);
    }

    fn facts(&self, machine: IpAddr, facts: Facts) {
        self.state.borrow_mut().facts.insert(machine, facts);
    }
}

fn fnv(sum: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(sum, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(FNV_PRIME))
}

/// The line with the first 8 digits of each hash.
fn shortened(line: &str) -> String {
    let mut short = String::with_capacity(line.len());
    let mut digits = 0;
    for letter in line.chars() {
        digits = if letter.is_ascii_hexdigit() { digits + 1 } else { 0 };
        if digits <= 8 {
            short.push(letter);
        }
    }
    short
}
