//! What a process takes, by the kernel's account.

use std::path::PathBuf;

use anyhow::Context as _;

/// Seconds of CPU that all threads of a process have used: the first number of `/proc/PID/task/TID/schedstat`
/// (Documentation/scheduler/sched-stats.rst).
pub(crate) fn cpu_seconds(id: u32) -> anyhow::Result<f64> {
    let mut nanos = 0.0;
    for task in std::fs::read_dir(format!("/proc/{id}/task"))? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        nanos += text.split(' ').next().unwrap_or_default().parse::<f64>()?;
    }
    Ok(nanos / 1e9)
}

/// A number of kB in a file of `/proc/PID`, in bytes; see proc_pid_status(5) and proc_pid_smaps(5).
pub(crate) fn memory(id: u32, file: &str, key: &str) -> anyhow::Result<f64> {
    let path = PathBuf::from(format!("/proc/{id}/{file}"));
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let number =
        line.with_context(|| format!("{}: no {key}", path.display()))?.trim().trim_end_matches(" kB");
    Ok(number.parse::<f64>()? * 1024.0)
}

/// The most of its memory that was ever resident, in bytes.
pub(crate) fn peak(id: u32) -> anyhow::Result<f64> {
    memory(id, "status", "VmHWM")
}
