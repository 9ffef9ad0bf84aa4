//! One line of the sums, as sha256sum(1) writes it.

use super::entry::{Entry, EntryKind};
use super::header::member_path;
use super::name::TreeName;
use crate::id::ResourceId;

/// The length of a file's line; 0 for what is not a file.
pub(super) fn sum_bytes(name: &TreeName, entry: &Entry<'_>) -> u64 {
    let EntryKind::File { .. } = entry.kind else { return 0 };
    let (name, path) = (name.as_str(), entry.path.as_str());
    let backslashes = path.bytes().filter(|&byte| byte == b'\\').count();
    let mark = usize::from(backslashes > 0);
    (mark + 64 + "  ".len() + name.len() + "/".len() + path.len() + backslashes + "\n".len()) as u64
}

/// Appends a file's line. One with a backslash in its path begins with a backslash, and has each of the path's twice.
pub(super) fn push_sum(out: &mut String, name: &TreeName, entry: &Entry<'_>, hash: &ResourceId) {
    let path = member_path(name, entry);
    let is_escaped = path.contains('\\');
    if is_escaped {
        out.push('\\');
    }
    hash.push_hex(out);
    out.push_str("  ");
    match is_escaped {
        true => out.push_str(&path.replace('\\', r"\\")),
        false => out.push_str(&path),
    }
    out.push('\n');
}
