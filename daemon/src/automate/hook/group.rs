//! The processes of a hook: a direct child of ttd that leads a process group of its own.
//!
//! The child is reaped last. Until then the system gives its number to nobody else, so that signals to its group reach nobody else.

use crate::jobs;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;
use tokio::sync::watch;

/// How long a killed process may take to end. One that the disk or the kernel holds longer is left behind.
const KILLED_WITHIN: Duration = Duration::from_secs(5);

/// A hook that was started. Dropping it kills what is left of it.
#[derive(Debug)]
pub struct Group {
    /// `None` once it is reaped.
    child: Option<Child>,
    pid: Pid,
    /// Whether the child has ended.
    ended: watch::Receiver<bool>,
}

impl Group {
    /// Starts a program as the leader of a new group. It blocks until the program is loaded.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(mut command: Command) -> io::Result<Group> {
        let child = command.process_group(0).spawn()?;
        let pid = Pid::from_child(&child);
        let (tell, ended) = watch::channel(false);
        let group = Group { child: Some(child), pid, ended };
        // A thread of its own, because it waits as long as the hook runs. The child is not reaped by that.
        jobs::thread("hook", move || {
            while let Err(Errno::INTR) =
                waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
            {}
            tell.send_replace(true);
        })?;
        Ok(group)
    }

    /// Waits until the child has ended. It is not reaped.
    pub async fn ended(&mut self) {
        let _ = self.ended.wait_for(|has_ended| *has_ended).await;
    }

    /// Sends a signal to all processes of the group. That there are none is no error.
    pub fn signal(&self, signal: Signal) {
        if self.child.is_none() {
            return; // the number may be another group's
        }
        match kill_process_group(self.pid, signal) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => tracing::warn!(%error, ?signal, "cannot send a signal to a hook"),
        }
    }

    /// Kills what is left of the group, and takes the child's exit status; `None` if it does not end.
    pub async fn finish(mut self) -> Option<ExitStatus> {
        self.signal(Signal::KILL);
        let _ = tokio::time::timeout(KILLED_WITHIN, self.ended()).await;
        let status = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        if status.is_some() {
            self.child = None;
        }
        status
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if let Some(mut child) = self.child.take()
            && !matches!(child.try_wait(), Ok(Some(_)))
        {
            jobs::detach(move || drop(child.wait()));
        }
    }
}
