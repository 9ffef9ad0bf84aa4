//! Chunks that get ahead of the have map: at most [`BOUND`], and each in the end.

use crate::orders::in_many_orders;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{Arc, mpsc};
use crate::thread::spawn;
use crate::unnoted::Unnoted;

/// The bound on unnoted chunks in this crate.
const BOUND: u32 = 2;
const ORDERS: usize = 2000;

/// The chunks that were counted at the same time, as whoever enters and leaves sees it.
#[derive(Debug, Default)]
struct Ahead(AtomicU32);

impl Ahead {
    fn one_more(&self) {
        let before = self.0.fetch_add(1, Ordering::SeqCst);
        assert!(before < BOUND, "{} chunks are ahead of the map", before + 1);
    }

    fn fewer(&self, chunks: u32) {
        self.0.fetch_sub(chunks, Ordering::SeqCst);
    }
}

#[test]
fn everybody_enters_in_the_end_and_no_more_than_the_bound_at_once() {
    in_many_orders(ORDERS, || {
        let (unnoted, ahead) = (Arc::new(Unnoted::default()), Arc::new(Ahead::default()));
        let (written, noting) = mpsc::channel();
        let takers = (0..3).map(|taker| {
            let (unnoted, ahead, written) = (unnoted.clone(), ahead.clone(), written.clone());
            spawn(move || {
                for chunk in 0..2 {
                    let entered = unnoted.enter().expect("nobody ends it");
                    ahead.one_more();
                    if (taker, chunk) == (0, 0) {
                        ahead.fewer(1);
                        drop(entered); // it was not accepted
                    } else {
                        entered.stay();
                        written.send(()).unwrap();
                    }
                }
            })
        });
        let takers: Vec<_> = takers.collect();
        drop(written);
        while let Ok(()) = noting.recv() {
            ahead.fewer(1);
            unnoted.leave(1);
        }
        takers.into_iter().for_each(|taker| taker.join().unwrap());
        assert_eq!(unnoted.chunks(), 0);
    });
}

#[test]
fn when_several_are_noted_at_once_as_many_enter() {
    in_many_orders(ORDERS, || {
        let unnoted = Arc::new(Unnoted::beginning_with(BOUND));
        let takers = (0..BOUND).map(|_| {
            let unnoted = unnoted.clone();
            spawn(move || unnoted.enter().expect("nobody ends it").stay())
        });
        let takers: Vec<_> = takers.collect();
        unnoted.leave(BOUND);
        takers.into_iter().for_each(|taker| taker.join().unwrap());
        assert_eq!(unnoted.chunks(), BOUND);
    });
}

#[test]
fn at_the_end_nobody_waits() {
    in_many_orders(ORDERS, || {
        let unnoted = Arc::new(Unnoted::beginning_with(BOUND));
        let takers = (0..2).map(|_| {
            let unnoted = unnoted.clone();
            spawn(move || assert!(unnoted.enter().is_none(), "there is no room"))
        });
        let takers: Vec<_> = takers.collect();
        unnoted.end();
        takers.into_iter().for_each(|taker| taker.join().unwrap());
        assert!(unnoted.has_ended());
    });
}
