//! Crashes while a download takes content that lies shifted in the file that it replaces.

use super::super::shift;
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_process_killed_before_any_step_while_shifted_content_is_taken_over_loses_nothing() {
    check_every_step_of_a_replacement(Stop::Kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_power_cut_before_any_step_while_shifted_content_is_taken_over_loses_nothing() {
    check_every_step_of_a_replacement(Stop::Cut).await;
}

async fn check_every_step_of_a_replacement(stop: Stop) {
    let mut step = 1;
    while check_bench(Bench::shifted(), step, stop).await {
        step += 1;
    }
    assert!(step > 40, "a download has more steps than {step}");
}

impl Bench {
    /// A download that replaces a file in which most of its content lies shifted.
    fn shifted() -> Bench {
        let old = shift::random(5);
        let mut bench = Bench { bytes: shift::with_insertion(&old, 1), ..Bench::new(dense) };
        bench.manifest = manifest_of("x", &bench.bytes);
        fs::write(bench.folder().join("x"), &old).unwrap();
        (bench.old, bench.old_bytes) = (Old::Replaced, old);
        bench
    }
}
