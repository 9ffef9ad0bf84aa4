//! A program of a user that speaks to the daemon of a machine, as ttctl does.

use super::content::Content;
use super::machine::Machine;
use bytes::Bytes;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::control::{
    Accepted, ControlCaller, ControlError, ErrorKind, GetRequest, GetWhat, PART_BYTES_MAX, ShareRequest,
    TaskId, TaskState,
};
use shared::rpc::wire::{CallError, ClientOptions, client};
use std::time::Duration;

/// The bytes that one side of the connection may be ahead of the other.
const BUFFER: usize = 64 * 1024;

/// How long a call may take. A get looks at all trackers first.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the daemon holds the answer back while a task runs, in milliseconds.
const WAIT_MS: u32 = 1_500;

/// A program with a connection.
#[derive(Debug)]
pub(crate) struct Caller(ControlCaller);

impl Caller {
    /// Connects to the daemon of a machine, and says hello.
    ///
    /// # Errors
    /// When the machine is down or dies.
    pub(crate) async fn connect(machine: &Machine) -> Result<Caller, ControlError> {
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        machine.connect(theirs);
        let (control, carrier): (ControlCaller, _) = client(ours, ClientOptions::default());
        tokio::spawn(carrier);
        let info = control.hello(PROTOCOL_VERSION, CALL_TIMEOUT).await.map_err(|error| lost(&error))?;
        assert_eq!(info.map(|info| info.listen), Ok(machine.listen()));
        Ok(Caller(control))
    }

    /// Has it fetch what a name means at the trackers.
    ///
    /// # Errors
    /// When the machine dies, or refuses it.
    pub(crate) async fn get_named(&self, content: &Content, replace: bool) -> Result<Accepted, ControlError> {
        let what = GetWhat::Name { name: content.name().clone(), tracker: None };
        self.get(what, replace).await
    }

    /// Has it fetch what a manifest describes.
    ///
    /// # Errors
    /// When the machine dies, or refuses it.
    pub(crate) async fn get_known(&self, content: &Content, replace: bool) -> Result<Accepted, ControlError> {
        for part in content.manifest.text_parts() {
            let sent = self.0.manifest_part(Bytes::from(part).into(), CALL_TIMEOUT).await;
            sent.map_err(|error| lost(&error))??;
        }
        self.get(GetWhat::Manifest { signature: None }, replace).await
    }

    /// Sends it a file in parts, and waits until it is shared. With `cancel_after`, that many parts are
    /// sent, and then it is canceled; a smaller file is shared.
    ///
    /// # Errors
    /// When the machine dies, or refuses it.
    pub(crate) async fn import(
        &self,
        content: &Content,
        cancel_after: Option<usize>,
    ) -> Result<(), ControlError> {
        let bytes = content.bytes.len() as u64;
        let (name, trackers) = (content.name().clone(), content.manifest.trackers().to_vec());
        let request = ShareRequest {
            name,
            trackers,
            replace: true,
            bytes,
            data_bytes: bytes,
            tree: None,
            to_be_signed: false,
        };
        let task = self.0.import(request, CALL_TIMEOUT).await.map_err(|error| lost(&error))??;
        for (number, part) in content.bytes.chunks(PART_BYTES_MAX).enumerate() {
            if cancel_after == Some(number) {
                return self.0.import_cancel(task, CALL_TIMEOUT).await.map_err(|error| lost(&error))?;
            }
            let part = Bytes::copy_from_slice(part).into();
            self.0.import_part(task, part, CALL_TIMEOUT).await.map_err(|error| lost(&error))??;
        }
        self.0.import_end(task, CALL_TIMEOUT).await.map_err(|error| lost(&error))??;
        self.ended(task).await
    }

    /// Waits for the end of a task.
    async fn ended(&self, task: TaskId) -> Result<(), ControlError> {
        loop {
            let state = self.0.task(task, WAIT_MS, CALL_TIMEOUT).await.map_err(|error| lost(&error))??;
            match state {
                TaskState::Running { .. } => {}
                TaskState::Failed(error) => return Err(error),
                _ => return Ok(()),
            }
        }
    }

    async fn get(&self, what: GetWhat, replace: bool) -> Result<Accepted, ControlError> {
        let (reuse, as_file, links_outside, is_copied) = (true, false, false, false);
        let allows_older = false;
        let request = GetRequest { what, replace, reuse, as_file, links_outside, is_copied, allows_older };
        let accepted = self.0.get(request, CALL_TIMEOUT).await.map_err(|error| lost(&error))??;
        // A file that has the name is compared first.
        if let Some(task) = accepted.comparing {
            self.ended(task).await?;
        }
        Ok(accepted)
    }
}

/// The error for a daemon that does not answer.
fn lost(error: &CallError) -> ControlError {
    ControlError { kind: ErrorKind::Stopping, message: error.to_string(), hint: None }
}
