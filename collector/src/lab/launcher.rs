//! What it takes to start the agent in one tier.

use std::fmt::Debug;

use serde::Serialize;

use super::bwrap::Bwrap;
use super::docker::Docker;
use super::instance::Instance;
use super::process::Process;
use super::qemu::Qemu;
use super::runc::Runc;
use super::session::Session;

/// Every launcher, in the order in which they are started and shown. A new one is one file and one row.
pub(crate) const LAUNCHERS: &[&dyn Launcher] = &[&Process, &Runc, &Docker, &Bwrap, &Qemu];

/// A way to start the agent in a tier.
pub(crate) trait Launcher: Sync + Debug {
    /// Its name: lower snake case, the value of the label `launcher`.
    fn name(&self) -> &'static str;

    /// What is started, in one sentence, with everything that decides on its cost.
    fn describe(&self) -> &'static str;

    /// Whether it can run here, found out without starting anything.
    ///
    /// # Errors
    ///
    /// Why it cannot, and what helps.
    fn check(&self, machine: &Machine) -> Result<Ready, Reason>;

    /// Gets ready what all starts share: images, a daemon. Everything made is on the clean-up list.
    ///
    /// # Errors
    ///
    /// When it turns out that it cannot run here after all.
    fn prepare<'a>(&self, session: &'a Session, machine: &Machine) -> anyhow::Result<Box<dyn Starter + 'a>>;
}

/// A launcher that is ready to start instances, one after the other or at the same time.
pub(crate) trait Starter {
    /// Starts an instance and returns as soon as its address is known; it may not answer yet.
    ///
    /// Everything made is on the clean-up list, also when it fails.
    ///
    /// # Errors
    ///
    /// When it does not start.
    fn start(&mut self, plan: &Plan) -> anyhow::Result<Instance>;

    /// What a reader must know of how its instances ran.
    fn note(&self) -> Option<String> {
        None
    }

    /// What runs once for any number of instances, and so belongs to none of them.
    fn shared(&self) -> Vec<SharedCost> {
        Vec::new()
    }
}

/// What a launcher may use here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Machine {
    /// Whether the lab runs as root.
    pub(crate) is_root: bool,
    /// The guest kernel that the user named, or the folder that holds it and its modules.
    pub(crate) kernel: Option<std::path::PathBuf>,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub(crate) fn here(kernel: Option<std::path::PathBuf>) -> Self {
        Self { is_root: nix::unistd::geteuid().is_root(), kernel }
    }
}

/// It can run here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Ready {
    /// What will be used, in a few words.
    pub(crate) with: String,
}

impl Ready {
    /// Ready, with these means.
    #[must_use]
    pub(crate) fn with(with: impl Into<String>) -> Self {
        Self { with: with.into() }
    }
}

/// Why a launcher cannot run here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{why}; {remedy}")]
pub(crate) struct Reason {
    /// What is missing.
    pub(crate) why: String,
    /// What helps.
    pub(crate) remedy: String,
}

impl Reason {
    /// A reason.
    #[must_use]
    pub(crate) fn new(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: remedy.into() }
    }

    /// A program is missing that a package brings.
    #[must_use]
    pub(crate) fn missing(program: &str, package: &str) -> Self {
        Self::new(format!("no {program} here"), format!("install the package {package}"))
    }

    /// Only root may.
    #[must_use]
    pub(crate) fn not_root() -> Self {
        Self::new("needs root", "run the lab with sudo")
    }
}

/// One start of an instance.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The instance's name, unlike any other's on this machine.
    pub(crate) name: String,
    /// What the agent is told beside its address.
    pub(crate) arguments: Vec<String>,
}

/// The port that agents listen on in a network of their own.
pub(crate) const INSIDE_PORT: u16 = 10990;

impl Plan {
    /// The agent's whole command line but its own name, for the address it shall listen on.
    #[must_use]
    pub(crate) fn agent_arguments(&self, address: &str) -> Vec<String> {
        let mut arguments = vec!["serve".to_owned(), format!("--web.listen-address={address}")];
        arguments.extend(self.arguments.iter().cloned());
        arguments
    }
}

/// Memory of a process that serves all instances of a launcher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SharedCost {
    /// What it is: `dockerd`.
    pub(crate) name: String,
    /// Its proportional set size in bytes.
    pub(crate) pss_bytes: u64,
}
