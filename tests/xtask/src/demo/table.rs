//! The demo's tables at its end.

use super::display::size;
use super::distribute::Distributed;
use super::machine::Machine;
use std::time::Duration;

/// How long a machine took. The first one shared and has no time.
fn time_of(distributed: &Distributed, machine: usize) -> Option<Duration> {
    machine.checked_sub(1).and_then(|machine| distributed.times.get(machine)).copied()
}

fn shown(time: Option<Duration>) -> String {
    time.map_or_else(|| "shares".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()))
}

/// A table of all machines that have a file.
pub(crate) fn table(machines: &[Machine], distributed: &Distributed) {
    println!("\n  machine      time           rate          sent  in copies");
    for (index, (machine, end)) in machines.iter().zip(&distributed.machines).enumerate() {
        let time = time_of(distributed, index);
        let rate = time.map_or(String::new(), |time| {
            format!("{}/s", size((distributed.bytes as f64 / time.as_secs_f64().max(1e-3)) as u64))
        });
        let uploaded = end.uploaded_bytes;
        let copies = if distributed.bytes == 0 { 0.0 } else { uploaded as f64 / distributed.bytes as f64 };
        println!(
            "  {:7} {:>9} {rate:>14} {:>13} {copies:>10.2}",
            machine.name(),
            shown(time),
            size(uploaded)
        );
    }
}

/// A table of all machines that have a directory: what travelled, and what was there already.
pub(crate) fn table_of_tree(machines: &[Machine], distributed: &Distributed) {
    println!("\n  machine      time       fetched        reused          sent");
    for (index, (machine, end)) in machines.iter().zip(&distributed.machines).enumerate() {
        let time = time_of(distributed, index);
        let came = |bytes: u64| time.map_or(String::new(), |_| size(bytes));
        println!(
            "  {:7} {:>9} {:>13} {:>13} {:>13}",
            machine.name(),
            shown(time),
            came(end.bytes_fetched),
            came(end.bytes_reused),
            size(end.uploaded_bytes)
        );
    }
}
