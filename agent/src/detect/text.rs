//! A verdict in words.

use std::fmt::Write as _;

use tierprobe_model::{Detection, Evidence, Kernel, Layer, Tier};

/// The verdict as people read it: the tier, the stack with the reason for each layer, what was set aside and why,
/// what could not be read.
#[must_use]
pub fn render(detection: &Detection) -> String {
    let mut text = headline(detection);
    for layer in &detection.stack {
        let reasons = reasons_for(detection, layer).join("; ");
        let line = format!("  {:<13}{:<17} {reasons}", layer.kind.as_str(), layer.name);
        let _infallible = writeln!(text, "{}", line.trim_end());
    }
    for role in &detection.roles {
        let reasons = reasons_for_role(detection, role).join("; ");
        let _infallible = writeln!(text, "  {:<13}{role:<17} {reasons}", "role");
    }
    for evidence in set_aside(detection) {
        let _infallible = writeln!(text, "Set aside: {}{}", said(evidence), because(detection, evidence));
    }
    text.push_str(&crate::isolation::text::render(&detection.isolation));
    for unreadable in &detection.unreadable {
        let would = match unreadable.would_tell.as_str() {
            "" => String::new(),
            what => format!("; it would have told {what}"),
        };
        let _infallible =
            writeln!(text, "Could not read: {} ({}){would}", unreadable.source, unreadable.reason);
    }
    text
}

fn headline(detection: &Detection) -> String {
    let kernel = match detection.kernel {
        Kernel::Own => ", with a kernel of its own",
        Kernel::Shared => ", on a kernel that it shares",
        Kernel::Emulated => ", on a kernel emulated in user space",
        Kernel::Unknown => "",
    };
    if detection.tier == Tier::Unknown {
        return format!("unknown: the evidence does not decide{kernel}\n");
    }
    format!("{} ({:.0} % sure){kernel}\n", detection.tier, detection.confidence * 100.0)
}

fn reasons_for(detection: &Detection, layer: &Layer) -> Vec<String> {
    reasons(detection, &format!("{}={}", layer.kind, layer.name), &format!("{}=any", layer.kind))
}

fn reasons_for_role(detection: &Detection, role: &str) -> Vec<String> {
    let confidential = role.strip_prefix("confidential_").unwrap_or(role);
    reasons(detection, &format!("role={role}"), &format!("confidential={confidential}"))
}

/// What speaks for either claim, strongest first, one reason a detector.
fn reasons(detection: &Detection, claim: &str, unnamed: &str) -> Vec<String> {
    let mut speaking: Vec<&Evidence> = detection
        .evidence
        .iter()
        .filter(|evidence| evidence.supports && (evidence.claim == claim || evidence.claim == unnamed))
        .collect();
    speaking.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    let mut detectors = Vec::new();
    speaking
        .into_iter()
        .filter(|evidence| {
            let first = !detectors.contains(&evidence.detector);
            detectors.push(evidence.detector.clone());
            first
        })
        .map(said)
        .collect()
}

fn said(evidence: &Evidence) -> String {
    match evidence.value.as_str() {
        "" | "exists" => format!("{} exists", evidence.source),
        value => format!("{}: {value}", evidence.source),
    }
}

/// Evidence that the verdict does not follow.
fn set_aside(detection: &Detection) -> impl Iterator<Item = &Evidence> {
    detection.evidence.iter().filter(|evidence| is_set_aside(detection, evidence))
}

/// Whether the verdict goes against this piece of evidence.
#[must_use]
pub fn is_set_aside(detection: &Detection, evidence: &Evidence) -> bool {
    let Some((subject, name)) = evidence.claim.split_once('=') else { return false };
    let holds = match (subject, name) {
        ("machine", "virtual") => match detection.tier {
            Tier::BareMetal | Tier::Container => Some(false),
            Tier::Vm | Tier::MicroVm | Tier::ContainerInVm | Tier::ContainerInMicroVm => Some(true),
            Tier::Sandbox | Tier::Unknown => None,
        },
        ("machine", _) => match detection.tier {
            Tier::MicroVm | Tier::ContainerInMicroVm => Some(true),
            Tier::BareMetal | Tier::Container | Tier::Vm | Tier::ContainerInVm => Some(false),
            Tier::Sandbox | Tier::Unknown => None,
        },
        ("container", _) if detection.kernel == Kernel::Unknown => None,
        // Neither what keeps the host out nor what this place can do is part of the verdict.
        ("confidential" | "role", _) => None,
        (subject, name) => {
            let layer = detection.stack.iter().find(|layer| layer.kind.as_str() == subject);
            Some(layer.is_some_and(|layer| name == "any" || layer.name == name))
        }
    };
    holds.is_some_and(|holds| holds != evidence.supports)
}

/// The strongest evidence to the contrary.
fn because(detection: &Detection, evidence: &Evidence) -> String {
    let subject = evidence.claim.split('=').next().unwrap_or_default();
    detection
        .evidence
        .iter()
        .filter(|other| other.claim.starts_with(subject) && other.supports != evidence.supports)
        .filter(|other| !is_set_aside(detection, other))
        .max_by(|one, other| one.weight.total_cmp(&other.weight))
        .map_or_else(String::new, |other| format!(", but {}", said(other)))
}
