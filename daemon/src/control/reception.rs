//! Receives the callers of the control socket: each is given a place and a session of its own.

use super::callers::{CallerPlace, Callers, Counted};
use super::common::ControlServer;
use super::server::CallerSession;
use super::tracker::Questions;
use crate::jobs;
use shared::rpc::control::Control;
use shared::rpc::local::{Credentials, Listener};
use shared::rpc::wire::{self, Greeted, ServerOptions};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

/// Serves callers, and knows all of them.
#[derive(Debug, Clone)]
pub struct Reception {
    server: Arc<ControlServer>,
    callers: Arc<Callers>,
    questions: Arc<Questions>,
}

impl Reception {
    /// Nobody has called yet.
    pub fn new(server: Arc<ControlServer>) -> Reception {
        let questions = Questions::new(server.context.clone(), server.configured.clone());
        Reception { server, callers: Callers::new(), questions }
    }

    /// Accepts callers until the task is aborted.
    pub async fn accept(self, listener: Listener) {
        loop {
            match listener.accept().await {
                Ok((stream, who)) => self.receive(stream, who),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection of ttctl");
                    // Descriptors have probably run out: wait until some are free.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Serves a caller in a task of its own, or waits there for a place.
    pub fn receive<S>(&self, stream: S, who: Credentials)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (reception, admitted) = (self.clone(), self.callers.admit(who.uid));
        jobs::spawn(async move {
            let admitted = match admitted {
                Some(admitted) => Some(admitted),
                None => reception.callers.wait_for_place(who.uid).await,
            };
            match admitted {
                Some((place, end)) => reception.serve(stream, who, place, end).await,
                None => {
                    tracing::warn!("refused a connection of uid {}: too many are open", who.uid)
                }
            }
        });
    }

    async fn serve<S>(self, stream: S, who: Credentials, place: Arc<CallerPlace>, end: Arc<Notify>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let greeted = Greeted::new();
        let (server, questions, callers) = (self.server, self.questions, place.callers.clone());
        let caller = CallerSession::new(server, questions, callers, who, greeted.clone());
        let options = ServerOptions { greeted, ..ServerOptions::default() };
        let service = Counted { service: caller.serve(), place };
        tokio::select! {
            end = wire::serve(stream, options, service) => {
                tracing::debug!(uid = who.uid, error = %end, "a caller's connection ended");
            }
            () = end.notified() => tracing::debug!(uid = who.uid, "a caller has made room for another"),
        }
    }
}
