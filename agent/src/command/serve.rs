//! `serve`: measure all the time and answer Prometheus.

use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::{LogFormat, LogLevel, ServeArgs};
use crate::config::{Config, Wishes};
use crate::sys::memory;

pub(super) fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    memory::keep_heap_small();
    start_log(args.log_level, args.log_format);
    let file = args.config_file.as_deref().map(Wishes::from_file).transpose()?;
    let config = Config::new(args.wishes().or(file.unwrap_or_default()))?;
    let machine = args.paths.machine()?;
    // One thread answers; the measuring thread must not find others of ours on its CPU.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let listeners = crate::bind(&config.listen_addresses).await?;
        crate::run(config, machine, listeners, shutdown).await
    })?;
    Ok(ExitCode::SUCCESS)
}

fn start_log(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let registry = tracing_subscriber::registry().with(level);
    match format {
        LogFormat::Logfmt => {
            let layer = tracing_logfmt::builder().layer().with_writer(std::io::stderr);
            registry.with(layer).init();
        }
        LogFormat::Json => {
            let layer =
                tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
            registry.with(layer).init();
        }
    }
}
