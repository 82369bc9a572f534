//! A real Prometheus, as Debian packages it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use tempfile::TempDir;
use tierprobe_collector::rules::RAW;

use crate::agent::Agent;
use crate::http::get;
use crate::program::Program;
use crate::repository;

/// One sample of an instant query.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The labels; the name of the metric is under `__name__`.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// The value of a label, empty if it is not there.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// A server that scrapes agents once a second.
#[derive(Debug)]
pub struct Prometheus {
    program: Program,
    address: String,
}

impl Prometheus {
    /// Starts the server `program` with the configuration in `deploy/`, but for these agents, once a second.
    ///
    /// # Panics
    ///
    /// If it does not become ready.
    #[must_use]
    pub fn start(program: &Path, agents: &[Agent]) -> Self {
        let targets: Vec<String> = agents.iter().map(|agent| agent.address().to_owned()).collect();
        Self::scraping(program, &targets)
    }

    /// The same for any targets, each as host and port.
    ///
    /// # Panics
    ///
    /// If it does not become ready.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    pub fn scraping(program: &Path, targets: &[String]) -> Self {
        let rules = std::fs::read_to_string(repository("dashboards/rules.yml")).unwrap();
        Self::with(program, targets, &rules, "")
    }

    /// The same, which sends on what `rules` record instead of the shipped ones, and what `compare` needs beside it, to
    /// the store at `address`.
    ///
    /// # Panics
    ///
    /// If it does not become ready.
    #[must_use]
    pub fn recording(program: &Path, targets: &[String], rules: &str, address: &str) -> Self {
        let more = format!(
            "\nremote_write:\n  - url: http://{address}/api/v1/write\n    queue_config: {{batch_send_deadline: 500ms}}\n    \
             write_relabel_configs:\n      - {{source_labels: [__name__], action: keep, regex: 'instance:tierprobe_.+|{RAW}'}}\n"
        );
        Self::with(program, targets, rules, &more)
    }

    /// With the configuration that is shipped, these rules, and `more` behind it.
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    fn with(program: &Path, targets: &[String], rules: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("deploy/prometheus/prometheus.yml");
        let rules_at = folder.path().join("dashboards/rules.yml");
        std::fs::create_dir_all(config.parent().unwrap()).unwrap();
        std::fs::create_dir_all(rules_at.parent().unwrap()).unwrap();
        std::fs::write(rules_at, rules).unwrap();
        let shipped = std::fs::read_to_string(repository("deploy/prometheus/prometheus.yml")).unwrap();
        let targets: Vec<String> = targets.iter().map(|target| format!("{target:?}")).collect();
        let changed = exchange(&shipped, "interval: 15s", "interval: 1s");
        let changed = exchange(&changed, "\"127.0.0.1:10990\"", &targets.join(", "));
        std::fs::write(&config, changed + more).unwrap();

        Self::configured(program, folder, &config)
    }

    /// The server `program` with this configuration, and `folder` to write into: what is in its `data` is served.
    ///
    /// # Panics
    ///
    /// If it does not become ready.
    #[must_use]
    pub fn configured(program: &Path, folder: TempDir, config: &Path) -> Self {
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0");
        let mut program = Program::start(&mut command, folder);
        let address = program.wait_for_log("Listening on", "address=");
        program.wait_for("/-/ready", |_| get(&format!("http://{address}/-/ready"), &[]));
        Self { program, address }
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.program.id()
    }

    /// The samples of an expression, now.
    ///
    /// # Errors
    ///
    /// What Prometheus has against it.
    pub fn query(&self, expression: &str) -> Result<Vec<Sample>, String> {
        query(&self.address, expression)
    }

    /// The samples of an expression, as soon as there are any.
    ///
    /// # Panics
    ///
    /// If there are none after a minute.
    pub fn wait_for_samples(&mut self, expression: &str) -> Vec<Sample> {
        let address = &self.address;
        self.program.wait_for(expression, |_| {
            let samples = query(address, expression)?;
            if samples.is_empty() { Err("no samples".to_owned()) } else { Ok(samples) }
        })
    }
}

/// `text` with `old` exchanged, which must be there.
fn exchange(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "there is no {old:?} in:\n{text}");
    text.replace(old, new)
}

/// What `/api/v1/query` answers.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    warnings: Vec<String>,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<RawSample>,
}

#[derive(Deserialize)]
struct RawSample {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

fn query(address: &str, expression: &str) -> Result<Vec<Sample>, String> {
    let body = get(&format!("http://{address}/api/v1/query"), &[("query", expression)])?;
    let answer: Answer = serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?;
    if !answer.warnings.is_empty() {
        return Err(answer.warnings.join("; "));
    }
    let sample = |raw: RawSample| {
        let value = raw.value.1.parse().map_err(|_| format!("{} is no number", raw.value.1))?;
        Ok(Sample { labels: raw.metric, value })
    };
    answer.data.result.into_iter().map(sample).collect()
}

/// Runs `promtool` with `input`. What it found fault with is the error.
///
/// # Errors
///
/// All that it printed, if it fails or says anything on standard error.
///
/// # Panics
///
/// If it cannot be started.
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
pub fn promtool(program: &Path, arguments: &[&str], input: &str) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(repository(""));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    if let Some(mut stdin) = child.stdin.take() {
        // A promtool that reads no input may be gone already.
        let _gone = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if output.status.success() && stderr.is_empty() {
        Ok(stdout)
    } else {
        Err(format!("promtool {}: {}\n{stdout}{stderr}", arguments.join(" "), output.status))
    }
}
