//! `cargo xtask demo --tree [DIR]`: shares a directory, changes three of its files, and shares it again.

use super::compare::{self, Content};
use super::display::{self, size};
use super::distribute::{Distributed, distribute};
use super::fleet::Fleet;
use super::machine::{Machine, Scene};
use super::table;
use crate::cargo::must;
use crate::interrupt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is made if no directory is given: this number of files, of this number of random bytes.
const FILES: usize = 5_000;
const FILE_BYTES: u64 = 10 << 10;
/// The files of a subdirectory of it.
const FILES_PER_DIRECTORY: usize = 100;
/// Limits the bytes that the file grows by that grows; otherwise its size is doubled. So what travels is the price of a
/// small change also if the directory has a large file in this place.
const GROWTH_BYTES_MAX: u64 = 64 << 10;
/// The bytes of the new file.
const NEW_BYTES: u64 = 10 << 10;
/// The name of the new file.
const NEW_NAME: &str = "new-in-the-demo";

/// Shares the directory, or one that is made, twice with three other daemons, and compares the copies with it.
pub(crate) fn run(scene: &Scene, directory: Option<&Path>) -> Result<(), String> {
    let shared = match directory {
        Some(directory) => copy(scene, directory)?,
        None => make(scene).map_err(|error| format!("cannot make a directory: {error}"))?,
    };
    let directory_name = shared.file_name().and_then(|name| name.to_str());
    let directory_name = directory_name.ok_or("the directory's name is not valid UTF-8")?;
    println!("hashing {} ...", shared.display());
    let content = compare::content(&shared)?;
    let count = files(&shared, &content)?.len();
    interrupt::check()?;

    let fleet = Fleet::start(scene)?;
    let round = |content: &Content, replace: bool| {
        let name = format!("{directory_name}.tar");
        let distributed = distribute(&fleet.machines, &shared, &name, replace);
        let distributed = distributed.and_then(|distributed| {
            check_copies(&fleet.machines, directory_name, content)?;
            Ok(distributed)
        });
        let distributed = fleet.explain(distributed)?;
        table::table_of_tree(&fleet.machines, &distributed);
        let entries = display::count(content.len(), "entry", "entries");
        println!("\nall {} copies of {directory_name} are the same: {entries}", fleet.machines.len());
        Ok::<Distributed, String>(distributed)
    };
    let first = round(&content, false)?;
    println!("\nchanging three of {}:", display::count(count, "file", "files"));
    change(&shared, &content)?;
    let second = round(&compare::content(&shared)?, true)?;
    let others = fleet.machines.len() - 1;
    println!(
        "\n{others} machines fetched {} ({} per machine), and after the change {} ({} per machine)",
        size(fetched(&first)),
        size(fetched(&first) / others as u64),
        size(fetched(&second)),
        size(fetched(&second) / others as u64),
    );
    Ok(())
}

/// The bytes that all machines fetched.
fn fetched(distributed: &Distributed) -> u64 {
    distributed.machines.iter().map(|machine| machine.bytes_fetched).sum()
}

/// Copies a directory, so that the caller's own is not changed.
fn copy(scene: &Scene, directory: &Path) -> Result<PathBuf, String> {
    let open = |error: io::Error| format!("cannot open {}: {error}", directory.display());
    let directory = directory.canonicalize().map_err(open)?;
    if !directory.is_dir() {
        return Err(format!("{} is not a directory", directory.display()));
    }
    let name = directory.file_name().ok_or("the root directory has no name; choose another")?;
    let source = scene.folder().join("source");
    fs::create_dir(&source).map_err(|error| format!("cannot create {}: {error}", source.display()))?;
    println!("copying {} ...", directory.display());
    must(Command::new("cp").args(["--archive", "--reflink=auto", "--"]).arg(&directory).arg(&source))?;
    Ok(source.join(name))
}

fn make(scene: &Scene) -> io::Result<PathBuf> {
    let directory = scene.folder().join("source").join("app");
    let random = File::open("/dev/urandom")?;
    for at in 0..FILES {
        let below = directory.join(format!("part-{:02}", at / FILES_PER_DIRECTORY));
        fs::create_dir_all(&below)?;
        let mut file = File::create(below.join(format!("file-{at:04}")))?;
        io::copy(&mut (&random).take(FILE_BYTES), &mut file)?;
    }
    Ok(directory)
}

/// The files that may be changed, in order of their paths, with their sizes in bytes: those that may be written,
/// have no second name, and are not empty.
fn files(directory: &Path, content: &Content) -> Result<Vec<(PathBuf, u64)>, String> {
    let mut files = Vec::new();
    for below in content.keys() {
        let path = directory.join(below);
        let metadata =
            path.symlink_metadata().map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let may_be_changed = metadata.mode() & 0o200 != 0 && metadata.nlink() == 1 && metadata.len() > 1;
        if metadata.is_file() && may_be_changed {
            files.push((path, metadata.len()));
        }
    }
    Ok(files)
}

/// Lets one file grow and another shrink, and adds one.
fn change(directory: &Path, content: &Content) -> Result<(), String> {
    let files = files(directory, content)?;
    let [grows, shrinks] = [files.len() / 3, files.len() * 2 / 3].map(|at| files.get(at));
    let (Some(grows), Some(shrinks)) = (grows, shrinks.filter(|_| files.len() > 1)) else {
        return Err("the directory needs at least two files that can be changed".to_owned());
    };
    let new = grows.0.with_file_name(NEW_NAME);
    let random = File::open("/dev/urandom").map_err(|error| error.to_string())?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| format!("cannot change {}: {error}", path.display())
    };

    let more = grows.1.min(GROWTH_BYTES_MAX);
    let mut file = OpenOptions::new().append(true).open(&grows.0).map_err(failed(&grows.0))?;
    io::copy(&mut (&random).take(more), &mut file).map_err(failed(&grows.0))?;
    let file = OpenOptions::new().write(true).open(&shrinks.0).map_err(failed(&shrinks.0))?;
    file.set_len(shrinks.1 / 2).map_err(failed(&shrinks.0))?;
    let mut file = File::create_new(&new).map_err(failed(&new))?;
    io::copy(&mut (&random).take(NEW_BYTES), &mut file).map_err(failed(&new))?;

    let shown = |path: &Path| path.strip_prefix(directory).unwrap_or(path).display().to_string();
    println!("  {} grew from {} to {}", shown(&grows.0), size(grows.1), size(grows.1 + more));
    println!("  {} shrank from {} to {}", shown(&shrinks.0), size(shrinks.1), size(shrinks.1 / 2));
    println!("  {} is new, {}", shown(&new), size(NEW_BYTES));
    Ok(())
}

fn check_copies(machines: &[Machine], name: &str, content: &Content) -> Result<(), String> {
    println!("comparing the copies ...");
    for machine in machines {
        interrupt::check()?;
        compare::must_have(&machine.folder().join(name), content)?;
    }
    Ok(())
}
