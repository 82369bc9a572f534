//! What the user asked for, checked: flags over the configuration file over defaults.

mod setting;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::duration::parse_duration;
use crate::error::ConfigError;
use crate::probe::{self, PROBES, Settings, Spec};
use crate::schedule::Slot;
use crate::user_file;

pub use setting::SettingWishes;

/// Where the agent answers unless told otherwise.
pub const DEFAULT_LISTEN_ADDRESS: &str = "127.0.0.1:10990";

/// Where it answers with metrics unless told otherwise.
pub const DEFAULT_TELEMETRY_PATH: &str = "/metrics";

/// Share of one CPU that measuring may cost on average unless told otherwise.
pub const DEFAULT_BUDGET: f64 = 0.001;

/// Share of the last ten seconds in which tasks may wait for a CPU before the dearer probes pause, unless told otherwise.
pub const DEFAULT_PRESSURE: f64 = 0.5;

/// Bounds of `--probe.interval`: a round takes a third of a second.
const INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(500)..=Duration::from_secs(86_400);

/// How often detection runs anew unless told otherwise.
pub const DEFAULT_DETECT_INTERVAL: Duration = Duration::from_secs(300);

/// Bounds of `--detect.interval`: detection takes a millisecond.
const DETECT_INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(86_400);

/// What the user can say, on the command line or in the file. What is not said stays open.
#[derive(Debug, Default, Clone)]
pub struct Wishes {
    /// Addresses to answer on.
    pub listen_addresses: Vec<String>,
    /// Path of the metrics.
    pub telemetry_path: Option<String>,
    /// Turn among agents on this machine.
    pub slot: Option<Slot>,
    /// Interval of every probe.
    pub interval: Option<Duration>,
    /// Share of one CPU.
    pub budget: Option<f64>,
    /// Share of time that tasks wait, above which the dearer probes pause.
    pub pressure: Option<f64>,
    /// Interval of detection.
    pub detect_interval: Option<Duration>,
    /// Probes switched on or off by name.
    pub probes: Vec<(String, bool)>,
    /// Settings of probes.
    pub settings: SettingWishes,
}

