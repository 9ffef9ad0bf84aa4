//! Collects the state of the daemon as a whole: what the driver knows, and what was decided at the start and by the
//! configuration.

use super::common::ControlServer;
use super::limit;
use super::users;
use crate::inbox::Whole;
use crate::jobs;
use rustix::process::getuid;
use shared::host::doors::Doors;
use shared::rpc::control::{Overview, TlsState};

/// Collects it. Asks the file system for its free space.
pub async fn overview(server: &ControlServer, whole: Whole) -> Overview {
    let uid = getuid().as_raw();
    let home = server.home.clone();
    let space = jobs::run(move || home.space()).await.ok().and_then(Result::ok);
    let book = &server.limits;
    Overview {
        uptime_s: server.started.elapsed().as_secs(),
        uid,
        user: users::name_of(uid).await,
        socket: server.socket.clone(),
        zone: server.context.zone.clone(),
        free_bytes: space.map(|space| space.free_bytes),
        disk_bytes: space.map(|space| space.total_bytes),
        limits: limit::now(book),
        limits_file: Some(book.file()).filter(|_| !book.saved().is_empty()),
        config_files: server.configured.borrow().files.clone(),
        trackers: whole.trackers,
        states: whole.states,
        peers: whole.peers,
        downloaded_bytes: whole.traffic.0,
        uploaded_bytes: whole.traffic.1,
        tls: tls(&server.context.doors()),
        watch: server.context.watching.borrow().as_deref().cloned(),
    }
}

fn tls(doors: &Doors) -> TlsState {
    let node = doors.setup.as_ref().and_then(|setup| setup.node());
    TlsState {
        mode: doors.mode,
        node: node.map(|node| node.name.clone()),
        not_after: doors.not_after,
        fault: doors.fault.as_deref().map(str::to_owned),
        line: doors.line.as_ref().to_owned(),
    }
}
