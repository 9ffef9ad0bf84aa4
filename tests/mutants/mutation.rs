//! Added to a copy of a crate by `cargo xtask mutants`: says which mutant is active, and notes the places that a test
//! reaches.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

const SITES_MAX: usize = 1 << 14;
const NOT_REACHED: AtomicBool = AtomicBool::new(false);
static REACHED: [AtomicBool; SITES_MAX] = [NOT_REACHED; SITES_MAX];
static SWITCH: OnceLock<Switch> = OnceLock::new();

struct Switch {
    active: u32,
    notes: Option<File>,
}

/// The number of the active mutant; 0 if there is none.
pub fn active(site: u32) -> u32 {
    let switch = SWITCH.get_or_init(|| {
        let variable = |name: &str| std::env::var(name).ok();
        let notes =
            |path| OpenOptions::new().create(true).append(true).open(path).expect("notes can be written");
        Switch {
            active: variable("MUTATION_ACTIVE").map_or(0, |number| number.parse().expect("a number")),
            notes: variable("MUTATION_REACHED").map(notes),
        }
    });
    if let Some(mut notes) = switch.notes.as_ref()
        && !REACHED[site as usize].swap(true, Ordering::Relaxed)
    {
        notes.write_all(format!("{site}\n").as_bytes()).expect("notes can be written");
    }
    switch.active
}
