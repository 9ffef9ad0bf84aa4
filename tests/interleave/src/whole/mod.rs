//! `daemon::library::whole`, but for the task that runs beside the chunks.

mod tests;

/// `daemon::library::whole::hash`.
#[expect(dead_code, reason = "production code uses the rest")]
mod hash {
    include!(concat!(env!("OUT_DIR"), "/whole/hash.rs"));
}

/// `daemon::library::whole::recent`.
mod recent {
    include!(concat!(env!("OUT_DIR"), "/whole/recent.rs"));
}
