//! Hooks: programs that the administrator names, and that run when a version has arrived.
//!
//! Reading order: `queue` decides which version's hook runs next, and what outlives ttd (pure); `permit` whether a program may be run;
//! `environment` is what it is told; `run` runs it, with `group` (its processes) and `output` (its lines in the log).
//!
//! Nothing runs hooks yet. What connects this room to a rule of subscriptions:
//! - one `Queue` for each rule, from the record that was written last. After each `offer`, `withdraw`, `begin` and `end` the record is
//!   written (`store::atomic`, sealed) before anything else happens. While it cannot be written, nothing begins.
//! - a version is offered after its atomic publication, and withdrawn when its name is removed. `begin` gives the version, `run` runs its
//!   hook, and `end` takes the outcome. A version that was refused as `Full` is offered again after the next `end`.
//! - `--check-config` calls `permit::look` and `permit::judge` for each program, and refuses a hook without a rule of `[[trust]]` unless
//!   `unsigned_hook = true`.
//! - at ttd's end `ttd_ends` becomes ready, and the outcome is written before the process ends.
//!
//! A hook that leaves processes in its group ends with them: what is to go on belongs to systemd (`systemctl start`, `systemd-run`).
//! The unit's sandbox holds for hooks as well: they can write to the shared directory and to no other one, gain no privileges, and map no
//! memory that is writable and executable. Whatever needs more is a unit that a path unit or a polkit rule starts.

pub mod environment;
mod group;
mod output;
pub mod permit;
pub mod queue;
pub mod run;

#[cfg(test)]
mod tests;
