//! Peers that receive or send chunks much more slowly than others.

use super::*;

/// Picks and requests a chunk, which is then being uploaded. Returns the question and the chunk.
fn upload(bench: &mut Bench, to: u8) -> (AskId, ChunkIndex) {
    let index = granted(&bench.pick(to, window(0..64)).1).expect("a slot is free");
    let (ask, actions) = bench.ask(to, index);
    assert_eq!(actions, [Action::Serve { ask, key: key(1), index }]);
    (ask, index)
}

/// Like [`upload`], and finishes the upload after 20 ms.
fn upload_all(bench: &mut Bench, to: u8) -> ChunkIndex {
    let (ask, index) = upload(bench, to);
    bench.wait(MILLISECOND * 20);
    bench.on(Event::AskEnded { ask, end: AskEnd::Served });
    index
}

fn seeder(slots: u32) -> Bench {
    let mut bench = Bench::with(SwarmConfig { seeder_slots: slots, ..SwarmConfig::default() });
    bench.join(1, 64, true);
    bench
}

#[test]
fn who_is_overtaken_by_others_keeps_no_slot() {
    let mut bench = seeder(2);
    let (slow, _) = upload(&mut bench, 1);
    (0..7).for_each(|_| _ = upload_all(&mut bench, 2));
    let (_, _) = (upload(&mut bench, 2), upload(&mut bench, 3)); // both slots are free
    assert_eq!(bench.pick(1, window(0..64)).1, [], "it takes another one still");
    assert_eq!(
        granted(&bench.on(Event::AskEnded { ask: slow, end: AskEnd::Served })),
        None,
        "no slot is free"
    );
}

#[test]
fn what_a_slow_peer_got_is_given_to_another_when_each_chunk_was_given_once() {
    let mut bench = seeder(2);
    let (slow, first) = upload(&mut bench, 1);
    (0..7).for_each(|_| _ = upload_all(&mut bench, 2));
    bench.on(Event::AskEnded { ask: slow, end: AskEnd::Served });
    let (_, second) = upload(&mut bench, 1); // it is known as slow now
    let others: Vec<ChunkIndex> = (0..64 - 9).map(|_| upload_all(&mut bench, 2)).collect();
    assert!(
        !others.contains(&first) && !others.contains(&second),
        "each chunk is given once before any twice"
    );
    let mut next = [upload_all(&mut bench, 2), upload_all(&mut bench, 2)];
    next.sort();
    assert_eq!(next, [first, second], "they will not be passed on soon");
}

#[test]
fn a_slow_peer_is_not_helped_before_others() {
    let mut bench = seeder(2);
    let (slow, _) = upload(&mut bench, 1);
    (0..7).for_each(|_| _ = upload_all(&mut bench, 2));
    bench.on(Event::AskEnded { ask: slow, end: AskEnd::Served });
    bench.pick(1, window(0..64));
    let declined = granted(&bench.pick(3, window(0..64)).1).expect("a slot is free");
    // Both slots are reserved now. Of the waiting peers, this one lacks most and came last.
    let waiting = [(4, 0..30), (5, 0..40), (1, 0..64)];
    let asks = waiting.map(|(from, lacks)| (bench.pick(from, window(lacks)).0, from));
    let next = |actions: Vec<Action>| {
        let is_granted =
            |of: AskId| actions.iter().any(|it| matches!(it, Action::Grant { ask, .. } if *ask == of));
        asks.iter().find(|(ask, _)| is_granted(*ask)).map(|(_, from)| *from)
    };
    let mut order = [next(bench.pick(3, Window::of(declined, [])).1), next(bench.wait(SECOND))];
    order.sort();
    assert_eq!(order, [Some(4), Some(5)], "the oldest, and that of who lacks most of the others");
}

#[test]
fn while_nobody_gets_anything_nobody_is_overtaken() {
    let mut bench = seeder(2);
    upload_all(&mut bench, 1);
    let (_, _) = (upload(&mut bench, 1), upload(&mut bench, 2));
    bench.pick(3, window(0..64));
    assert_eq!(granted(&bench.wait(MILLISECOND * 800)), None, "all wait: for this machine");
    assert!(granted(&bench.wait(MILLISECOND * 300)).is_some(), "or for two that take nothing");
}

/// A peer sends nothing. After 20 ms its chunk is requested from another one too, which takes this long. Returns whether
/// each of the two rests.
fn overtaken_after(took: Duration) -> (bool, bool) {
    let mut bench = Bench::new();
    let mut have = HaveMap::full(ChunkCount::new(3).unwrap());
    (0..2).for_each(|index| _ = have.remove(ChunkIndex(index)));
    bench.on(Event::Join { key: key(1), count: have.count(), have });
    let mut asked = Vec::new();
    for at in 1..=3 {
        asked.extend(requests(&bench.meet(at, News::Add(vec![ChunkIndex(0), ChunkIndex(1)]))));
    }
    let [(_, silent), (quick, from)] = asked[..] else { panic!("{asked:?}") };
    let receive = |bench: &mut Bench, request, peer| {
        bench.on(Event::Progress { peer, bytes: 1 << 20 });
        bench.on(Event::Received { request })
    };
    bench.wait(MILLISECOND * 10); // so a chunk usually takes 10 ms
    receive(&mut bench, quick, from);
    let (second, from) = the_request(&bench.wait(MILLISECOND * 10));
    assert_ne!(from, silent);
    bench.wait(took);
    receive(&mut bench, second, from);
    let rests = |peer| bench.machine.swarms[&key(1)].members.get(peer).unwrap().rests_until > bench.now;
    (rests(silent), rests(from))
}

#[test]
fn who_sent_nothing_for_three_chunk_times_until_another_was_first_is_not_asked_again_at_once() {
    assert_eq!(overtaken_after(MILLISECOND), (false, false));
    assert_eq!(overtaken_after(MILLISECOND * 10), (false, false), "it may have been about to begin");
    assert_eq!(overtaken_after(MILLISECOND * 11), (true, false));
    assert_eq!(overtaken_after(MILLISECOND * 90), (true, false));
}

#[test]
fn nobody_overtakes_itself() {
    let mut bench = seeder(3);
    upload(&mut bench, 1);
    (0..9).for_each(|_| _ = upload_all(&mut bench, 1));
    assert!(granted(&bench.pick(1, window(0..64)).1).is_some(), "its chunks share its link");
}

/// A chunk usually takes 200 ms.
#[test]
fn a_slow_upload_keeps_its_slot_for_six_chunk_times_if_others_get_chunks_and_else_for_sixteen() {
    let quick = |bench: &mut Bench| {
        let (ask, _) = upload(bench, 2);
        bench.now = bench.now + MILLISECOND * 200;
        bench.on(Event::AskEnded { ask, end: AskEnd::Served });
        bench.machine.uploads.overdue()
    };
    let mut bench = seeder(2);
    quick(&mut bench);
    upload(&mut bench, 1);
    let overdue = [(); 6].map(|()| quick(&mut bench));
    assert_eq!(overdue, [0, 0, 0, 0, 0, 1]);

    let mut bench = seeder(1);
    quick(&mut bench);
    upload(&mut bench, 1);
    bench.pick(3, window(0..64));
    assert_eq!(granted(&bench.wait(MILLISECOND * (16 * 200 - 1))), None);
    assert!(granted(&bench.wait(MILLISECOND)).is_some());
}
