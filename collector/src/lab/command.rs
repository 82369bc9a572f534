//! Runs a program to its end, never longer than a time limit.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, bail};

use super::stop::Stop;

/// How often the end of the program is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// How long the output may lag behind the end of the program.
const OUTPUT_LAG: Duration = Duration::from_secs(1);

/// What is kept of each output stream, in bytes.
const MAX_OUTPUT_BYTES: u64 = 1 << 20;

/// The program's path, as the shell would find it, and in the folders that only root's `PATH` usually holds.
#[must_use]
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Runs `command` and returns its standard output.
///
/// It gets a process group of its own: the Ctrl-C of a terminal must reach the lab alone, which then ends things
/// in order.
///
/// # Errors
///
/// When it does not start, fails, takes longer than `limit` (it is killed then), or `stop` is set meanwhile.
pub(crate) fn run(command: &mut Command, limit: Duration, stop: Option<&Stop>) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let status = match wait(&mut child, limit, stop) {
        Ok(status) => status,
        Err(error) => {
            // Both may fail when it ended in this very moment, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
            return Err(error.context(format!("running {name}")));
        }
    };
    let text = |stream: Option<mpsc::Receiver<String>>| {
        stream.and_then(|lines| lines.recv_timeout(OUTPUT_LAG).ok()).unwrap_or_default()
    };
    let (stdout, stderr) = (text(stdout), text(stderr));
    if !status.success() {
        bail!("{name} failed ({status}): {}", last_lines(&stderr, 3));
    }
    Ok(stdout)
}

/// Waits for the end of `child`.
///
/// # Errors
///
/// When it takes longer than `limit`, or `stop` is set meanwhile; the child is left as it is.
pub(crate) fn wait(child: &mut Child, limit: Duration, stop: Option<&Stop>) -> anyhow::Result<ExitStatus> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if let Some(stop) = stop {
            stop.check()?;
        }
        if Instant::now() >= end {
            bail!("no end after {} s", limit.as_secs_f64());
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Reads a stream to its end in a thread of its own: a full pipe would stop the program, and a grandchild that
/// keeps the pipe open must not stop the lab.
fn collect(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut stream = stream.take(MAX_OUTPUT_BYTES);
        // A broken pipe ends the output as its end does.
        let _ = stream.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

/// The last `count` lines of a text that are not empty, in one line: what a program said before it failed.
#[must_use]
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(count)).copied().collect::<Vec<_>>().join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_gives_its_output_or_its_last_words() {
        let limit = Duration::from_secs(5);
        let said = run(Command::new("sh").args(["-c", "echo yes"]), limit, None).unwrap();
        assert_eq!(said, "yes\n");
        let error = run(Command::new("sh").args(["-c", "echo no >&2; exit 3"]), limit, None).unwrap_err();
        assert!(error.to_string().contains("no"), "{error}");
    }

    #[test]
    fn a_program_that_does_not_end_is_killed_at_the_limit() {
        let started = Instant::now();
        let error = run(Command::new("sleep").arg("60"), Duration::from_millis(50), None).unwrap_err();
        assert!(format!("{error:#}").contains("no end after"), "{error:#}");
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}
