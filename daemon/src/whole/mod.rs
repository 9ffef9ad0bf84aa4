//! The whole system on virtual time: the real code of several machines in one process, under one seed.

pub(crate) mod cable;
mod hooks;
