//! The command line.

mod switch;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::config::{DEFAULT_LISTEN_ADDRESS, DEFAULT_TELEMETRY_PATH, SettingWishes, Wishes};
use crate::duration::parse_duration;
use crate::error::ConfigError;
use crate::host::HostFs;
use crate::machine::Machine;
use crate::schedule::Slot;

/// Finds out which tier it runs on, measures what the place costs, and tells Prometheus.
#[derive(Debug, Parser)]
#[command(name = "tierprobe-agent", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What the agent can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure all the time and answer Prometheus
    Serve(ServeArgs),
    /// Tell which tier this is, and why
    Detect(DetectArgs),
    /// Measure once and print the result
    Measure(MeasureArgs),
    /// Tell what works here, and why the rest does not
    Check(CheckArgs),
    /// Write what detection reads here into an archive, masked, to be looked at and passed on
    Bundle(BundleArgs),
    /// Print METRICS.md: every metric with its meaning
    Metrics,
}

/// Where the host's files are.
#[derive(Debug, Args)]
pub struct PathArgs {
    /// Look at the host whose files are below this directory, and at nothing else
    #[arg(long = "path.rootfs", value_name = "DIR")]
    rootfs: Option<PathBuf>,
    /// Where proc is mounted [default: /proc]
    #[arg(long = "path.procfs", value_name = "DIR")]
    procfs: Option<PathBuf>,
    /// Where sysfs is mounted [default: /sys]
    #[arg(long = "path.sysfs", value_name = "DIR")]
    sysfs: Option<PathBuf>,
}

impl PathArgs {
    /// The files that these paths name.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a path that is no directory: everything would be missing, and look like an answer.
    pub fn host(&self) -> Result<HostFs, ConfigError> {
        let paths =
            [("--path.rootfs", &self.rootfs), ("--path.procfs", &self.procfs), ("--path.sysfs", &self.sysfs)];
        for (flag, path) in paths {
            if let Some(path) = path.as_ref().filter(|path| !path.is_dir()) {
                return Err(ConfigError::value(flag, format!("{} is no directory", path.display())));
            }
        }
        Ok(HostFs::new(self.rootfs.as_deref(), self.procfs.as_deref(), self.sysfs.as_deref()))
    }

    /// The machine that these paths name.
    ///
    /// # Errors
    ///
    /// As [`PathArgs::host`].
    pub fn machine(&self) -> Result<Machine, ConfigError> {
        Machine::from_paths(self.host()?, None, None)
    }
}

/// Flags of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where the host's files are.
    #[command(flatten)]
    pub paths: PathArgs,
    /// Address to answer on; may be given more than once
    #[arg(long = "web.listen-address", value_name = "HOST:PORT", help = format!("Address to answer on, may be given more than once [default: {DEFAULT_LISTEN_ADDRESS}]"))]
    listen_addresses: Vec<String>,
    /// Path of the metrics
    #[arg(long = "web.telemetry-path", value_name = "PATH", help = format!("Path of the metrics [default: {DEFAULT_TELEMETRY_PATH}]"))]
    telemetry_path: Option<String>,
    /// Measure only in the K-th of N equal slots of each interval, so that agents on one machine take turns
    #[arg(long = "probe.slot", value_name = "K/N")]
    slot: Option<Slot>,
    /// Interval of all probes, instead of each one's own
    #[arg(long = "probe.interval", value_name = "DURATION", value_parser = parse_duration)]
    interval: Option<Duration>,
    /// Share of one CPU that measuring may cost on average [default: 0.001]
    #[arg(long = "probe.budget", value_name = "SHARE")]
    budget: Option<f64>,
    /// Pause the dearer probes while tasks wait for a CPU more of the time than this; 1: never [default: 0.5]
    #[arg(long = "probe.pressure", value_name = "SHARE")]
    pressure: Option<f64>,
    /// How often to look anew where this is, beside whenever there is a sign of a move [default: 5m]
    #[arg(long = "detect.interval", value_name = "DURATION", value_parser = parse_duration)]
    detect_interval: Option<Duration>,
    /// Configuration file in TOML; flags win over it
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// How much to log
    #[arg(long = "log.level", value_enum, default_value_t = LogLevel::Info)]
    pub log_level: LogLevel,
    /// How to write the log
    #[arg(long = "log.format", value_enum, default_value_t = LogFormat::Logfmt)]
    pub log_format: LogFormat,
    /// Where probes measure.
    #[command(flatten)]
    settings: SettingWishes,
    /// Probes switched on or off by flag.
    #[arg(skip)]
    pub probes: Vec<(String, bool)>,
}

