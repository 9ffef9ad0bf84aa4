//! With what connections to other machines are made and accepted at this moment.
//!
//! A [`Keeper`] looks at the certificate files every few seconds on a thread of its own, and publishes what it found as
//! [`Doors`]. Whoever makes or accepts a connection takes the doors of that moment. Connections that exist
//! keep theirs, and `guard` ends those that the present doors would refuse.

use super::certificates::{Certificates, DailyReports, Places};
use super::clock::time_of_day;
use crate::expiry::{Nearness, authority_ends, nearness};
use crate::identity::Role;
use crate::rpc::tls::{Accepting, Dialing, Setup};
use crate::tls_mode::TlsMode;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The time between two looks at the files.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Limits the orders that wait for the keeper while it looks.
const ORDERS_MAX: usize = 16;

/// With what connections are made and accepted.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// Whether others must, may or cannot speak TLS with us.
    pub mode: TlsMode,
    /// What we bring to a connection; `None` while nothing is usable.
    pub setup: Option<Arc<Setup>>,
    /// The end of our certificate's life, in seconds since 1970.
    pub not_after: Option<u64>,
    /// What is wrong with the files, in plain words. There may be a usable setup from before.
    pub fault: Option<Arc<str>>,
    /// The state in one line, for people.
    pub line: Arc<str>,
}

impl Doors {
    /// Doors without TLS: every connection is plain.
    pub fn open() -> Doors {
        Doors { line: off_line(), ..Doors::default() }
    }

    /// How others are dialled.
    pub fn dialing(&self) -> Dialing {
        Dialing { mode: self.mode, setup: self.setup.clone(), fault: self.fault.clone() }
    }

    /// How callers with one of the roles are accepted. `may_be_unknown` lets in a caller that shows no certificate, even
    /// where TLS is required.
    pub fn accepting(&self, callers: &'static [Role], may_be_unknown: bool) -> Accepting {
        Accepting {
            mode: self.mode,
            setup: self.setup.clone(),
            fault: self.fault.clone(),
            callers,
            may_be_unknown,
        }
    }
}

fn off_line() -> Arc<str> {
    "TLS is off: connections between machines are not encrypted".into()
}

/// What the keeper is told.
enum Order {
    Configure(TlsMode, Places),
    Look,
}

/// Tells the keeper what to do. The keeper ends when its last handle is dropped.
#[derive(Debug, Clone)]
pub struct Keeper(mpsc::SyncSender<Order>);

impl Keeper {
    /// Looks at the files once, which may block as long as the disk does, and starts the thread that looks again.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub fn start(mode: TlsMode, places: Places) -> io::Result<(Keeper, watch::Receiver<Arc<Doors>>)> {
        let mut watching = Watching {
            mode,
            certificates: Certificates::new(places.clone()),
            places,
            reports: DailyReports::default(),
            told: None,
            begun: Instant::now(),
        };
        let (publish, doors) = watch::channel(Arc::new(watching.look()));
        let (orders, heard) = mpsc::sync_channel(ORDERS_MAX);
        thread::Builder::new()
            .name("certificates".to_owned())
            .spawn(move || watching.run(&heard, &publish))?;
        Ok((Keeper(orders), doors))
    }

    /// Uses another mode and other files. They are looked at at once.
    pub fn configure(&self, mode: TlsMode, places: Places) {
        self.tell(Order::Configure(mode, places));
    }

    /// Looks at the files now, since they have changed.
    pub fn look_now(&self) {
        // If the queue is full, the thread will look anyway.
        let _ = self.0.try_send(Order::Look);
    }

    fn tell(&self, order: Order) {
        // The thread ends only after us. It takes an order as soon as it has looked.
        let _ = self.0.send(order);
    }
}

/// The state of the keeper's thread.
struct Watching {
    mode: TlsMode,
    places: Places,
    certificates: Certificates,
    reports: DailyReports,
    /// The end of the authority that was told last, and how near it was.
    told: Option<(u64, Nearness)>,
    begun: Instant,
}

