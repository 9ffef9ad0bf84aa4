//! Follows content that was moved within a file: which chunk to fetch in order to learn where the old file has the
//! content, and which chunks to look for in the old file then.
//!
//! The difference between an offset in the old file and the offset of the same content in the new one is a *shift*. The
//! chunks that are missing form *regions*. One chunk of a region is fetched, the *probe*. Samples of it are searched in
//! the old file. A hit gives a shift, and with it a *walk* begins: the chunks beside the probe are compared with the old
//! file at that shift, one after the other, until two in a row differ. What is left are smaller regions. The chunk where
//! a walk ended is the best next probe: it contains the end of one piece and often the beginning of the next, so it has
//! to be fetched anyway.
//!
//! Nothing here reads a file or knows the time. In order of use: [`step`](ShiftPlan::step) says what to do, and one of
//! [`searched`](ShiftPlan::searched) and [`compared`](ShiftPlan::compared) takes the result;
//! [`arrived`](ShiftPlan::arrived) is called for each chunk that arrives meanwhile. [`held`](ShiftPlan::held) are the
//! chunks that should not be fetched from peers as long as the plan is not over.

mod plan;
mod probe;
mod regions;
mod step;
#[cfg(test)]
mod tests;
mod walk;

pub use plan::ShiftPlan;
pub use step::{Guess, SHIFTS_MAX, Search, Side, Step};
