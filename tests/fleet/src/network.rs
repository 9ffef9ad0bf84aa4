//! A network of the run's own: one bridge, to which each machine's only interface is attached.

use crate::command::{must, words};

/// The bridge.
pub(crate) const BRIDGE: &str = "fleet0";

/// A name that resolves, for a machine that is not there.
pub(crate) const DOWN: (&str, usize) = ("down", 250);

/// The address of a machine, by its number.
pub(crate) fn address(number: usize) -> String {
    format!("10.77.0.{number}")
}

/// Makes the bridge in the run's own network namespace.
pub(crate) fn make_bridge() -> Result<(), String> {
    must(words("ip", &["link", "set", "lo", "up"]))?;
    must(words("ip", &["link", "add", BRIDGE, "type", "bridge"]))?;
    must(words("ip", &["link", "set", BRIDGE, "up"]))?;
    Ok(())
}
