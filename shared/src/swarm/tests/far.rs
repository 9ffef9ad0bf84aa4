//! Whether other machines are far, so that more chunks are under way.

use super::*;

fn far_slots(bench: &Bench) -> u32 {
    bench.machine.far_slots(&bench.machine.swarms[&key(1)])
}

#[test]
fn a_leecher_among_few_machines_uses_fewer_slots() {
    for (leeches, members, slots) in [(true, 11, 5), (true, 12, 8), (false, 0, 8)] {
        let mut bench = Bench::new();
        bench.join(1, 90, !leeches);
        (1..=members).for_each(|at| _ = bench.meet(at, News::Add(vec![])));
        assert_eq!(far_slots(&bench), 0, "nobody is far");
        bench.machine.is_far = true;
        assert_eq!(far_slots(&bench), slots, "{members} members");
    }
}

/// Machines become far above 12 percent of the time that a chunk takes, and near again below 7.2 percent.
fn check(bench: &mut Bench, chunk_time: Duration, answer: impl Fn(&mut Machine, Time)) {
    bench.machine.now = Time(0) + SECOND * 100;
    for (permille, is_far) in [(119, false), (121, true), (73, true), (71, false), (119, false)] {
        let since = bench.machine.now - chunk_time * permille / 1000;
        (0..40).for_each(|_| answer(&mut bench.machine, since));
        assert_eq!(bench.machine.is_far, is_far, "{permille} permille");
    }
}

#[test]
fn others_are_far_if_their_answers_take_a_large_part_of_a_chunk_time() {
    let mut bench = Bench::new();
    bench.join(1, 90, false);
    for at in 0..2000 {
        bench.machine.downlink.arrived(Time(98_000_000 + at * 1000), 10_000);
    }
    let chunk_time = bench.machine.downlink.chunk_time();
    check(&mut bench, chunk_time, Machine::note_answer);
}

/// It asks nobody, so it looks at how soon its grants are used. Its uplink is shared by the slots in use.
#[test]
fn a_seeder_sees_that_others_are_far() {
    let mut bench = Bench::new();
    bench.join(1, 90, true);
    (1..=2).for_each(|at| _ = bench.ask(at, ChunkIndex(0)));
    bench.machine.uploads.serve_time.add(MILLISECOND * 200);
    check(&mut bench, MILLISECOND * 100, Machine::note_grant_used);
}
