//! `cargo xtask demo [FILE]`: shares a file.

use super::display;
use super::distribute::distribute;
use super::fleet::Fleet;
use super::machine::{Machine, Scene};
use super::table;
use crate::interrupt;
use cluster::files::sha256_file;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The size of the random file, if none is given.
const RANDOM_BYTES: u64 = 256 << 20;

/// Shares the file, or a random one, with three other daemons, and compares the copies with it.
pub(crate) fn run(scene: &Scene, file: Option<&Path>) -> Result<(), String> {
    let file = match file {
        Some(file) => {
            file.canonicalize().map_err(|error| format!("cannot open {}: {error}", file.display()))?
        }
        None => {
            random_file(scene.folder()).map_err(|error| format!("cannot create a random file: {error}"))?
        }
    };
    if file.is_dir() {
        return Err(format!("{0} is a directory; use `cargo xtask demo --tree {0}`", file.display()));
    }
    let name = file.file_name().and_then(|name| name.to_str()).ok_or("the file's name is not valid UTF-8")?;
    let bytes =
        fs::metadata(&file).map_err(|error| format!("cannot open {}: {error}", file.display()))?.len();
    println!("hashing {} ({}) ...", file.display(), display::size(bytes));
    let hash = sha256_file(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    interrupt::check()?;

    let fleet = Fleet::start(scene)?;
    let machines = &fleet.machines;
    let distributed = distribute(machines, &file, name, false).and_then(|distributed| {
        check_copies(machines, name, &hash)?;
        Ok(distributed)
    });
    table::table(machines, &fleet.explain(distributed)?);
    println!("\nall {} copies of {name} are identical; SHA-256:\n{hash}", machines.len());
    Ok(())
}

fn random_file(folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join("random.bin");
    let mut random = File::open("/dev/urandom")?.take(RANDOM_BYTES);
    io::copy(&mut random, &mut File::create(&path)?)?;
    Ok(path)
}

fn check_copies(machines: &[Machine], name: &str, hash: &str) -> Result<(), String> {
    println!("hashing the copies ...");
    for machine in machines {
        interrupt::check()?;
        let path = machine.folder().join(name);
        let found = sha256_file(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        if found != hash {
            return Err(format!("{} has SHA-256 {found} instead of {hash}", path.display()));
        }
    }
    Ok(())
}
