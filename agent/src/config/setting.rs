//! What the user can say about where probes measure, by flag or in the file.

use serde::Deserialize;

use crate::error::ConfigError;
use crate::probe::Settings;
use crate::probe::network::settings as network;
use crate::probe::storage::settings as storage;

/// Settings of probes as the user wrote them. Each probe that has some has a field of its own name: its flags are
/// `--probe.NAME.…`, its table in the file is `[probe.NAME]`.
#[derive(Debug, Default, Clone, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct SettingWishes {
    /// Of the probe `network`.
    #[command(flatten)]
    pub network: network::Wishes,
    /// Of the probe `storage`.
    #[command(flatten)]
    pub storage: storage::Wishes,
}

impl SettingWishes {
    /// These, and `other` where these say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { network: self.network.or(other.network), storage: self.storage.or(other.storage) }
    }

    /// Checks them and fills in defaults.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the flag.
    pub fn settings(self) -> Result<Settings, ConfigError> {
        Ok(Settings { network: self.network.settings()?, storage: self.storage.settings()? })
    }
}
