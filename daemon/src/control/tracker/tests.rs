//! Tests questions to trackers that do not answer.

use super::*;
use crate::inbox::{Configured, WatchSettings};
use crate::net::Network;
use crate::throttle::Bucket;
use shared::host::config::{DaemonConfig, RateLimit};
use shared::id::PeerId;
use std::net::Ipv4Addr;
use tokio::net::{TcpListener, TcpStream};

fn questions(trackers: &[&TrackerUrl]) -> Arc<Questions> {
    let bucket = || Bucket::new(RateLimit::None);
    let listen = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 7987);
    let (context, _, _) =
        Context::new(PeerId([1; 16]), listen, String::new(), (bucket(), bucket()), Network::System);
    let trackers = trackers.iter().copied().cloned().collect();
    let watch = WatchSettings::of(&DaemonConfig::default());
    let (subscribe, files) = (Vec::new(), Vec::new());
    let configured = Configured { trackers, file_mode: 0o644, file_group: None, subscribe, files, watch };
    Questions::new(context, watch::channel(configured).1)
}

/// A tracker that accepts connections and says nothing.
async fn silent() -> (TrackerUrl, TcpListener) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    (format!("tt://{}", listener.local_addr().unwrap()).parse().unwrap(), listener)
}

/// An address at which nobody listens.
async fn nobody() -> TrackerUrl {
    silent().await.0
}

#[tokio::test]
async fn a_tracker_that_is_not_there_is_named() {
    let (first, second) = (nobody().await, nobody().await);
    let questions = questions(&[&first, &second]);
    let named = questions.list(7, Some(second.clone()), None).await.unwrap_err();
    assert_eq!(named.kind, ErrorKind::Unreachable);
    assert_eq!(named.message, format!("tracker {second} unreachable (connection refused)"));
    let own = questions.list(7, None, None).await.unwrap_err();
    assert_eq!(own.message, format!("tracker {first} unreachable (connection refused)"));
}

#[tokio::test]
async fn without_a_tracker_there_is_nobody_to_ask() {
    let error = questions(&[]).list(7, None, None).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Usage, "no tracker is configured"));
}

#[tokio::test]
async fn a_tracker_that_hangs_up_can_be_tried_again() {
    let (url, listener) = silent().await;
    let hang_up = tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    let error = questions(&[]).peers(7, Some(url.clone()), ResourceId([1; 32])).await.unwrap_err();
    hang_up.await.unwrap();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.message.contains(url.as_str()), "{error}");
}

/// One user asks 256 questions of a tracker that never answers. They take `QUESTIONS_EACH_MAX` connections, and no
/// other user waits.
#[tokio::test]
async fn questions_of_one_user_that_wait_keep_nobody_else_waiting() {
    let (url, listener) = silent().await;
    let nobody = nobody().await;
    let questions = questions(&[]);
    let waiting: Vec<_> = (0..256)
        .map(|_| {
            let (questions, url) = (questions.clone(), url.clone());
            tokio::spawn(async move {
                questions.fleet(7, Some(url), Lookup::Resource(ResourceId([1; 32])), None, 0).await
            })
        })
        .collect();
    let mut connected: Vec<TcpStream> = Vec::new();
    for _ in 0..QUESTIONS_EACH_MAX {
        connected.push(listener.accept().await.unwrap().0);
    }
    // Another user is answered, and meanwhile the first one got no more connections.
    let error = questions.list(8, Some(nobody), None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(futures::FutureExt::now_or_never(listener.accept()).is_none());
    assert_eq!(questions.room.available_permits(), QUESTIONS_MAX - QUESTIONS_EACH_MAX);
    // A question that is dropped frees its place and leaves no connection behind.
    waiting.iter().for_each(|waiting| waiting.abort());
    for waiting in waiting {
        assert!(waiting.await.is_err_and(|error| error.is_cancelled()));
    }
    assert_eq!(questions.room.available_permits(), QUESTIONS_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_question_has_an_end_whatever_the_tracker_does() {
    let (url, _listener) = silent().await;
    let begin = tokio::time::Instant::now();
    let error = questions(&[]).examine(7, url.clone()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.message.contains(url.as_str()), "{error}");
    assert!(begin.elapsed() <= ANSWER_WITHIN);
}

/// The time of a question is divided: a tracker that hangs leaves time for those after it.
#[tokio::test(start_paused = true)]
async fn trackers_that_hang_leave_time_for_the_one_behind_them() {
    let (first, _first) = silent().await;
    let (second, _second) = silent().await;
    let (third, _third) = silent().await;
    let (last, listener) = silent().await;
    let begin = tokio::time::Instant::now();
    let error = questions(&[&first, &second, &third, &last]).list(7, None, None).await.unwrap_err();
    assert!(begin.elapsed() <= ANSWER_WITHIN);
    assert!(futures::FutureExt::now_or_never(listener.accept()).is_some(), "the last one was not asked");
    assert_eq!(error.kind, ErrorKind::Unreachable);
    for url in [&first, &second, &third, &last] {
        assert!(error.message.contains(url.as_str()), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tracker_that_was_not_asked_is_not_named() {
    let mut silent_ones = Vec::new();
    for _ in 0..=TRACKERS_MAX {
        silent_ones.push(silent().await);
    }
    let urls: Vec<&TrackerUrl> = silent_ones.iter().map(|(url, _)| url).collect();
    let error = questions(&urls).list(7, None, None).await.unwrap_err();
    let names = |url: &TrackerUrl| error.message.split([' ', ',']).any(|word| word == url.as_str());
    assert!(urls[..TRACKERS_MAX].iter().all(|url| names(url)), "{error}");
    assert!(!names(urls[TRACKERS_MAX]), "{error}");
}
