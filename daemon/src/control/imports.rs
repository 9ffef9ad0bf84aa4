//! The imports of one connection: files that ttctl sends part by part. Each import ends with its last part, with an
//! error, when no further part comes, or with the connection. Then its task is told, and an unfinished file is removed
//! outside the async workers, because removing a large file takes seconds.

use super::quota::Permit;
use crate::inbox::ToShare;
use crate::jobs;
use crate::store::{Import, StoreError};
use crate::tasks::TaskHandle;
use bytes::Bytes;
use shared::rpc::control::{ControlError, ErrorKind, TaskId, TaskState, ZEROS_BYTES_MAX};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// How long an import waits for its next part before it ends as failed. ttctl may read from a slow disk, but one that
/// is stopped must not keep its part file and its room for ever.
pub const NEXT_PART_WITHIN: Duration = Duration::from_secs(120);

/// The open imports.
#[derive(Debug, Default)]
pub struct Imports {
    open: BTreeMap<TaskId, Importing>,
}

/// The next bytes of an import.
#[derive(Debug)]
pub enum Part {
    /// These.
    Data(Bytes),
    /// This number of zeros.
    Zeros(u64),
}

impl Part {
    /// Adds the bytes to the import. Blocks.
    pub fn add_to(&self, import: &mut Import) -> Result<(), StoreError> {
        match self {
            Part::Data(bytes) => import.add(bytes),
            Part::Zeros(bytes) => import.add_zeros(*bytes),
        }
    }
}

#[derive(Debug)]
struct Importing {
    request: ToShare,
    handle: TaskHandle,
    /// `None` while a part is being written.
    import: Option<Import>,
    fed_at: Instant,
    /// Whether all parts have arrived; then the driver ends the task.
    goes_on: bool,
    /// One permit of its connection's quota and one of its user's.
    _permits: [Permit; 2],
}

impl Imports {
    /// Adds an import.
    pub fn begin(
        &mut self,
        task: TaskId,
        request: ToShare,
        handle: TaskHandle,
        import: Import,
        permits: [Permit; 2],
    ) {
        let (import, fed_at) = (Some(import), Instant::now());
        self.open
            .insert(task, Importing { request, handle, import, fed_at, goes_on: false, _permits: permits });
    }

    /// Takes an import out in order to write a part to it.
    ///
    /// # Errors
    /// When there is no such import or another part is being written; when the part has too many zeros for one part; also
    /// when it exceeds the announced size, which ends the import.
    pub fn lend(&mut self, task: TaskId, part: &Part) -> Result<Import, ControlError> {
        if let Part::Zeros(bytes) = part
            && *bytes > ZEROS_BYTES_MAX
        {
            return Err(refused(format!("one part has {bytes} zeros; the maximum is {ZEROS_BYTES_MAX}")));
        }
        let none = || refused(format!("import {} accepts no more data", task.0));
        let importing = self.open.get_mut(&task).ok_or_else(none)?;
        let import = importing.import.take().ok_or_else(none)?;
        let (bytes_max, data_bytes_max) = (importing.request.bytes, importing.request.data_bytes);
        let (bytes, data_bytes) = match part {
            Part::Data(bytes) => (bytes.len() as u64, bytes.len() as u64),
            Part::Zeros(bytes) => (*bytes, 0),
        };
        let is_longer = import.bytes().saturating_add(bytes) > bytes_max;
        if is_longer || import.data_bytes() + data_bytes > data_bytes_max {
            let (most, of) = if is_longer { (bytes_max, "") } else { (data_bytes_max, " of data") };
            let error = refused(format!("import {} has more than the announced {most} bytes{of}", task.0));
            let_go(import);
            self.fail(task, &error);
            return Err(error);
        }
        Ok(import)
    }

    /// Puts an import back after its part was written.
    pub fn give_back(&mut self, task: TaskId, import: Import) {
        let Some(importing) = self.open.get_mut(&task) else { return let_go(import) };
        importing.handle.progress("importing", import.bytes(), importing.request.bytes);
        (importing.import, importing.fed_at) = (Some(import), Instant::now());
    }

    /// Ends an import as failed.
    pub fn fail(&mut self, task: TaskId, error: &ControlError) {
        if let Some(importing) = self.open.remove(&task) {
            importing.handle.end(TaskState::Failed(error.clone()));
        }
    }

    /// Cancels an import. Whoever receives it has what was made of it deleted.
    ///
    /// # Errors
    /// When there is no such import, or a part of it is being written.
    pub fn cancel(&mut self, task: TaskId) -> Result<Import, ControlError> {
        let none = || refused(format!("no such import: {}", task.0));
        let import = self.open.get_mut(&task).ok_or_else(none)?.import.take().ok_or_else(none)?;
        self.open.remove(&task);
        Ok(import)
    }

    /// Removes an import whose parts have all arrived. Whoever receives it must end its task.
    ///
    /// # Errors
    /// When there is no such import, or it is shorter than announced, which ends it.
    pub fn end(&mut self, task: TaskId) -> Result<(ToShare, Import, TaskHandle), ControlError> {
        let none = || refused(format!("no such import: {}", task.0));
        let importing = self.open.get_mut(&task).ok_or_else(none)?;
        let import = importing.import.take().ok_or_else(none)?;
        let (bytes, wanted) = (import.bytes(), importing.request.bytes);
        if bytes != wanted {
            let error = refused(format!("import {} has {bytes} bytes, not {wanted}", task.0));
            let_go(import);
            self.fail(task, &error);
            return Err(error);
        }
        let (request, handle) = (importing.request.clone(), importing.handle.clone());
        importing.goes_on = true;
        self.open.remove(&task);
        Ok((request, import, handle))
    }

    /// Ends an import for which no part has come in time, and returns `None`; otherwise returns when to look again.
    /// `None` also if the import has ended already.
    fn end_if_not_fed(&mut self, task: TaskId, now: Instant) -> Option<Instant> {
        let importing = self.open.get(&task)?;
        let until = importing.fed_at + NEXT_PART_WITHIN;
        if importing.import.is_none() || now < until {
            return Some(until.max(now + NEXT_PART_WITHIN / 8));
        }
        let name = &importing.request.name;
        let error = refused(format!(
            "the import of {name} was canceled: no data for {} s",
            NEXT_PART_WITHIN.as_secs()
        ));
        self.fail(task, &error);
        None
    }
}

/// Waits until an import has ended, and ends it itself when no parts come any more.
pub async fn watch(imports: Weak<Mutex<Imports>>, task: TaskId) {
    let mut until = Instant::now() + NEXT_PART_WITHIN;
    loop {
        tokio::time::sleep_until(until).await;
        let Some(imports) = imports.upgrade() else { return };
        let mut imports = imports.lock().unwrap_or_else(PoisonError::into_inner);
        match imports.end_if_not_fed(task, Instant::now()) {
            Some(again) => until = again,
            None => return,
        }
    }
}

impl Drop for Importing {
    fn drop(&mut self) {
        if !self.goes_on {
            let message = format!("the import of {} was canceled", self.request.name);
            self.handle.end_if_running(|| TaskState::Failed(refused(message)));
        }
        self.import.take().into_iter().for_each(let_go);
    }
}

/// Deletes an unfinished import's file outside the async workers.
fn let_go(import: Import) {
    jobs::detach(move || drop(import));
}

fn refused(message: String) -> ControlError {
    ControlError { kind: ErrorKind::Refused, message, hint: None }
}
