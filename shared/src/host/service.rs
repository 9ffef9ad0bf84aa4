//! Reports the state of a service to systemd: ready, status, reloading, alive, stopping. Without systemd nothing is
//! sent. Nothing here waits or fails.
//!
//! The crate `sd-notify` (0.5) is not used: it accepts no abstract address (`@…`), waits while the manager's queue is
//! full, connects again for each message, and lets a status with a line end add further messages.

use rustix::time::{ClockId, clock_gettime};
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The connection to the service manager, as `sd_notify(3)` describes it.
#[derive(Debug)]
pub struct Service {
    manager: Option<UnixDatagram>,
    alive_every: Option<Duration>,
}

impl Service {
    /// From the environment of this process: `$NOTIFY_SOCKET`, `$WATCHDOG_USEC`, `$WATCHDOG_PID`.
    pub fn of_process() -> Service {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let manager = var("NOTIFY_SOCKET").and_then(|address| connect(&address).ok());
        let number = |name| var(name).and_then(|value| value.to_str()?.parse::<u64>().ok());
        let is_meant = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| *usec > 0 && is_meant);
        // twice as often as demanded, so that one late message does not count as a death
        let alive_every = watchdog.filter(|_| manager.is_some()).map(|usec| Duration::from_micros(usec / 2));
        Service { manager, alive_every }
    }

    /// Whether a service manager listens.
    pub fn is_watched(&self) -> bool {
        self.manager.is_some()
    }

    /// How often [`alive`](Service::alive) must be called; `None` if the manager does not demand it.
    pub fn alive_every(&self) -> Option<Duration> {
        self.alive_every
    }

    /// The service is ready, or ready again after a reload.
    pub fn ready(&self, status: &str) {
        self.say(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// The service's state in a few words, for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.say(&format!("STATUS={}", one_line(status)));
    }

    /// The service reads its configuration again; [`ready`](Service::ready) follows.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let usec = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={usec}"));
    }

    /// The service is ending.
    pub fn stopping(&self, status: &str) {
        self.say(&format!("STOPPING=1\nSTATUS={}", one_line(status)));
    }

    /// The service is alive.
    pub fn alive(&self) {
        self.say("WATCHDOG=1");
    }

    fn say(&self, text: &str) {
        if let Some(manager) = &self.manager {
            let _ = manager.send(text.as_bytes()); // a manager that is gone or too busy does not receive it
        }
    }
}

fn connect(address: &OsStr) -> io::Result<UnixDatagram> {
    let bytes = address.as_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Removes line ends, which would begin another message.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r', '\0'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let heard = UnixDatagram::bind(&path).unwrap();
        let service = Service { manager: Some(connect(path.as_os_str()).unwrap()), alive_every: None };
        service.ready("seeding 1\nSTOPPING=1");
        let mut bytes = [0; 200];
        let count = heard.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..count], b"READY=1\nSTATUS=seeding 1 STOPPING=1");
    }

    #[test]
    fn an_abstract_address_is_taken() {
        let name = format!("tinytorrent-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let heard = UnixDatagram::bind_addr(&address).unwrap();
        let manager = connect(OsStr::new(&format!("@{name}"))).unwrap();
        Service { manager: Some(manager), alive_every: None }.alive();
        let mut bytes = [0; 200];
        let count = heard.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..count], b"WATCHDOG=1");
    }

    #[test]
    fn nobody_needs_to_listen() {
        let service = Service { manager: None, alive_every: None };
        service.ready("");
        assert!(!service.is_watched());
        assert!(connect(OsStr::new("/nowhere/at/all")).is_err());
    }
}
