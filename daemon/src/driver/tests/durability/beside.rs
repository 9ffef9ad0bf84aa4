//! The same while chunks are taken from another file of this machine.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_crash_before_any_step_while_chunks_are_reused_loses_nothing() {
    for (old, stop) in [(Old::Beside, Stop::Tear), (Old::Replaced, Stop::Cut)] {
        let mut step = 1;
        while check_bench(Bench::with(old).await, step, stop).await {
            step += 1;
        }
        assert!(step > 30, "a download has more steps than {step}");
        eprintln!("{} steps", step - 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_disk_that_fails_while_chunks_are_reused_is_waited_for() {
    for refusal in [DiskFault::Full, DiskFault::WriteBack] {
        let mut step = 1;
        while {
            eprintln!("refused from step {step} on: {refusal:?}");
            check_refusal(Bench::with(Old::Beside).await, step, refusal).await
        } {
            step += 1;
        }
        assert!(step > 20, "a download has more steps than {step}");
    }
}
