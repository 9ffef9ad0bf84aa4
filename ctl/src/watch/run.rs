//! Receives updates and shows them until the user ends it.

use super::frame::{Frame, Place};
use super::screen::{Happening, Screen};
use crate::error::{Error, Kind};
use crate::output::Output;
use std::io;
use tokio::sync::mpsc;

/// Sends updates. One waits while another is being shown.
pub(crate) type Updates<U> = mpsc::Sender<U>;

/// Something that is watched: it records updates and can be shown.
pub(crate) trait Watched {
    /// A change.
    type Update;

    /// Records an update.
    fn take(&mut self, update: Self::Update, output: &Output);

    /// The contents for a terminal.
    fn frame(&mut self, output: &Output) -> Frame;

    /// The contents for a pipe, where only lines are written that were not there before.
    fn lines(&self, output: &Output) -> Result<Vec<String>, Error>;
}

/// Shows what `source` sends until it ends with an error, the reader has gone, or the user ends it.
pub(crate) async fn watch<W: Watched, S: Future<Output = Result<(), Error>>>(
    watched: &mut W,
    output: &mut Output,
    source: impl FnOnce(Updates<W::Update>) -> S,
) -> Result<(), Error> {
    let (sender, updates) = mpsc::channel(1);
    let gone = output.reader_gone();
    let mut shown = std::pin::pin!(show(watched, updates, output));
    tokio::select! {
        shown = &mut shown => shown,
        ended = source(sender) => {
            shown.await?; // shows the last update
            ended
        }
        () = gone => Err(Error::new(Kind::BrokenPipe, "")),
    }
}

/// Shows updates until they end.
async fn show<W: Watched>(
    watched: &mut W,
    updates: mpsc::Receiver<W::Update>,
    output: &mut Output,
) -> Result<(), Error> {
    match output.out_is_screen() {
        true => on_screen(watched, updates, output).await,
        false => as_lines(watched, updates, output).await,
    }
}

async fn as_lines<W: Watched>(
    watched: &mut W,
    mut updates: mpsc::Receiver<W::Update>,
    output: &mut Output,
) -> Result<(), Error> {
    let mut written: Vec<String> = Vec::new();
    while let Some(update) = updates.recv().await {
        watched.take(update, output);
        let lines = watched.lines(output)?;
        lines.iter().filter(|line| !written.contains(line)).try_for_each(|line| output.line(line))?;
        output.flush()?;
        written = lines;
    }
    Ok(())
}

async fn on_screen<W: Watched>(
    watched: &mut W,
    mut updates: mpsc::Receiver<W::Update>,
    output: &mut Output,
) -> Result<(), Error> {
    output.flush()?;
    let mut place = Place::default();
    let mut screen: Option<Screen> = None;
    loop {
        // The terminal is not changed before the first update.
        let happening = match &mut screen {
            None => Happening::Update(updates.recv().await),
            Some(screen) => tokio::select! {
                update = updates.recv() => Happening::Update(update),
                happening = screen.next() => happening,
            },
        };
        match happening {
            Happening::Update(Some(update)) => watched.take(update, output),
            Happening::Update(None) => return Ok(()),
            Happening::Scrolled(scroll) => {
                let rows = crate::terminal::size(io::stdout()).rows;
                place.scroll(scroll, &watched.frame(output), rows);
            }
            Happening::Resized => (),
            Happening::Ended(ended) => return ended,
        }
        let frame = watched.frame(output);
        let lines = frame.seen(crate::terminal::size(io::stdout()).rows, &mut place, output);
        match &mut screen {
            Some(screen) => screen.draw(&lines, frame.whole())?,
            None => screen.insert(Screen::open()?).draw(&lines, frame.whole())?,
        }
    }
}
