//! All fuzz targets in one program: `cargo xtask fuzz` builds it once, and `TT_FUZZ_TARGET` says which one it is.
//! The command line is libFuzzer's, and so is `main`.
//!
//! Reading order: [`targets`] (the code under test) → [`memory`] (the limit of its allocations).

#![no_main]

mod memory;
mod targets;

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use targets::Target;

static TARGET: OnceLock<&Target> = OnceLock::new();

fn chosen() -> &'static Target {
    let name = std::env::var("TT_FUZZ_TARGET").unwrap_or_default();
    targets::ALL.iter().find(|target| target.name == name).unwrap_or_else(|| {
        // the list that `cargo xtask fuzz` reads
        targets::ALL.iter().for_each(|target| println!("{}", target.name));
        std::process::exit(if name == "list" { 0 } else { 2 })
    })
}

fuzz_target!(
    init: TARGET.set(chosen()).unwrap_or_else(|_| unreachable!("the engine begins once")),
    |bytes: &[u8]| {
        let target = TARGET.get().expect("the engine begins before it runs");
        memory::bounded(target.bytes_max, bytes.len(), || (target.run)(bytes));
    }
);
