//! The vocabulary that the agent and the collector share.
//!
//! - [`tier`]: the closed set of tiers that numbers are grouped by.
//! - [`layer`]: the stack of layers that a tier is derived from.
//! - [`detection`]: evidence, what could not be read, and the verdict drawn from both.
//! - [`isolation`]: what holds the process in; [`finding`]: what could be better about it.
//! - [`family`]: what a metric family is: name, unit, labels, and how it is published.
//! - [`mod@unit`]: units of values, and how people read them.
//! - [`quantiles`]: the five numbers that describe a round.
//! - [`cause`]: what can disturb a round.
//! - [`record`]: the JSON that `tierprobe-agent measure` writes and the collector reads.
//!
//! Nothing in here does I/O, reads a clock, or knows how a number came about.

pub mod cause;
pub mod detection;
pub mod family;
pub mod finding;
pub mod isolation;
pub mod layer;
pub mod quantiles;
pub mod record;
pub mod tier;
pub mod unit;

pub use cause::Cause;
pub use detection::{Detection, Evidence, Unreadable};
pub use family::{Family, Kind};
pub use finding::{IsolationFinding, Severity};
pub use isolation::{Isolation, Seccomp};
pub use layer::{Kernel, Layer, LayerKind};
pub use quantiles::Quantiles;
pub use tier::Tier;
pub use unit::Unit;

/// Version of every JSON document that tierprobe writes.
pub const SCHEMA: u32 = 1;

/// Gives an enum its label values: `as_str`, `ALL`, `Display`, `FromStr`, and serde by the same strings.
///
/// Label values are an interface (dashboards and recording rules spell them out), so they stand beside the
/// variants and are written once.
macro_rules! label_values {
    ($name:ident { $($variant:ident = $value:literal),+ $(,)? }) => {
        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The label value: lower snake case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $value),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::UnknownLabelValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(|| {
                    crate::UnknownLabelValue { what: stringify!($name), value: text.to_owned() }
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use label_values;

/// A label value outside the closed set it should come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLabelValue {
    /// The set, as its Rust type is called.
    pub what: &'static str,
    /// The text that is no member of it.
    pub value: String,
}

impl std::fmt::Display for UnknownLabelValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} is no {}", self.value, self.what)
    }
}

impl std::error::Error for UnknownLabelValue {}
