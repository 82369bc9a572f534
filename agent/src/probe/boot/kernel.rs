//! What the kernel says of its own start.

use std::time::Duration;

use procfs::FromRead;
use procfs::process::Stat;

use super::super::ProbeError;
use crate::host::{HostFs, ReadError};
use crate::sys::clock;

/// Time from the kernel's start to a process's, on the reader's `CLOCK_BOOTTIME`, in ticks of 10 ms (proc(5)). Where the
/// process is out of sight, why.
///
/// # Errors
///
/// When the file is none of its kind.
pub(super) fn started(fs: &HostFs, path: &str) -> Result<Result<Duration, String>, ProbeError> {
    let bytes = match fs.bytes(path) {
        Ok(bytes) => bytes,
        Err(error @ (ReadError::NotFound | ReadError::Refused(_))) => {
            return Ok(Err(format!("{path}: {error}")));
        }
        Err(error) => return Err(ProbeError::unread(path, &error)),
    };
    let stat = Stat::from_read(bytes.as_slice()).map_err(|error| ProbeError::failed(path, error))?;
    let ticks = u32::try_from(stat.starttime).map_err(|error| ProbeError::failed(path, error))?;
    Ok(Ok(Duration::from_secs_f64(f64::from(ticks) / f64::from(clock::ticks_per_second().max(1)))))
}

/// The time stamp of the kernel's line about its first program.
///
/// A record of `/dev/kmsg` is `priority,sequence,microseconds,flags;text` (Documentation/ABI/testing/dev-kmsg).
pub(super) fn first_program(log: &str) -> Option<Duration> {
    let record = log.lines().find(|record| {
        record
            .split_once(';')
            .is_some_and(|(_, text)| text.starts_with("Run ") && text.ends_with(" as init process"))
    })?;
    let micros: u32 = record.split(',').nth(2)?.parse().ok()?;
    Some(Duration::from_micros(u64::from(micros)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_program_is_stamped_in_microseconds() {
        let log =
            "6,339,448800,-;Freeing unused kernel image memory\n6,340,448812,-;Run /init as init process\n";
        assert_eq!(first_program(log), Some(Duration::from_micros(448_812)));
        assert_eq!(first_program("6,340,nonsense,-;Run /init as init process\n"), None);
        assert_eq!(first_program(""), None);
    }

    proptest! {
        #[test]
        fn no_log_is_too_strange(log in "[0-9,;\nRunasinitproces /-]{0,200}") {
            let _any_answer_will_do = first_program(&log);
        }
    }
}
