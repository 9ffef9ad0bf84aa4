//! The errors that callers receive.

use crate::store::StoreError;
use shared::id::digits_hint;
use shared::rpc::control::{ControlError, ErrorKind};

/// This daemon knows no resource of this name or id.
pub fn unknown(what: &str) -> ControlError {
    let shown: String = what.chars().take(100).map(|c| if c.is_control() { '?' } else { c }).collect();
    ControlError {
        kind: ErrorKind::Unknown,
        message: format!("no such file here: {shown}"),
        hint: Some(format!("`ttctl list` shows what is here{}", digits_hint(what))),
    }
}

/// The disk failed or is full.
pub fn store_error(error: &StoreError) -> ControlError {
    let kind = if error.is_no_space() { ErrorKind::NoSpace } else { ErrorKind::Internal };
    ControlError { kind, message: error.to_string(), hint: None }
}

/// An internal error that should not happen.
pub fn internal(error: &dyn std::fmt::Display) -> ControlError {
    ControlError { kind: ErrorKind::Internal, message: error.to_string(), hint: None }
}
