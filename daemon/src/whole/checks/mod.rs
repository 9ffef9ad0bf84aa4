//! What must be true in every world, whatever its scenario does.

mod all;
mod announced;
mod bounds;
mod ends;
mod visible;

pub(crate) use all::{Check, all};
