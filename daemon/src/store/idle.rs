//! Reads in the background that may take the disk only while nobody else needs it.

/// The scheduling class "idle" of ioprio_set(2), as its argument.
const IDLE_CLASS: libc::c_int = 3 << 13;

/// The argument of ioprio_set(2) that says: one thread. Of threads, 0 is the calling one.
const WHO_THREAD: libc::c_int = 1;

/// Lets the calling thread use the disk only while nobody else does, from now on. Only for a thread of one's own, not of
/// a pool. Where the system does not support it, reads are as urgent as all others.
#[expect(unsafe_code, reason = "no library offers ioprio_set yet")]
pub fn be_idle() {
    #[cfg(test)]
    if crate::jobs::life::current().is_some() {
        return; // the thread is that of a whole world, not one's own
    }
    // SAFETY: the call takes three numbers and no pointer.
    let _ = unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_THREAD, 0 as libc::c_int, IDLE_CLASS) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "no library offers ioprio_get yet")]
    fn the_thread_and_no_other_is_idle() {
        // SAFETY: the call takes two numbers and no pointer.
        let class = || unsafe { libc::syscall(libc::SYS_ioprio_get, WHO_THREAD, 0 as libc::c_int) };
        let before = class();
        let there = std::thread::spawn(move || {
            be_idle();
            class()
        });
        let there = there.join().unwrap();
        assert!(there == i64::from(IDLE_CLASS) || there == -1, "{there}");
        assert_eq!(class(), before);
    }
}
