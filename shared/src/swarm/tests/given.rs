//! Only a chunk that a peer has received, or is about to, counts as given away.

use super::*;

fn seeder() -> Bench {
    let mut bench = Bench::new();
    bench.join(1, 90, true);
    bench
}

/// Picks one of these chunks and requests it. Returns the question and the chunk.
fn begin(bench: &mut Bench, to: u8, wanted: Window) -> (AskId, ChunkIndex) {
    let index = granted(&bench.pick(to, wanted).1).expect("a slot is free");
    let (ask, actions) = bench.ask(to, index);
    assert_eq!(actions, [Action::Serve { ask, key: key(1), index }]);
    (ask, index)
}

#[test]
fn what_was_broken_off_is_given_again_before_anything_twice() {
    let mut bench = seeder();
    let lost = [1, 1].map(|to| begin(&mut bench, to, window(0..4)));
    for (ask, _) in lost {
        bench.on(Event::AskEnded { ask, end: AskEnd::BrokenOff });
    }
    let next = [(); 4].map(|()| {
        let (ask, index) = begin(&mut bench, 2, window(0..4));
        bench.on(Event::AskEnded { ask, end: AskEnd::Served });
        index.0
    });
    assert_eq!(next, [0, 1, 2, 3]);
}

#[test]
fn what_was_broken_off_does_not_say_how_long_uploads_take() {
    let mut bench = seeder();
    let (ask, _) = begin(&mut bench, 1, window(0..4));
    bench.wait(SECOND * 30);
    bench.on(Event::AskEnded { ask, end: AskEnd::BrokenOff });
    (1..=6).for_each(|to| _ = begin(&mut bench, to, window(0..9)));
    let retry = refusal(&bench.ask(7, ChunkIndex(0)).1);
    let Some(RequestRefusal::Busy { retry_after }) = retry else { panic!("{retry:?}") };
    assert_eq!(retry_after, MILLISECOND * 5, "nothing is known yet");
}

#[test]
fn what_was_got_elsewhere_counts_as_given() {
    let mut bench = seeder();
    let (ask, first) = begin(&mut bench, 1, window(0..2));
    bench.on(Event::AskEnded { ask, end: AskEnd::TakenBack });
    assert_ne!(begin(&mut bench, 2, window(0..2)).1, first);
}

#[test]
fn who_declines_one_chunk_keeps_what_else_was_granted() {
    let mut bench = seeder();
    assert_eq!(granted(&bench.pick(1, window(0..9)).1), Some(ChunkIndex(0)));
    assert_eq!(granted(&bench.pick(1, window(0..9)).1), Some(ChunkIndex(1)));
    bench.pick(1, Window::of(ChunkIndex(1), []));
    assert_eq!(granted(&bench.pick(2, window([0, 1])).1), Some(ChunkIndex(1)), "0 is still given away");
    let slots_taken: Vec<_> = (3..=6).map(|to| bench.pick(to, window(2..9)).1).collect();
    assert!(slots_taken.iter().all(|actions| granted(actions).is_some()));
    assert!(refusal(&bench.ask(1, ChunkIndex(0)).1).is_none(), "its slot was kept");
}
