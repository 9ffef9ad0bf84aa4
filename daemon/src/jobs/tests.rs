//! Jobs on real threads, and in a life.

use super::life::{Life, Pace, World};
use super::*;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Work happens after 1 to 40 ms, and its result arrives after 1 to 40 ms more; a seed that draws 0 takes none.
const SLOW: Pace = Pace { happens_max_ms: 40, known_max_ms: 40, late_max_ms: 40 };

/// Sends 1 to 5, of which 3 panics. Returns those that were done.
async fn line_of_five() -> Vec<u32> {
    let done = Arc::new(Mutex::new(Vec::new()));
    let noted = done.clone();
    let line = Line::start("jobs", move |job: u32| {
        assert_ne!(job, 3, "this panic is wanted");
        noted.lock().unwrap().push(job);
    });
    let line = line.unwrap();
    (1..=5).for_each(|job| line.send(job));
    line.end().await;
    let done = done.lock().unwrap();
    done.clone()
}

#[tokio::test]
async fn a_line_does_its_jobs_in_order_and_survives_a_panic() {
    assert_eq!(line_of_five().await, [1, 2, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn so_does_a_line_in_a_life() {
    let life = Life::new(1, SLOW);
    assert_eq!(life.spawn(line_of_five()).await.unwrap(), [1, 2, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_job_happens_at_one_moment_and_its_result_arrives_at_a_later_one() {
    let (mut apart, begin) = (0, Instant::now());
    for seed in 0..20 {
        let life = Life::new(seed, SLOW);
        let (asked, happened, known) = life
            .spawn(async {
                let asked = Instant::now();
                let happened = run(Instant::now).await.unwrap();
                (asked, happened, Instant::now())
            })
            .await
            .unwrap();
        assert!(asked <= happened && happened <= known && known <= asked + Duration::from_millis(80));
        apart += u32::from(asked < happened && happened < known);
    }
    assert!(apart > 15, "only {apart} jobs took time");
    assert!(begin.elapsed() > Duration::from_millis(200));
}

#[tokio::test(start_paused = true)]
async fn the_seed_decides_when_a_job_happens() {
    let moments = async |seed| {
        let begin = Instant::now();
        let life = Life::new(seed, SLOW);
        let jobs: Vec<_> = (0..10).map(|_| life.run(Instant::now)).collect();
        let mut moments = Vec::new();
        for job in jobs {
            moments.push(job.await.unwrap() - begin);
        }
        moments
    };
    let (first, again, other) = (moments(1).await, moments(1).await, moments(2).await);
    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[tokio::test(start_paused = true)]
async fn what_is_told_of_a_job_is_told_later() {
    let life = Life::new(3, SLOW);
    let (told, heard) = oneshot::channel();
    life.enter(|| run_and_tell(Instant::now, |happened| _ = told.send((happened, Instant::now()))));
    let (happened, told) = heard.await.unwrap();
    assert!(happened < told);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_job_is_a_panic_of_its_task() {
    let life = Life::new(4, SLOW);
    let failed = life.run(|| panic!("this panic is wanted")).await;
    assert!(failed.unwrap_err().is_panic());
    assert!(run(|| panic!("this panic is wanted")).await.unwrap_err().is_panic(), "also on a real thread");
}

#[tokio::test(start_paused = true)]
async fn a_life_that_has_ended_runs_nothing_and_drops_its_work() {
    let life = Life::new(5, SLOW);
    let held = Arc::new(());
    let never = |held: Arc<()>| move || panic!("it ran, with {held:?}");
    let begun = life.run(never(held.clone()));
    let waiting = life.spawn(life.within({
        let held = held.clone();
        async move {
            std::future::pending::<()>().await;
            drop(held);
        }
    }));
    tokio::task::yield_now().await;
    life.die();
    let after = life.enter(|| run(never(held.clone())));
    life.enter(|| thread("never", never(held.clone()))).unwrap();
    life.drop_tasks();
    assert!(begun.await.unwrap_err().is_cancelled() && after.await.unwrap_err().is_cancelled());
    assert!(waiting.await.unwrap_err().is_cancelled());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_task_of_a_life_begins_belongs_to_that_life() {
    let life = Life::new(6, SLOW);
    let is_this = |life: &Arc<Life>| life::current().is_some_and(|current| Arc::ptr_eq(&current, life));
    let (own, inner, set) = (life.clone(), life.clone(), life.clone());
    let begun = life.spawn(async move {
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(within(async move { is_this(&set) }));
        is_this(&own)
            && spawn(async move { is_this(&inner) }).await.unwrap()
            && tasks.join_next().await.unwrap().unwrap()
    });
    assert!(begun.await.unwrap());
    assert!(life::current().is_none());
    // also what runs when a task is dropped
    struct Last(Arc<Mutex<Option<Arc<Life>>>>);
    impl Drop for Last {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = life::current();
        }
    }
    let seen = Arc::new(Mutex::new(None));
    let last = Last(seen.clone());
    let waiting = life.spawn(async move {
        std::future::pending::<()>().await;
        drop(last);
    });
    tokio::task::yield_now().await;
    life.die();
    life.drop_tasks();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert!(!is_this(&life) && Arc::ptr_eq(seen.lock().unwrap().as_ref().unwrap(), &life));
}

#[tokio::test(start_paused = true)]
async fn steps_end_when_one_says_so_and_pause_on_virtual_time() {
    let life = Life::new(7, SLOW);
    life.set_pace(Pace { happens_max_ms: 0, known_max_ms: 0, late_max_ms: 0 });
    let (done, mut left, begin) = (Arc::new(Notify::new()), 4, Instant::now());
    let tell = done.clone();
    let step = move || {
        left -= 1;
        match left {
            3 => Next::Step,
            0 => {
                tell.notify_one();
                Next::End
            }
            _ => Next::StepAfter(Duration::from_secs(50)),
        }
    };
    life.enter(|| steps("steps", step)).unwrap();
    done.notified().await;
    assert_eq!(begin.elapsed(), Duration::from_secs(100));
}

#[tokio::test]
async fn steps_on_a_real_thread_end_when_one_says_so() {
    let (until, ended) = oneshot::channel::<u32>();
    let (mut left, mut until) = (3, Some(until));
    let step = move || {
        left -= 1;
        match left {
            2 => Next::Step,
            1 => Next::StepAfter(Duration::from_millis(1)),
            _ => {
                until.take().unwrap().send(left).unwrap();
                Next::End
            }
        }
    };
    steps("steps", step).unwrap();
    assert_eq!(ended.await.unwrap(), 0);
}

#[test]
fn without_a_runtime_detached_work_is_done_at_once() {
    let done = Arc::new(Mutex::new(false));
    let noted = done.clone();
    detach(move || *noted.lock().unwrap() = true);
    assert!(*done.lock().unwrap());
}

#[tokio::test(start_paused = true)]
async fn in_a_world_nothing_begins_without_a_life() {
    let world = World::begin();
    let begun = catch_unwind(|| drop(run(|| ())));
    assert!(begun.is_err());
    assert!(!world.is_stuck());
    drop(world);
    run(|| ()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_world_in_which_no_time_passes_ends() {
    let world = World::begin();
    let life = Life::new(8, Pace::default());
    let circle = life.spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    let ended: Result<(), _> = circle.await;
    assert!(ended.unwrap_err().is_panic());
    assert!(world.is_stuck());
}

#[tokio::test(start_paused = true)]
async fn random_numbers_of_a_life_follow_from_its_seed() {
    let drawn = |seed| Life::new(seed, SLOW).enter(crate::entropy::random::<[u8; 32]>);
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    assert_ne!(crate::entropy::random::<[u8; 32]>(), crate::entropy::random::<[u8; 32]>());
}
