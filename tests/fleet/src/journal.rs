//! Checks the journals: warnings and errors only where the scenario causes them.

use crate::machine::Machine;
use serde_json::Value;

/// A line of the journal.
pub(crate) struct Line {
    /// The priority, from 0 (worst) to 7.
    pub(crate) priority: u8,
    /// The text.
    pub(crate) message: String,
}

/// All lines of our units from all boots, including those that systemd writes about them.
pub(crate) fn lines(machine: &Machine) -> Result<Vec<Line>, String> {
    let units = "-u ttd.service -u 'ttd@*.service' -u tt-tracker.service";
    let text = machine.sh(&format!("journalctl --no-pager --output=json --all {units}"))?;
    text.lines().map(|line| read(line).ok_or(format!("{}: a strange line: {line}", machine.name))).collect()
}

fn read(line: &str) -> Option<Line> {
    let entry: Value = serde_json::from_str(line).ok()?;
    let priority = entry["PRIORITY"].as_str()?.parse().ok()?;
    Some(Line { priority, message: entry["MESSAGE"].as_str()?.to_owned() })
}

/// Checks that the first line with this text has this priority.
pub(crate) fn must_have(machine: &Machine, priority: u8, text: &str) -> Result<(), String> {
    let lines = lines(machine)?;
    let found = lines.iter().find(|line| line.message.contains(text));
    let found = found.ok_or_else(|| format!("{}: the journal has no \"{text}\"", machine.name))?;
    if found.priority != priority {
        return Err(format!("{}: of priority {}: {}", machine.name, found.priority, found.message));
    }
    Ok(())
}

/// Checks that the journal has no warnings or errors except lines with one of these texts.
pub(crate) fn check(machine: &Machine, expected: &[&str]) -> Result<(), String> {
    let is_strange = |line: &&Line| !expected.iter().any(|text| line.message.contains(text));
    let lines = lines(machine)?;
    let strange: Vec<String> = lines
        .iter()
        .filter(|line| line.priority <= 4)
        .filter(is_strange)
        .map(|line| format!("  <{}> {}", line.priority, line.message))
        .collect();
    if strange.is_empty() {
        return Ok(());
    }
    Err(format!("{}: the journal has what nobody expected:\n{}", machine.name, strange.join("\n")))
}
