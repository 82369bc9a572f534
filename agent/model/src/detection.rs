//! What detection found: evidence, gaps, and the verdict drawn from them.

use serde::{Deserialize, Serialize};

use crate::{Isolation, Kernel, Layer, LayerKind, Tier};

/// One observation and what it speaks for or against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The detector that read it.
    pub detector: String,
    /// Where it was read: a path as the host knows it, or `CPUID 0x40000000`.
    pub source: String,
    /// What stood there, shortened and made printable.
    pub value: String,
    /// What it is about, as `subject=name`: `container=docker`, `machine=virtual`.
    pub claim: String,
    /// How much it counts, 0 to 1: the share of hosts with this observation for which the claim is true.
    pub weight: f64,
    /// Whether it speaks for the claim (`true`) or against it.
    pub supports: bool,
}

/// Something that detection wanted to read and could not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Where it would have been.
    pub source: String,
    /// Why it was not readable, in the kernel's words.
    pub reason: String,
    /// What it would have told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub would_tell: String,
}

/// The verdict, and everything that led to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Version of this document, [`crate::SCHEMA`].
    pub schema: u32,
    /// The tier.
    pub tier: Tier,
    /// How sure the tier is, 0 to 1.
    pub confidence: f64,
    /// Whose kernel it is.
    pub kernel: Kernel,
    /// The layers that the evidence names, from the process outwards.
    pub stack: Vec<Layer>,
    /// All evidence, in the order of the detectors.
    pub evidence: Vec<Evidence>,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
    /// What holds the process in.
    pub isolation: Isolation,
    /// What this place is or can do beside being a tier, whichever it is: `can_host_vms`, `xen_dom0`,
    /// `confidential_tdx`.
    pub roles: Vec<String>,
}

impl Detection {
    /// The name of the first layer of this kind, if there is one.
    #[must_use]
    pub fn layer(&self, kind: LayerKind) -> Option<&str> {
        self.stack.iter().find(|layer| layer.kind == kind).map(|layer| layer.name.as_str())
    }
}
