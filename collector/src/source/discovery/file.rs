//! `file_sd:FILE`: target groups in JSON or YAML.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::group::{self, Group};
use super::{DiscoveryError, MAX_TARGETS};
use crate::http::Address;
use crate::http::pattern::glob;
use crate::observation::Labels;

/// Longest file that is read, in bytes.
const MAX_BYTES: u64 = 32 * 1024 * 1024;
/// Most files of one pattern.
pub(super) const MAX_FILES: usize = 1000;

/// Whether a path can be a list's by the end of its name.
pub(in crate::source) fn is_list(path: &Path) -> bool {
    matches!(path.extension().and_then(|end| end.to_str()), Some("json" | "yml" | "yaml"))
}

/// The targets of all files that the pattern names.
pub(super) fn read(pattern: &Path) -> Result<Vec<(Address, Labels)>, DiscoveryError> {
    let mut found = Vec::new();
    for path in files(pattern)? {
        let groups = groups(&path)?;
        let unusable = |why| DiscoveryError::Unusable { place: path.display().to_string(), why };
        found.extend(group::targets(&groups).map_err(unusable)?);
        if found.len() > MAX_TARGETS {
            return Err(DiscoveryError::TooMany { place: path.display().to_string() });
        }
    }
    Ok(found)
}

/// The files that a pattern names, by name. As in Prometheus, only the last part of the path may have stars.
fn files(pattern: &Path) -> Result<Vec<PathBuf>, DiscoveryError> {
    let name = pattern.file_name().unwrap_or_default().as_encoded_bytes();
    if !name.contains(&b'*') {
        return Ok(vec![pattern.to_owned()]);
    }
    let folder =
        pattern.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let unreadable = |error: std::io::Error| unreadable(folder, &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let entry_name = path.file_name().unwrap_or_default().as_encoded_bytes();
        if glob(name, entry_name) && is_list(&path) {
            found.push(path);
        }
        if found.len() > MAX_FILES {
            return Err(DiscoveryError::TooManyFiles { pattern: pattern.to_owned() });
        }
    }
    found.sort();
    if found.is_empty() { Err(DiscoveryError::NoFile(pattern.to_owned())) } else { Ok(found) }
}

fn groups(path: &Path) -> Result<Vec<Group>, DiscoveryError> {
    let unusable = |why: String| DiscoveryError::Unusable { place: path.display().to_string(), why };
    let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| unreadable(path, &error))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(unusable(format!("it is larger than {} MiB", MAX_BYTES / 1024 / 1024)));
    }
    let is_json = path.extension().is_some_and(|end| end == "json");
    if is_json { group::of_json(text.as_bytes()) } else { group::of_yaml(&text) }.map_err(unusable)
}

fn unreadable(path: &Path, error: &std::io::Error) -> DiscoveryError {
    DiscoveryError::Unreadable { path: path.to_owned(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(files: &[(&str, &str)], pattern: &str) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let found = read(&folder.path().join(pattern)).map_err(|error| error.to_string())?;
        Ok(found.into_iter().map(|(address, _)| address.authority()).collect())
    }

    const JSON: &str = r#"[{"targets":["a:1"],"labels":{"rack":"r1"}}]"#;
    const YAML: &str = "- targets: ['b:2', c:3]\n  labels:\n    rack: r2\n";

    #[test]
    fn json_and_yaml_are_read_and_stars_name_several() {
        assert_eq!(read_all(&[("x.json", JSON)], "x.json").unwrap(), ["a:1"]);
        assert_eq!(read_all(&[("x.yml", YAML)], "x.yml").unwrap(), ["b:2", "c:3"]);
        let files = [("x.yml", YAML), ("x.json", JSON), ("x.txt", "no list"), ("y.json", JSON)];
        assert_eq!(read_all(&files, "x*").unwrap(), ["a:1", "b:2", "c:3"]);
        assert_eq!(read_all(&[("x.json", "[]")], "x.json").unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_wrong_is_said_with_file_and_line() {
        let json = read_all(&[("x.json", "[{\"targets\":\n[1]}]")], "x.json").unwrap_err();
        assert!(json.contains("x.json") && json.contains("line 2"), "{json}");
        let yaml = read_all(&[("x.yaml", "- targets:\n  - a:1\n  lables: {}\n")], "x.yaml").unwrap_err();
        assert!(yaml.contains("x.yaml") && yaml.contains("line 3") && yaml.contains("lables"), "{yaml}");
        assert!(read_all(&[], "x.json").unwrap_err().contains("cannot read"));
        assert!(read_all(&[], "x*.json").unwrap_err().contains("no file is called"));
    }

    #[test]
    fn more_files_than_are_read_are_none_that_is_left_out() {
        let names: Vec<String> = (0..=MAX_FILES).map(|n| format!("x{n}.json")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), JSON)).collect();
        let error = read_all(&files, "x*.json").unwrap_err();
        assert!(error.contains("x*.json") && error.contains("1000 files"), "{error}");
        assert_eq!(read_all(&files[1..], "x*.json").unwrap().len(), MAX_FILES);
    }
}
