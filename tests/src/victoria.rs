//! A real VictoriaMetrics, as Debian packages it: another store with the HTTP API of Prometheus.

use std::path::Path;
use std::process::Command;

use crate::http::get;
use crate::port;
use crate::program::Program;

/// A server that scrapes targets once a second.
#[derive(Debug)]
pub struct Victoria {
    _program: Program,
    address: String,
}

impl Victoria {
    /// Starts the server `program` for these targets.
    ///
    /// # Panics
    ///
    /// If it does not become ready.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    pub fn start(program: &Path, targets: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("scrape.yml");
        let targets: Vec<String> = targets.iter().map(|target| format!("{target:?}")).collect();
        let text = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: tierprobe\n  static_configs:\n  - targets: [{}]\n",
            targets.join(", ")
        );
        std::fs::write(&config, text).unwrap();
        // It says its port only as it was told.
        let address = port::unused().to_string();
        let mut command = Command::new(program);
        command
            .arg(format!("-storageDataPath={}", folder.path().join("data").display()))
            .arg(format!("-promscrape.config={}", config.display()))
            .arg(format!("-httpListenAddr={address}"))
            .arg("-memory.allowedBytes=128MB");
        let mut program = Program::start(&mut command, folder);
        program.wait_for("/health", |_| get(&format!("http://{address}/health"), &[]));
        Self { _program: program, address }
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}
