//! What the user can say about where probes measure. Defaults measure what costs nothing to anybody else.

/// What probes need to be told. Each probe that has settings has a field of its own name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Of the probe `network`.
    pub network: super::network::settings::Settings,
    /// Of the probe `storage`.
    pub storage: super::storage::settings::Settings,
}
