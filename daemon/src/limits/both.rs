//! A value for each direction.

/// A limit for each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Both<T> {
    /// For received data.
    pub download: T,
    /// For sent data.
    pub upload: T,
}
