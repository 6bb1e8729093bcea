//! Thread priorities. Any user may lower the priority of their threads.

/// Puts this thread behind those that do I/O, if the system permits.
pub(super) fn lower_priority(niceness: i32) {
    // On other systems the call would affect the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, niceness) {
        tracing::warn!(%error, "runtime: guests run at the same priority as I/O");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}

/// Lets this thread run only while a core is idle, and yield at once: a thread with a mere niceness keeps its core for up to
/// some milliseconds. An unprivileged process cannot undo this. Returns whether it succeeded.
pub(super) fn use_idle_priority() -> bool {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::NormalThreadSchedulePolicy::Idle;
        use thread_priority::ThreadPriority;
        use thread_priority::ThreadSchedulePolicy::Normal;

        // The call also sets a niceness, which fails in an unprivileged process that was started with a greater one. The
        // niceness does not matter here, so the policy is read back instead.
        let this = thread_priority::thread_native_id();
        let _ = thread_priority::set_thread_priority_and_policy(
            this,
            ThreadPriority::Min,
            Normal(Idle),
        );
        thread_priority::thread_schedule_policy().is_ok_and(|policy| policy == Normal(Idle))
    }
    #[cfg(not(target_os = "linux"))]
    false
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// Returns this thread's scheduling policy: field 41 of `proc(5)`. The second field is the name in brackets.
    fn policy() -> String {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, numbers) = stat.rsplit_once(") ").unwrap();
        numbers.split_ascii_whitespace().nth(38).unwrap().to_owned()
    }

    #[test]
    fn a_thread_can_be_left_what_nobody_else_wants() {
        let [before, after] = std::thread::spawn(|| {
            let before = policy();
            assert!(use_idle_priority());
            [before, policy()]
        })
        .join()
        .unwrap();
        assert_ne!(before, after);
        assert_eq!(after, "5", "SCHED_IDLE");
    }
}
