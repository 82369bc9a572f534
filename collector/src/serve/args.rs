//! The flags of `serve`. What they mean together with a file is for [`super::config`] to say.

use std::path::PathBuf;

use super::log;
use crate::cli::access;
use crate::compare;
use crate::source::Source;
use crate::source::quota::READINGS_LIMIT;

pub(super) const LISTEN_ADDRESS: &str = "127.0.0.1:10991";
pub(super) const STORAGE_PATH: &str = "tierprobe-data";
pub(super) const RETENTION_TIME: &str = "15d";
pub(super) const RETENTION_SIZE: &str = "4GiB";
pub(super) const SCRAPE_INTERVAL: &str = "15s";
pub(super) const WINDOW: &str = "1h";
pub(super) const STATISTIC: &str = "p50";
pub(super) const THRESHOLD: &str = "3";

/// What to scrape, what to keep, and what to answer.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// http(s)://HOST:PORT/metrics of an agent, or a list of agents: file_sd:FILE, http_sd:URL, dns:… or dns+srv:…
    #[arg(value_name = "SOURCE")]
    pub(super) sources: Vec<Source>,

    /// Configuration file in TOML, read at a start; flags win over it
    #[arg(long = "config.file", value_name = "FILE")]
    pub(super) config_file: Option<PathBuf>,

    #[arg(long = "web.listen-address", value_name = "HOST:PORT", help = format!("Address to answer on, may be given more than once [default: {LISTEN_ADDRESS}]"))]
    pub(super) listen: Vec<String>,

    #[arg(long = "storage.path", value_name = "DIR", help = format!("Folder of the store, for one collector alone [default: {STORAGE_PATH}]"))]
    pub(super) storage: Option<PathBuf>,

    #[arg(long = "storage.retention.time", value_name = "DURATION", help = format!("How long to keep observations [default: {RETENTION_TIME}]"))]
    pub(super) retention_time: Option<String>,

    #[arg(long = "storage.retention.size", value_name = "SIZE", help = format!("Above this size of the store, such as 500MiB, forget the oldest [default: {RETENTION_SIZE}]"))]
    pub(super) retention_size: Option<String>,

    /// Check every page, row and index of the store, say what is wrong, and end
    #[arg(long = "storage.check")]
    pub check: bool,

    #[arg(long, value_name = "DURATION", help = format!("How often to scrape each agent, at least 200ms [default: {SCRAPE_INTERVAL}]"))]
    pub(super) scrape_interval: Option<String>,

    #[arg(long, value_name = "DURATION", help = format!("Length of the windows that are compared; a verdict is given on each when it is over [default: {WINDOW}]"))]
    pub(super) window: Option<String>,

    /// Group instances by this label [default: tier]
    #[arg(long, value_name = "LABEL")]
    pub(super) by: Option<String>,

    /// Compare the other groups with this one [default: the first, from bare_metal upwards]
    #[arg(long, value_name = "VALUE")]
    pub(super) baseline: Option<String>,

    /// Only instances with this label value, such as seccomp=none; repeatable
    #[arg(long = "where", value_name = "KEY=VALUE")]
    pub(super) filters: Vec<String>,

    #[arg(long, value_name = "LABEL", help = format!("Compare hosts of both sides within pairs that share this label [default: {}]", compare::PAIR))]
    pub(super) pair: Option<String>,

    /// Give a verdict although the sides are unlike in this, as for compare; repeatable, or with commas
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    pub(super) allow_mixed: Vec<String>,

    /// Compare only instances that are alike in this label, too; repeatable, or with commas
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    pub(super) alike: Vec<String>,

    #[arg(long, value_name = "NAME", help = format!("Which number of a duration's rounds [default: {STATISTIC}]"))]
    pub(super) statistic: Option<String>,

    #[arg(long, value_name = "PERCENT", help = format!("Differences below this many per cent do not matter [default: {THRESHOLD}]"))]
    pub(super) threshold: Option<String>,

    #[arg(long = "compare.readings-limit", value_name = "NUMBER", help = format!("Most readings in one comparison; a million take some 12 MiB [default: {READINGS_LIMIT}]"))]
    pub(super) readings_limit: Option<usize>,

    /// Print METRICS.md, the metrics that serve answers with, and end
    #[arg(long = "metrics")]
    pub metrics_document: bool,

    /// How much to log
    #[arg(long = "log.level", value_enum, default_value_t = log::Level::Info)]
    pub log_level: log::Level,

    /// How to write the log
    #[arg(long = "log.format", value_enum, default_value_t = log::Format::Logfmt)]
    pub log_format: log::Format,

    #[command(flatten)]
    pub(super) access: access::Args,
}