impl ServeArgs {
    /// What the flags say.
    #[must_use]
    pub fn wishes(&self) -> Wishes {
        Wishes {
            listen_addresses: self.listen_addresses.clone(),
            telemetry_path: self.telemetry_path.clone(),
            slot: self.slot,
            interval: self.interval,
            budget: self.budget,
            pressure: self.pressure,
            detect_interval: self.detect_interval,
            probes: self.probes.clone(),
            settings: self.settings.clone(),
        }
    }
}

/// How much to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What a running agent does.
    Info,
    /// What is not as it should be.
    Warn,
    /// What went wrong.
    Error,
}

/// How to write the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// `key=value` pairs.
    Logfmt,
    /// One JSON object a line.
    Json,
}

/// The machine that detection looks at.
#[derive(Debug, Args)]
pub struct MachineArgs {
    /// Where the host's files are.
    #[command(flatten)]
    paths: PathArgs,
    /// Take CPUID from this TOML file instead of the processor
    #[arg(long, value_name = "FILE")]
    cpuid: Option<PathBuf>,
    /// Take this for the architecture, as `uname -m` gives it
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<String>,
}

impl MachineArgs {
    /// The machine that these flags name.
    ///
    /// # Errors
    ///
    /// As [`Machine::from_paths`] and [`PathArgs::host`].
    pub fn machine(&self) -> Result<Machine, ConfigError> {
        Machine::from_paths(self.paths.host()?, self.cpuid.as_deref(), self.arch.as_deref())
    }
}

/// Flags of `detect`.
#[derive(Debug, Args)]
pub struct DetectArgs {
    /// The machine to look at.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// How to print it
    #[arg(long, value_enum, default_value_t = DetectFormat::Text)]
    pub format: DetectFormat,
}

/// How `detect` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DetectFormat {
    /// Words.
    Text,
    /// One JSON object with all evidence.
    Json,
}

/// Flags of `measure`.
#[derive(Debug, Args)]
pub struct MeasureArgs {
    /// Where the host's files are.
    #[command(flatten)]
    pub paths: PathArgs,
    /// Where probes measure.
    #[command(flatten)]
    pub settings: SettingWishes,
    /// How many rounds
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rounds: u32,
    /// Pause between rounds
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = parse_duration)]
    pub pause: Duration,
    /// Measure only this probe; may be given more than once
    #[arg(long = "probe", value_name = "NAME")]
    pub probes: Vec<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = MeasureFormat::Text)]
    pub format: MeasureFormat,
    /// What to call this instance [default: the host name]
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// How `measure` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MeasureFormat {
    /// A table.
    Text,
    /// The record, with every round; the collector compares it.
    Json,
    /// What a scrape would show.
    Prometheus,
}

/// Flags of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Where the host's files are.
    #[command(flatten)]
    pub paths: PathArgs,
    /// Where probes measure.
    #[command(flatten)]
    pub settings: SettingWishes,
}

/// Flags of `bundle`.
#[derive(Debug, Args)]
pub struct BundleArgs {
    /// The machine to look at.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Overwrite the archive if it exists
    #[arg(long)]
    pub force: bool,
    /// The archive to write, an uncompressed tar
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Reads the command line. Help and wrong flags end the process, as in every program.
#[must_use]
pub fn parse() -> Command {
    let matches = switch::command().get_matches();
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if let (Command::Serve(serve), Some(("serve", matches))) = (&mut cli.command, matches.subcommand()) {
        serve.probes = switch::probe_switches(matches);
    }
    cli.command
}
