//! Resources on the command line: by name or id.

use clap::Args;

/// A resource that the daemon knows.
#[derive(Debug, Args)]
pub struct WhatArgs {
    /// The resource's name or id
    pub what: String,
}

/// Resources that the daemon knows.
#[derive(Debug, Args)]
pub struct WhatsArgs {
    /// The resources' names or ids
    #[arg(required = true)]
    pub what: Vec<String>,
}

/// A resource's name as the daemon knows it: its manifest's name is taken as well.
pub fn resource_name(what: &str) -> &str {
    what.strip_suffix(shared::name::MANIFEST_SUFFIX).filter(|name| !name.is_empty()).unwrap_or(what)
}
