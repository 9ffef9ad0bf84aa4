//! The whole system on virtual time: the real code of several machines in one process, under one seed.

pub(crate) mod cable;
mod caller;
mod checks;
mod children;
mod content;
mod hooks;
mod machine;
mod panics;
mod run;
mod scenario;
mod seeds;
mod trace;
mod tracker;
mod wishes;
mod world;
