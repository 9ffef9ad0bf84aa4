//! Numbers as users write them: rates, sizes, durations, file modes. Each type is parsed from a text, and its text
//! parses to the same value.

mod mode;
mod number;
mod rate;
mod size;
mod span;

#[cfg(test)]
mod tests;

pub use mode::FileMode;
pub use number::BadUnit;
pub use rate::{Rate, RateLimit};
pub use size::ByteSize;
pub use span::{Grace, Span};
