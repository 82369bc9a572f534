//! The configuration file, in TOML. Its keys are the flags' names; flags win over it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// What a file says; what it does not say is absent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// What to scrape, in the forms that the command line takes.
    pub sources: Vec<String>,
    /// Where to answer.
    pub web: Web,
    /// Where and how long to keep observations.
    pub storage: Storage,
    /// How often to scrape.
    pub scrape: Scrape,
    /// What to compare, and how.
    pub compare: Compare,
}

/// Where to answer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Web {
    /// Addresses.
    pub listen_address: Vec<String>,
}

/// Where and how long to keep observations.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// The folder.
    pub path: Option<PathBuf>,
    /// How long.
    pub retention: Retention,
}

/// How long to keep observations.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Longest age.
    pub time: Option<String>,
    /// Largest size.
    pub size: Option<String>,
}

/// How often to scrape.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scrape {
    /// From one scrape of a target to the next.
    pub interval: Option<String>,
}

/// What to compare, and how.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Compare {
    /// Length of a window.
    pub window: Option<String>,
    /// The label of groups.
    pub by: Option<String>,
    /// The group that others are compared with.
    pub baseline: Option<String>,
    /// Only instances with these label values.
    #[serde(rename = "where")]
    pub filters: Vec<String>,
    /// The label of pairs.
    pub pair: Option<String>,
    /// Labels that may be unlike.
    pub allow_mixed: Vec<String>,
    /// Labels that must be alike.
    pub alike: Vec<String>,
    /// Which number of rounds.
    pub statistic: Option<String>,
    /// Below which difference, in per cent, nothing matters.
    pub threshold: Option<String>,
    /// Most readings in a comparison.
    pub readings_limit: Option<usize>,
}

impl File {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// The file, and the line where it is wrong.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        use anyhow::Context as _;
        let cannot = || format!("--config.file: cannot read {}", path.display());
        let length = std::fs::metadata(path).with_context(cannot)?.len();
        anyhow::ensure!(length <= MAX_BYTES, "--config.file: {} is larger than a MiB", path.display());
        let text = std::fs::read_to_string(path).with_context(cannot)?;
        toml::from_str(&text).map_err(|error| {
            anyhow::anyhow!("--config.file: {}: {}", path.display(), error.to_string().trim_end())
        })
    }
}
