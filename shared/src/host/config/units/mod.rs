//! Numbers as people write them: rates, sizes, spans of time, file modes. Each is read from a text and writes
//! itself as a text that reads the same.

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
pub use span::Span;
