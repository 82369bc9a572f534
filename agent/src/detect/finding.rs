//! What detectors report: evidence, and what they could not read.

use std::collections::BTreeMap;
use std::rc::Rc;

use tierprobe_model::{Evidence, Unreadable};

use super::claim::Claim;
use crate::host::{HostFs, ReadError};
use crate::printable::printable;

/// Folders of many files, or of none: nothing in them is opened where they are missing.
const FOLDERS: &[&str] = &["/sys/class/dmi/id/"];

/// One observation; as [`Evidence`], but with a typed claim.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    pub detector: &'static str,
    pub source: String,
    pub value: String,
    pub claim: Claim,
    pub weight: f64,
    pub supports: bool,
}

impl Finding {
    pub(super) fn into_evidence(self) -> Evidence {
        Evidence {
            detector: self.detector.to_owned(),
            source: self.source,
            value: self.value,
            claim: self.claim.to_string(),
            weight: self.weight,
            supports: self.supports,
        }
    }
}

/// Everything found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    detector: &'static str,
    pub evidence: Vec<Finding>,
    pub unreadable: Vec<Unreadable>,
    /// What was read already: several detectors read the same files, and each opening costs.
    texts: BTreeMap<String, Option<Rc<str>>>,
    /// Of [`FOLDERS`], whether they are missing.
    missing: Vec<(&'static str, bool)>,
}

impl Findings {
    /// Names the detector whose findings come next.
    pub(super) const fn speaker(&mut self, detector: &'static str) {
        self.detector = detector;
    }

    /// `value` at `source` speaks for `claim`. `weight` is the share of such places where the claim is true.
    pub(super) fn support(&mut self, claim: Claim, weight: f64, source: &str, value: &str) {
        self.add(claim, weight, source, value, true);
    }

    /// `value` at `source` speaks against `claim`.
    pub(super) fn oppose(&mut self, claim: Claim, weight: f64, source: &str, value: &str) {
        self.add(claim, weight, source, value, false);
    }

    fn add(&mut self, claim: Claim, weight: f64, source: &str, value: &str, supports: bool) {
        let value = printable(value);
        self.evidence.push(Finding {
            detector: self.detector,
            source: source.to_owned(),
            value,
            claim,
            weight,
            supports,
        });
    }

    /// The text of a file; `None` if it is missing, or unreadable, which is noted with what it `would_tell`.
    pub(super) fn text(&mut self, fs: &HostFs, path: &str, would_tell: &str) -> Option<Rc<str>> {
        if let Some(text) = self.texts.get(path) {
            return text.clone();
        }
        if FOLDERS.iter().any(|folder| path.starts_with(folder) && self.is_missing(fs, folder)) {
            return None;
        }
        let text: Option<Rc<str>> = self.readable(fs.text(path), path, would_tell).map(Rc::from);
        self.texts.insert(path.to_owned(), text.clone());
        text
    }

    /// Whether a folder is not there, which is looked up once.
    fn is_missing(&mut self, fs: &HostFs, folder: &'static str) -> bool {
        let known = self.missing.iter().find(|(known, _)| *known == folder).map(|(_, missing)| *missing);
        known.unwrap_or_else(|| {
            let missing = fs.exists(folder).is_ok_and(|exists| !exists);
            self.missing.push((folder, missing));
            missing
        })
    }

    /// As [`Findings::text`], in bytes.
    pub(super) fn bytes(&mut self, fs: &HostFs, path: &str, would_tell: &str) -> Option<Vec<u8>> {
        self.readable(fs.bytes(path), path, would_tell)
    }

    /// Whether a path exists; `false` where the kernel does not tell, which is noted.
    pub(super) fn exists(&mut self, fs: &HostFs, path: &str, would_tell: &str) -> bool {
        self.readable(fs.exists(path), path, would_tell).is_some_and(|exists| exists)
    }

    /// The value of a read, if there is one; a refusal is noted, a missing file is not.
    pub(super) fn readable<T>(
        &mut self,
        read: Result<T, ReadError>,
        path: &str,
        would_tell: &str,
    ) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(ReadError::NotFound) => None,
            // One path is one gap, whatever it would have told.
            Err(_) if self.unreadable.iter().any(|gap| gap.source == path) => None,
            Err(error) => {
                self.unreadable.push(Unreadable {
                    source: path.to_owned(),
                    reason: error.to_string(),
                    would_tell: would_tell.to_owned(),
                });
                None
            }
        }
    }
}
