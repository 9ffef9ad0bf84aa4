//! The imports of one caller's connection: files that ttctl sends, part by part. Each ends somehow: with its last part,
//! with an error, when nothing comes for it, or with the connection. Then its task is told, and what is of no use is
//! removed, off the async workers: that takes seconds where a file is large.

use super::quota::Permit;
use crate::inbox::ToShare;
use crate::store::Import;
use crate::tasks::TaskHandle;
use shared::rpc::control::{ControlError, ErrorKind, TaskId, TaskState};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// How long an import waits for its next part.
pub const NEXT_PART_WITHIN: Duration = Duration::from_secs(120);

/// The imports that go on.
#[derive(Debug, Default)]
pub struct Imports {
    open: BTreeMap<TaskId, Importing>,
}

#[derive(Debug)]
struct Importing {
    request: ToShare,
    handle: TaskHandle,
    /// Away while a part is written.
    import: Option<Import>,
    fed_at: Instant,
    /// All of it is here, and its task goes on in the driver.
    goes_on: bool,
    /// Of its connection, and of its user.
    _permits: [Permit; 2],
}

impl Imports {
    /// One begins.
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

    /// An import, to have a part of this many bytes written to it.
    ///
    /// # Errors
    /// When there is none or another part is being written, or when this part is too much for it: then it has ended.
    pub fn lend(&mut self, task: TaskId, bytes: u64) -> Result<Import, ControlError> {
        let none = || refused(format!("import {} takes no part now", task.0));
        let importing = self.open.get_mut(&task).ok_or_else(none)?;
        let import = importing.import.take().ok_or_else(none)?;
        let room = importing.request.bytes;
        if import.bytes() + bytes > room {
            let error = refused(format!("import {} was announced with {room} bytes, and has more", task.0));
            let_go(import);
            self.fail(task, &error);
            return Err(error);
        }
        Ok(import)
    }

    /// The part is written.
    pub fn give_back(&mut self, task: TaskId, import: Import) {
        let Some(importing) = self.open.get_mut(&task) else { return let_go(import) };
        importing.handle.progress("importing", import.bytes(), importing.request.bytes);
        (importing.import, importing.fed_at) = (Some(import), Instant::now());
    }

    /// An import has failed.
    pub fn fail(&mut self, task: TaskId, error: &ControlError) {
        if let Some(importing) = self.open.remove(&task) {
            importing.handle.end(TaskState::Failed(error.clone()));
        }
    }

    /// All parts of an import are here. Its task goes on: whoever takes it tells how it ends.
    ///
    /// # Errors
    /// When there is no such import, or it is not as long as announced: then it has ended.
    pub fn end(&mut self, task: TaskId) -> Result<(ToShare, Import, TaskHandle), ControlError> {
        let none = || refused(format!("there is no import {}", task.0));
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

    /// Ends an import for which no part has come for too long; else when to look again. `None` when it has ended.
    fn end_if_not_fed(&mut self, task: TaskId, now: Instant) -> Option<Instant> {
        let importing = self.open.get(&task)?;
        let until = importing.fed_at + NEXT_PART_WITHIN;
        if importing.import.is_none() || now < until {
            return Some(until.max(now + NEXT_PART_WITHIN / 8));
        }
        let name = &importing.request.name;
        let error = refused(format!(
            "the import of {name} was broken off: nothing came for it in {} s",
            NEXT_PART_WITHIN.as_secs()
        ));
        self.fail(task, &error);
        None
    }
}

/// Ends an import that is not fed any more, unless it ends otherwise.
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
            let message = format!("the import of {} was broken off", self.request.name);
            self.handle.end_if_running(|| TaskState::Failed(refused(message)));
        }
        self.import.take().into_iter().for_each(let_go);
    }
}

/// Removes what was imported, off the async workers.
fn let_go(import: Import) {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(move || drop(import))),
        Err(_) => drop(import), // the daemon ends
    }
}

fn refused(message: String) -> ControlError {
    ControlError { kind: ErrorKind::Refused, message, hint: None }
}
