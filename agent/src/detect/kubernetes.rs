//! Kubernetes, by what it gives every pod.

use super::claim::{ANY, container, orchestrator};
use super::finding::Findings;
use crate::machine::Machine;

/// The token directory of a pod's service account; `/run` and `/var/run` are one directory in most images.
const SERVICE_ACCOUNTS: &[&str] =
    &["/var/run/secrets/kubernetes.io/serviceaccount", "/run/secrets/kubernetes.io/serviceaccount"];

/// Looks for a service account.
#[derive(Debug)]
pub(super) struct Kubernetes;

impl super::Detector for Kubernetes {
    fn name(&self) -> &'static str {
        "kubernetes"
    }

    fn detect(&self, machine: &Machine, findings: &mut Findings) {
        for path in SERVICE_ACCOUNTS {
            if findings.exists(&machine.fs, path, "whether this is a Kubernetes pod") {
                findings.support(orchestrator("kubernetes"), 0.95, path, "exists");
                findings.support(container(ANY), 0.7, path, "exists");
                return;
            }
        }
    }
}