impl Wishes {
    /// These, and `other` where these say nothing.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        if self.listen_addresses.is_empty() {
            self.listen_addresses = other.listen_addresses;
        }
        // What is said first holds, so that these stay in front.
        self.probes.extend(other.probes);
        Self {
            telemetry_path: self.telemetry_path.or(other.telemetry_path),
            slot: self.slot.or(other.slot),
            interval: self.interval.or(other.interval),
            budget: self.budget.or(other.budget),
            pressure: self.pressure.or(other.pressure),
            detect_interval: self.detect_interval.or(other.detect_interval),
            settings: self.settings.or(other.settings),
            ..self
        }
    }

    /// The wishes in a configuration file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the file, and the line where it is wrong.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let file: ConfigFile =
            toml::from_str(&user_file::text(path)?).map_err(|error| ConfigError::syntax(path, &error))?;
        let named = |key: &str| format!("{}: {key}", path.display());
        let parse = |key: &str, text: Option<String>, parse: &dyn Fn(&str) -> Result<Duration, String>| {
            text.map(|text| parse(&text).map_err(|message| ConfigError::value(named(key), message)))
                .transpose()
        };
        Ok(Self {
            listen_addresses: file.web.listen_address,
            telemetry_path: file.web.telemetry_path,
            slot: file
                .probe
                .slot
                .map(|text| {
                    text.parse().map_err(|message: String| ConfigError::value(named("probe.slot"), message))
                })
                .transpose()?,
            interval: parse("probe.interval", file.probe.interval, &parse_duration)?,
            budget: file.probe.budget,
            pressure: file.probe.pressure,
            detect_interval: parse("detect.interval", file.detect.interval, &parse_duration)?,
            probes: file.probe.enabled.into_iter().collect(),
            settings: SettingWishes { network: file.probe.network, storage: file.probe.storage },
        })
    }
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ConfigFile {
    web: WebSection,
    probe: ProbeSection,
    detect: DetectSection,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DetectSection {
    interval: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct WebSection {
    listen_address: Vec<String>,
    telemetry_path: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct ProbeSection {
    slot: Option<String>,
    interval: Option<String>,
    budget: Option<f64>,
    pressure: Option<f64>,
    enabled: std::collections::BTreeMap<String, bool>,
    network: crate::probe::network::settings::Wishes,
    storage: crate::probe::storage::settings::Wishes,
}

/// What `serve` does.
#[derive(Debug, Clone)]
pub struct Config {
    /// Addresses to answer on; at least one.
    pub listen_addresses: Vec<SocketAddr>,
    /// Path of the metrics.
    pub telemetry_path: String,
    /// Turn among agents on this machine.
    pub slot: Option<Slot>,
    /// Interval of every probe, instead of its own.
    pub interval: Option<Duration>,
    /// Share of one CPU.
    pub budget: f64,
    /// Share of the last ten seconds in which tasks waited for a CPU, above which the dearer probes pause; 1: never.
    pub pressure: f64,
    /// Interval of detection.
    pub detect_interval: Duration,
    /// The probes that run.
    pub probes: Vec<&'static Spec>,
    /// What they need to be told.
    pub settings: Settings,
}

impl Config {
    /// Checks wishes and fills in defaults.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the flag.
    pub fn new(wishes: Wishes) -> Result<Self, ConfigError> {
        let mut addresses = wishes.listen_addresses;
        if addresses.is_empty() {
            addresses.push(DEFAULT_LISTEN_ADDRESS.to_owned());
        }
        let path = wishes.telemetry_path.unwrap_or_else(|| DEFAULT_TELEMETRY_PATH.to_owned());
        if !path.starts_with('/') || path == "/" || path.starts_with("/-/") {
            let message = format!("{path:?} cannot be the path of the metrics; write one such as /metrics");
            return Err(ConfigError::value("--web.telemetry-path", message));
        }
        let budget = wishes.budget.unwrap_or(DEFAULT_BUDGET);
        if !(budget > 0.0 && budget <= 1.0) {
            let message =
                format!("{budget} is no share of a CPU; write one above 0 and up to 1, such as 0.001");
            return Err(ConfigError::value("--probe.budget", message));
        }
        let pressure = wishes.pressure.unwrap_or(DEFAULT_PRESSURE);
        if !(0.0..=1.0).contains(&pressure) {
            let message = format!("{pressure} is no share of time; write one from 0 to 1, such as 0.5");
            return Err(ConfigError::value("--probe.pressure", message));
        }
        if let Some(interval) = wishes.interval.filter(|interval| !INTERVALS.contains(interval)) {
            let message = format!("{interval:?} is out of range; write 500ms to 24h");
            return Err(ConfigError::value("--probe.interval", message));
        }
        let detect_interval = wishes.detect_interval.unwrap_or(DEFAULT_DETECT_INTERVAL);
        if !DETECT_INTERVALS.contains(&detect_interval) {
            let message = format!("{detect_interval:?} is out of range; write 1s to 24h");
            return Err(ConfigError::value("--detect.interval", message));
        }
        Ok(Self {
            listen_addresses: addresses.iter().map(|text| parse_address(text)).collect::<Result<_, _>>()?,
            telemetry_path: path,
            slot: wishes.slot,
            interval: wishes.interval,
            budget,
            pressure,
            detect_interval,
            probes: chosen_probes(&wishes.probes)?,
            settings: wishes.settings.settings()?,
        })
    }
}

/// The probes that are on: all but those switched off.
fn chosen_probes(wishes: &[(String, bool)]) -> Result<Vec<&'static Spec>, ConfigError> {
    for (name, _) in wishes {
        find_probe("--probe", name)?;
    }
    let is_on = |spec: &&Spec| wishes.iter().find(|(name, _)| name == spec.name).is_none_or(|(_, on)| *on);
    Ok(PROBES.iter().filter(is_on).collect())
}

/// The probe of this name.
///
/// # Errors
///
/// [`ConfigError`] naming `flag`, with the names that there are.
pub fn find_probe(flag: &str, name: &str) -> Result<&'static Spec, ConfigError> {
    probe::find(name).ok_or_else(|| {
        let names: Vec<&str> = PROBES.iter().map(|spec| spec.name).collect();
        ConfigError::value(flag, format!("there is no probe {name:?}; there are {}", names.join(", ")))
    })
}

/// An address as exporters take it: `host:port`, or `:port` for all interfaces.
fn parse_address(text: &str) -> Result<SocketAddr, ConfigError> {
    let full = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
    let address = full.parse().ok().or_else(|| {
        // A host name: a static glibc resolves /etc/hosts, which has `localhost`.
        full.to_socket_addrs().ok().and_then(|mut addresses| addresses.next())
    });
    address.ok_or_else(|| {
        let message =
            format!("{text:?} is no address; write host:port, for example 127.0.0.1:10990 or :10990");
        ConfigError::value("--web.listen-address", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = file(
            "[web]\nlisten-address = [\"127.0.0.1:1\"]\n[probe]\nbudget = 0.5\n[probe.enabled]\nboot = false\nsyscall = false\n",
        );
        let flags =
            Wishes { budget: Some(0.01), probes: vec![("boot".to_owned(), true)], ..Wishes::default() };
        let config = Config::new(flags.or(Wishes::from_file(file.path()).unwrap())).unwrap();
        assert_eq!(config.listen_addresses, ["127.0.0.1:1".parse().unwrap()]);
        assert!((config.budget - 0.01).abs() < 1e-12);
        let names: Vec<&str> = config.probes.iter().map(|spec| spec.name).collect();
        assert!(names.contains(&"boot") && !names.contains(&"syscall"), "{names:?}");
    }

    #[test]
    fn a_wrong_file_is_named_with_line_and_remedy() {
        for (text, expected) in [
            ("[web]\nlisten = 1\n", "line 2"),
            ("[probe]\nslot = \"4/3\"\n", "probe.slot"),
            ("[probe]\ninterval = \"15\"\n", "for example 15s"),
            ("not toml", "line 1"),
        ] {
            let file = file(text);
            let message = Wishes::from_file(file.path()).unwrap_err().to_string();
            assert!(message.contains(expected), "{text:?}: {message}");
            assert!(message.contains(&file.path().display().to_string()), "{message}");
        }
    }

    #[test]
    fn wrong_values_are_refused_with_what_to_write() {
        let wrong = [
            Wishes { budget: Some(0.0), ..Wishes::default() },
            Wishes { budget: Some(f64::NAN), ..Wishes::default() },
            Wishes { pressure: Some(1.5), ..Wishes::default() },
            Wishes { pressure: Some(f64::NAN), ..Wishes::default() },
            Wishes { telemetry_path: Some("metrics".to_owned()), ..Wishes::default() },
            Wishes { interval: Some(Duration::from_millis(1)), ..Wishes::default() },
            Wishes { detect_interval: Some(Duration::from_millis(1)), ..Wishes::default() },
            Wishes { listen_addresses: vec!["nowhere".to_owned()], ..Wishes::default() },
            Wishes { probes: vec![("nonsense".to_owned(), true)], ..Wishes::default() },
        ];
        for wishes in wrong {
            let message = Config::new(wishes.clone()).unwrap_err().to_string();
            assert!(message.starts_with("--"), "{wishes:?}: {message}");
        }
    }
}
