//! How a thread stands in the queue for a core. Less than others can always be asked for, by whatever user.

/// Puts this thread behind those that do I/O, as far as the system lets it.
pub(super) fn lower_priority(niceness: i32) {
    // Elsewhere the call would be about the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, niceness) {
        tracing::warn!(%error, "guests run at the same priority as I/O");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}

/// Lets this thread run only while a core has nothing else to do, and give way at once: a thread that has merely stepped back
/// keeps its core for up to some milliseconds. There is no way back without privileges. Returns whether that was done.
pub(super) fn use_idle_priority() -> bool {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::NormalThreadSchedulePolicy::Idle;
        use thread_priority::ThreadPriority;
        use thread_priority::ThreadSchedulePolicy::Normal;

        // It also asks for a niceness that an unprivileged process that was started with another may not have, and that
        // counts for nothing here; so the outcome is read back.
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

    /// This thread's scheduling policy: field 41 of `proc(5)`, where the name that ends with a bracket is the second.
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