impl Watching {
    fn run(mut self, orders: &mpsc::Receiver<Order>, publish: &watch::Sender<Arc<Doors>>) {
        let mut next = Instant::now() + LOOK_EVERY;
        loop {
            match orders.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Order::Configure(mode, places)) => {
                    self.mode = mode;
                    self.certificates.set_places(places.clone());
                    self.places = places;
                }
                Ok(Order::Look) | Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            next = Instant::now() + LOOK_EVERY;
            let doors = self.look();
            publish.send_if_modified(|present| {
                let is_other = !is_same(present, &doors);
                if is_other {
                    *present = Arc::new(doors);
                }
                is_other
            });
        }
    }

    /// Looks at the files, and logs what is wrong with them, each cause once a day.
    fn look(&mut self) -> Doors {
        let is_used = self.mode != TlsMode::Off || self.places.identity.is_some();
        if !is_used {
            return Doors::open();
        }
        let now = time_of_day().as_secs();
        self.certificates.look(now);
        let fault = self.certificates.unusable().map(|unusable| unusable.to_string());
        if let Some(fault) = &fault
            && self.reports.note(fault, self.begun.elapsed().as_secs())
        {
            tracing::warn!(
                tls = %self.mode,
                "this machine's certificate cannot be used: {fault}"
            );
        }
        self.tell_end_of_authority(now);
        let line = self.certificates.line(now);
        Doors {
            mode: self.mode,
            setup: self.certificates.setup().cloned(),
            not_after: self.certificates.not_after(),
            fault: fault.map(Into::into),
            line: format!("tls = \"{}\"; {line}", self.mode).into(),
        }
    }

    /// Logs that the authority ends soon: 30, 7 and 1 days before, and when it has ended.
    fn tell_end_of_authority(&mut self, now: u64) {
        let Some(end) = self.certificates.authority_end() else { return };
        let near = nearness(end, now).map(|near| (end, near));
        if near.is_some() && near != self.told {
            let (said, hint) = authority_ends(end, now);
            tracing::warn!(hint, "{said}");
        }
        self.told = near;
    }
}

fn is_same(one: &Doors, other: &Doors) -> bool {
    let setups = match (&one.setup, &other.setup) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    };
    setups && (one.mode, &one.fault, &one.line) == (other.mode, &other.fault, &other.line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Waits until the doors are as demanded.
    async fn until(
        doors: &mut watch::Receiver<Arc<Doors>>,
        wanted: impl FnMut(&Arc<Doors>) -> bool,
    ) -> Arc<Doors> {
        tokio::time::timeout(PATIENCE, doors.wait_for(wanted)).await.unwrap().unwrap().clone()
    }

    #[tokio::test]
    async fn what_the_files_become_is_published_and_the_thread_ends_with_its_handles() {
        let (keeper, mut doors) = Keeper::start(TlsMode::Off, Places::default()).unwrap();
        assert_eq!(doors.borrow().line, off_line());
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| Some(dir.path().join(name));
        let (identity, authorities) = (at("identity.pem"), at("ca.pem"));
        keeper.configure(TlsMode::Require, Places { identity, authorities, revoked: None });
        let missing = until(&mut doors, |doors| doors.mode == TlsMode::Require).await;
        assert!(missing.setup.is_none());
        assert!(missing.fault.as_ref().unwrap().contains("cannot read it"), "{missing:?}");
        assert!(missing.dialing().fault.is_some() && missing.accepting(&[Role::Peer], false).fault.is_some());

        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![
            "peer.tinytorrent.internal".to_owned(),
            "web-1.node.tinytorrent.internal".to_owned(),
        ])
        .unwrap();
        params.is_ca = rcgen::IsCa::NoCa;
        let mut ca = rcgen::CertificateParams::default();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        let ca_key = rcgen::KeyPair::generate().unwrap();
        fs::write(dir.path().join("ca.pem"), ca.self_signed(&ca_key).unwrap().pem()).unwrap();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let certificate = params.signed_by(&key, &issuer).unwrap().pem();
        let file = dir.path().join("identity.pem");
        fs::write(&file, format!("{}{certificate}", key.serialize_pem())).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        keeper.look_now();
        let usable = until(&mut doors, |doors| doors.setup.is_some()).await;
        assert!(usable.fault.is_none() && usable.not_after.is_some());
        assert!(usable.line.starts_with("tls = \"require\"; web-1, certificate valid until"), "{usable:?}");

        keeper.configure(TlsMode::Off, Places::default());
        until(&mut doors, |doors| doors.mode == TlsMode::Off && doors.setup.is_none()).await;
        drop(keeper);
        let ended = tokio::time::timeout(PATIENCE, async { while doors.changed().await.is_ok() {} });
        ended.await.unwrap();
    }
}
