//! `std::sync`, of which the tests choose the order.

pub(crate) use shuttle::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, atomic, mpsc,
};
/// Blocks nobody: the tests' values are constants.
pub(crate) use std::sync::LazyLock;
