//! The guest's wall clock, which decides when the guest's turn is.
//!
//! A virtual machine gets its time from an emulated clock chip that counts whole seconds, so it is wrong by up to
//! one, and instances that take turns would measure at the same time. The lab tells the guest a full second, when
//! it begins, over the second serial port. The guest sets its clock and answers, and the time that took bounds the
//! error that is left.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};

use super::stop::Stop;

/// How long the guest may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// A line to the guest.
#[derive(Debug)]
pub(crate) struct GuestClock {
    line: BufReader<UnixStream>,
}

impl GuestClock {
    /// Connects to the socket behind the guest's second serial port.
    ///
    /// # Errors
    ///
    /// When nobody listens there.
    pub(crate) fn connect(socket: &Path) -> anyhow::Result<Self> {
        let stream = UnixStream::connect(socket).context("connecting to the guest's second serial port")?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.set_write_timeout(Some(ANSWER_LIMIT))?;
        Ok(Self { line: BufReader::new(stream) })
    }

    /// Sets the guest's clock and returns by how much it may be late, at most.
    ///
    /// # Errors
    ///
    /// When the guest does not answer, or `stop` is set.
    pub(crate) fn set(&mut self, stop: &Stop) -> anyhow::Result<Duration> {
        let second = since_epoch().as_secs() + 1;
        stop.sleep(Duration::from_secs(second).saturating_sub(since_epoch()))?;
        let begin = Instant::now();
        let answer = self.ask(&format!("set {second}"))?;
        if answer != format!("is {second}") {
            bail!("the guest did not set its clock, it says {answer:?}");
        }
        Ok(begin.elapsed())
    }

    /// How far the guest's clock is from the host's, in seconds, and how sure that is: half the time that asking
    /// took.
    ///
    /// # Errors
    ///
    /// When the guest does not answer.
    pub(crate) fn offset(&mut self) -> anyhow::Result<(f64, f64)> {
        let before = since_epoch().as_secs_f64();
        let answer = self.ask("ask")?;
        let after = since_epoch().as_secs_f64();
        let guest = parse_adjtimex(&answer).with_context(|| format!("no time in {answer:?}"))?;
        Ok((guest - f64::midpoint(before, after), (after - before) / 2.0))
    }

    fn ask(&mut self, question: &str) -> anyhow::Result<String> {
        self.line.get_mut().write_all(format!("{question}\n").as_bytes())?;
        let mut answer = String::new();
        self.line.read_line(&mut answer).context("the guest does not answer on its second serial port")?;
        Ok(answer.trim().to_owned())
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The time in the words of busybox's `adjtimex`: `… time.tv_sec: 12 time.tv_usec: 345 …`.
fn parse_adjtimex(text: &str) -> Option<f64> {
    let number = |name: &str| -> Option<u32> {
        let (_, rest) = text.split_once(name)?;
        rest.split_ascii_whitespace().next()?.parse().ok()
    };
    Some(f64::from(number("time.tv_sec:")?) + f64::from(number("time.tv_usec:")?) / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guests_time_is_read_to_the_microsecond() {
        let text =
            "now mode: 0 -t tick: 10000 us time.tv_sec: 1795415396 time.tv_usec: 914790 return value: 5";
        assert!((parse_adjtimex(text).unwrap() - 1_795_415_396.914_79).abs() < 1e-6);
        assert_eq!(parse_adjtimex("now"), None);
    }
}
