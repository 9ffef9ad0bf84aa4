//! `cargo xtask demo`: a fleet of four on one machine.
//!
//! A tracker and four daemons start in a temporary directory; the first shares a file, the others fetch it, and each
//! copy is hashed. At the end everything that was started or created is gone, also after ^C and after a failure.

mod display;
mod machine;

use crate::cargo::Workspace;
use crate::interrupt;
use cluster::Programs;
use cluster::files::sha256_file;
use display::Display;
use machine::{Machine, Progress, Scene};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The size of the random file, if none is given.
const RANDOM_BYTES: u64 = 256 << 20;
/// How often the progress is queried.
const POLL_EVERY: Duration = Duration::from_millis(100);
/// If nothing arrives on any machine for this long, the demo fails.
const STALL_MAX: Duration = Duration::from_secs(120);

/// Shares the file, or a random one, with three other daemons.
pub(crate) fn run(file: Option<&Path>) -> Result<(), String> {
    interrupt::watch()?;
    let binaries = Workspace::find()?.build_release()?;
    let scene = Scene::new(Programs::in_dir(&binaries)?)?;
    let file = match file {
        Some(file) => {
            file.canonicalize().map_err(|error| format!("cannot open {}: {error}", file.display()))?
        }
        None => {
            random_file(scene.folder()).map_err(|error| format!("cannot create a random file: {error}"))?
        }
    };
    let name = file.file_name().and_then(|name| name.to_str()).ok_or("the file's name is not valid UTF-8")?;
    let bytes =
        fs::metadata(&file).map_err(|error| format!("cannot open {}: {error}", file.display()))?.len();
    println!("hashing {} ({}) ...", file.display(), display::size(bytes));
    let hash = sha256_file(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    interrupt::check()?;

    let tracker = scene.start_tracker()?;
    let machines = ["A", "B", "C", "D"].map(|name| scene.start_machine(name, &tracker));
    let machines = machines.into_iter().collect::<Result<Vec<Machine>, String>>()?;
    println!("started a tracker ({}) and four daemons in {}", tracker.url(), scene.folder().display());

    let result = distribute(&machines, &file, name, bytes).and_then(|times| {
        let uploaded = machines.iter().map(|machine| Ok(machine.progress(name)?.uploaded_bytes));
        let uploaded = uploaded.collect::<Result<Vec<u64>, String>>()?;
        check_copies(&machines, name, &hash)?;
        display::table(&machines, &times, &uploaded, bytes);
        Ok(())
    });
    if let Err(error) = result {
        if interrupt::check().is_ok() {
            machines.iter().for_each(Machine::print_log);
        }
        return Err(error);
    }
    println!("\nall {} copies of {name} are identical; SHA-256:\n{hash}", machines.len());
    Ok(())
}

fn random_file(folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join("random.bin");
    let mut random = File::open("/dev/urandom")?.take(RANDOM_BYTES);
    io::copy(&mut random, &mut File::create(&path)?)?;
    Ok(path)
}

/// The first machine shares and the others fetch. Returns how long each took.
fn distribute(machines: &[Machine], file: &Path, name: &str, bytes: u64) -> Result<Vec<Duration>, String> {
    let (first, others) = machines.split_first().ok_or("there are no machines")?;
    let begin = Instant::now();
    first.ttctl(&["share", "--", file.to_str().ok_or("the path is not valid UTF-8")?])?;
    println!("{} has hashed and published {name} after {:.1} s", first.name(), begin.elapsed().as_secs_f64());

    let mut begins = Vec::new();
    for machine in others {
        begins.push(Instant::now());
        machine.ttctl(&["get", "--detach", "--", name])?;
    }
    watch(others, &begins, name, bytes)
}

/// Shows the progress until all machines have everything.
fn watch(machines: &[Machine], begins: &[Instant], name: &str, bytes: u64) -> Result<Vec<Duration>, String> {
    let display = Display::new(machines, bytes);
    let mut times: Vec<Option<Duration>> = vec![None; machines.len()];
    let mut last = (0, Instant::now());
    while times.contains(&None) {
        interrupt::check()?;
        let progress = machines.iter().map(|machine| machine.progress(name));
        let progress = progress.collect::<Result<Vec<Progress>, String>>()?;
        for ((machine, progress), (begin, time)) in
            machines.iter().zip(&progress).zip(begins.iter().zip(&mut times))
        {
            match progress.state.as_str() {
                "seeding" if time.is_none() => *time = Some(begin.elapsed()),
                "error" => return Err(format!("{}: {}", machine.name(), progress.reason)),
                _ => {}
            }
        }
        display.show(&progress);

        let bytes_have: u64 = progress.iter().map(|progress| progress.bytes_have).sum();
        if bytes_have != last.0 {
            last = (bytes_have, Instant::now());
        } else if last.1.elapsed() > STALL_MAX {
            return Err(format!(
                "no machine has received anything for {} s; see the logs above",
                STALL_MAX.as_secs()
            ));
        }
        std::thread::sleep(POLL_EVERY);
    }
    display.end();
    Ok(times.into_iter().flatten().collect())
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
