//! A real browser without a screen, as Debian packages it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long one page may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// Pause between two looks at whether it has ended.
const LOOK: Duration = Duration::from_millis(20);
/// Nothing that the browser does on its own account may look like a request of the page.
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    // Names lead nowhere, whoever asks; only what a test serves on this machine is there.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// A browser that is started anew for each page, with a profile of its own.
#[derive(Debug)]
pub struct Chromium {
    program: PathBuf,
}

/// What came of a page.
#[derive(Debug)]
pub struct Visit {
    /// What the browser printed.
    pub output: String,
    /// What the page's console shows: errors, and every request that its policy forbids.
    pub console: Vec<String>,
}

impl Chromium {
    /// The browser at `program`.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// The document of a file after its scripts have run.
    #[must_use]
    pub fn document(&self, file: &Path) -> Visit {
        self.document_at(&address(file))
    }

    /// The same of what is served at an address, which must be one of this machine.
    #[must_use]
    pub fn document_at(&self, address: &str) -> Visit {
        self.visit(address, &["--dump-dom", "--virtual-time-budget=4000", "--window-size=1600,1000"])
    }

    /// A picture of a file in a window of this size.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn screenshot(&self, file: &Path, size: (u32, u32), to: &Path) -> Visit {
        self.screenshot_at(&address(file), size, to)
    }

    /// The same of what is served at an address.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn screenshot_at(&self, address: &str, (width, height): (u32, u32), to: &Path) -> Visit {
        // Should there be no folder, there will be no picture.
        let _is_there = to.parent().map(std::fs::create_dir_all);
        let _was_not_there = std::fs::remove_file(to);
        let window = format!("--window-size={width},{height}");
        let visit = self.visit(address, &[&window, &format!("--screenshot={}", to.display())]);
        let size = std::fs::metadata(to).map_or(0, |metadata| metadata.len());
        assert!(size > 10_000, "no picture of {address}: {size} bytes\n{}", visit.output);
        visit
    }

    /// A file as it is printed.
    ///
    /// # Panics
    ///
    /// If it cannot be printed.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    pub fn pdf(&self, file: &Path, to: &Path) -> Vec<u8> {
        let _was_not_there = std::fs::remove_file(to);
        let visit = self
            .visit(&address(file), &["--no-pdf-header-footer", &format!("--print-to-pdf={}", to.display())]);
        assert!(to.is_file(), "{} was not printed:\n{}", file.display(), visit.output);
        std::fs::read(to).unwrap()
    }

    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    fn visit(&self, address: &str, flags: &[&str]) -> Visit {
        let folder = tempfile::tempdir().unwrap();
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| folder.path().join(name));
        let mut child = Command::new(&self.program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .args(flags)
            .arg(address)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&stdout).unwrap())
            .stderr(std::fs::File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        let text =
            |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                let _has_ended_already = child.kill();
                let _nothing_left_to_do = child.wait();
                assert!(Instant::now() < deadline, "{address} takes for ever:\n{}", text(&stderr));
            }
            std::thread::sleep(LOOK);
        }
        let log = text(&stderr);
        let console = log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect();
        Visit { output: text(&stdout) + &log, console }
    }
}

#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
fn address(file: &Path) -> String {
    format!("file://{}", file.canonicalize().unwrap().display())
}
