//! How the collector logs: as the agent does.

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How much to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Level {
    /// Everything.
    Debug,
    /// What happens.
    Info,
    /// What should not.
    Warn,
    /// What must not.
    Error,
}

/// How to write the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `key=value` pairs.
    Logfmt,
    /// One object a line.
    Json,
}

/// Logs from now on, to standard error.
pub fn start(level: Level, format: Format) {
    let level = match level {
        Level::Debug => LevelFilter::DEBUG,
        Level::Info => LevelFilter::INFO,
        Level::Warn => LevelFilter::WARN,
        Level::Error => LevelFilter::ERROR,
    };
    let registry = tracing_subscriber::registry().with(level);
    match format {
        Format::Logfmt => {
            let layer = tracing_logfmt::builder().layer().with_writer(std::io::stderr);
            registry.with(layer).init();
        }
        Format::Json => {
            let layer =
                tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
            registry.with(layer).init();
        }
    }
}
