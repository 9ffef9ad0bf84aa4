//! One machine shares and the others fetch, while their progress is shown.

use super::display::Display;
use super::machine::{Machine, Progress};
use crate::interrupt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often the progress is queried.
const POLL_EVERY: Duration = Duration::from_millis(100);
/// If nothing arrives on any machine for this long, the demo fails.
const STALL_MAX: Duration = Duration::from_secs(120);

/// How a distribution went.
pub(crate) struct Distributed {
    /// The size of what was shared, in bytes.
    pub(crate) bytes: u64,
    /// How long each machine but the first took.
    pub(crate) times: Vec<Duration>,
    /// The state of each machine at the end, with that of the first.
    pub(crate) machines: Vec<Progress>,
}

/// The first machine shares the file or directory at a path, and the others fetch it by its name. `replace` lets it take
/// the place of a former version.
pub(crate) fn distribute(
    machines: &[Machine],
    path: &Path,
    name: &str,
    replace: bool,
) -> Result<Distributed, String> {
    let (first, others) = machines.split_first().ok_or("there are no machines")?;
    let path = path.to_str().ok_or("the path is not valid UTF-8")?;
    let more: &[&str] = if replace { &["--replace"] } else { &[] };
    let begin = Instant::now();
    first.ttctl(&[&["share"], more, &["--", path]].concat())?;
    println!("{} has hashed and published {name} after {:.1} s", first.name(), begin.elapsed().as_secs_f64());
    let shared = first.progress(name)?;

    let mut begins = Vec::new();
    for machine in others {
        begins.push(Instant::now());
        machine.ttctl(&[&["get", "--detach"], more, &["--", name]].concat())?;
    }
    let times = watch(others, &begins, name, &shared)?;
    let ends = machines.iter().map(|machine| machine.progress(name));
    Ok(Distributed { bytes: shared.bytes_have, times, machines: ends.collect::<Result<_, _>>()? })
}

/// Shows the progress until all machines have everything.
fn watch(
    machines: &[Machine],
    begins: &[Instant],
    name: &str,
    shared: &Progress,
) -> Result<Vec<Duration>, String> {
    let display = Display::new(machines, shared.bytes_have);
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
                "seeding" if time.is_none() && progress.id == shared.id => *time = Some(begin.elapsed()),
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
