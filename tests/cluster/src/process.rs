//! Runs a process that is sealed from its environment, ends when its handle is dropped, and writes its output to a
//! file.

use crate::clock;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A command that sees no configuration, no user directories and no variables except PATH. Its own default directories
/// are under `home`.
pub fn sealed(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home);
    // Under root the machine's own directories would be used.
    command.env("STATE_DIRECTORY", home.join("state"));
    command.env("RUNTIME_DIRECTORY", home.join("run"));
    command.env("CONFIGURATION_DIRECTORY", home.join("config"));
    command.env("RUST_BACKTRACE", "1").envs(clock::environment()).stdin(Stdio::null());
    command
}

/// The result of a command.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// Runs a command until it ends. If it has not ended within the cap, it is killed, which is an error.
pub fn run_capped(command: Command, cap: Duration) -> io::Result<Output> {
    let begin = Instant::now();
    run_unless(command, || (begin.elapsed() > cap).then(|| format!("it has not ended within {cap:?}")))
}

/// Runs a command until it ends, or until there is a reason to give up: then it is killed, and the reason is the error.
pub fn run_unless(mut command: Command, give_up: impl Fn() -> Option<String>) -> io::Result<Output> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if let Some(reason) = give_up() {
            child.kill()?;
            child.wait()?;
            let (stdout, stderr) = (join(stdout), join(stderr));
            return Err(io::Error::other(format!("{}: {reason}\n{stdout}{stderr}", describe(&command))));
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Ok(Output { code: status.code().unwrap_or(-1), stdout: join(stdout), stderr: join(stderr) })
}

/// The command line without the environment of [`sealed`].
fn describe(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

fn join(reader: std::thread::JoinHandle<Vec<u8>>) -> String {
    String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
}

/// A running process. Dropping it kills it, by its own id; if a test is failing, its log is printed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a process that appends its output to the log file.
    pub fn start(name: &str, mut command: Command, log: &Path) -> io::Result<Process> {
        let out = File::options().create(true).append(true).open(log)?;
        let child = command.stdout(out.try_clone()?).stderr(out).spawn().map_err(|error| {
            let program = Path::new(command.get_program()).display();
            io::Error::new(error.kind(), format!("cannot start {program}: {error}"))
        })?;
        Ok(Process { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap_or_default()
    }

    /// Sends a signal, unless it has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none()
            && let Some(pid) = i32::try_from(self.id()).ok().and_then(Pid::from_raw)
        {
            // If it ends at this moment, it stays a zombie, so no other process has its id.
            let _ = kill_process(pid, signal);
        }
    }

    /// Waits for its end; `None` if it has not ended within the cap.
    pub fn wait(&mut self, cap: Duration) -> Option<ExitStatus> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if begin.elapsed() > cap {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its output so far, including that of earlier processes with the same log file.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(60)..].join("\n");
            eprintln!("---- the end of the log of {} (process {}) ----\n{tail}", self.name, self.id());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = sealed(Path::new("/bin/sh"), Path::new("/nowhere"));
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_command_is_sealed_and_its_output_kept() {
        let script = "echo $HOME; echo ${XDG_RUNTIME_DIR-none} ${TT_SOCKET-none} >&2; exit 3";
        let output = run_capped(sh(script), Duration::from_secs(10)).unwrap();
        assert_eq!((output.code, output.stdout.as_str()), (3, "/nowhere\n"));
        assert_eq!(output.stderr, "none none\n");
    }

    #[test]
    fn a_command_that_hangs_is_ended_and_named() {
        let error = run_capped(sh("echo hello; exec sleep 100"), Duration::from_millis(200)).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("sleep 100: it has not ended") && error.contains("hello"), "{error}");
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let home = tempfile::tempdir().unwrap();
        let mut process = Process::start("sleep", sh("exec sleep 100"), &home.path().join("log")).unwrap();
        let there = PathBuf::from(format!("/proc/{}", process.id()));
        assert!(there.exists() && process.ended().is_none());
        drop(process);
        assert!(!there.exists());
    }

    #[test]
    fn signals_arrive() {
        let home = tempfile::tempdir().unwrap();
        let script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done";
        let mut process = Process::start("sh", sh(script), &home.path().join("log")).unwrap();
        while !process.log().contains("up") {
            std::thread::sleep(Duration::from_millis(5));
        }
        process.signal(Signal::TERM);
        assert!(process.wait(Duration::from_secs(10)).unwrap().success());
        assert!(process.log().contains("bye"));
    }
}
