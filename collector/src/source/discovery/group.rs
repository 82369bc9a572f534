//! Target groups, as Prometheus' `file_sd` and `http_sd` have them:
//!
//! ```json
//! [ { "targets": ["10.0.0.7:10990", "10.0.0.8:10990"], "labels": { "rack": "r12" } } ]
//! ```
//!
//! The labels `__scheme__`, `__metrics_path__` and `__param_NAME` say how to ask, `__address__` whom. Other labels
//! that begin with `__` are for relabelling, which is not done here, and are left out.

use serde::Deserialize;

use crate::http::Address;
use crate::http::rules::yaml;
use crate::observation::Labels;

/// Targets with the same labels.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Hosts and ports.
    #[serde(default)]
    pub targets: Vec<String>,
    /// What they have in common.
    #[serde(default)]
    pub labels: Labels,
}

/// Groups as pages and files have them in JSON.
///
/// # Errors
///
/// What is wrong and in which line.
pub fn of_json(bytes: &[u8]) -> Result<Vec<Group>, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// Groups as files have them in YAML.
///
/// # Errors
///
/// What is wrong and in which line.
pub fn of_yaml(text: &str) -> Result<Vec<Group>, String> {
    serde_saphyr::from_str(text).map_err(|error| yaml(&error))
}

/// The addresses and labels of all targets of all groups.
///
/// # Errors
///
/// Which entry is wrong, and why.
pub fn targets(groups: &[Group]) -> Result<Vec<(Address, Labels)>, String> {
    let mut found = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        for (nth, target) in group.targets.iter().enumerate() {
            let address = group
                .address(target)
                .map_err(|why| format!("entry {}, target {}: {why}", at + 1, nth + 1))?;
            found.push((address, group.said()));
        }
    }
    Ok(found)
}

impl Group {
    fn address(&self, target: &str) -> Result<Address, String> {
        let label = |name: &str| self.labels.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let authority = label("__address__").unwrap_or(target);
        if authority.contains("://") || authority.contains('/') {
            return Err(format!(
                "{authority:?} is no HOST:PORT; the scheme and the path go into the labels __scheme__ and \
                 __metrics_path__"
            ));
        }
        let scheme = label("__scheme__").unwrap_or("http");
        let path = label("__metrics_path__").unwrap_or("/metrics");
        let slash = if path.starts_with('/') { "" } else { "/" };
        let mut text = format!("{scheme}://{authority}{slash}{path}");
        for (label, value) in &self.labels {
            if let Some(name) = label.strip_prefix("__param_") {
                let separator = if text.contains('?') { '&' } else { '?' };
                text.push(separator);
                text.push_str(&crate::http::form(&[(name, value)]));
            }
        }
        text.parse::<Address>().map_err(|error| error.to_string())
    }

    /// The labels that the instances get.
    fn said(&self) -> Labels {
        let said = self.labels.iter().filter(|(label, value)| !label.starts_with("__") && !value.is_empty());
        said.map(|(label, value)| (label.clone(), value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<Vec<(String, Labels)>, String> {
        Ok(targets(&of_json(json.as_bytes())?)?
            .into_iter()
            .map(|(address, labels)| (address.to_string(), labels))
            .collect())
    }

    #[test]
    fn labels_say_how_to_ask_and_what_it_is() {
        let found = of(r#"[{"targets":["a:1","[::1]:2"],"labels":{"rack":"r1","__meta_x":"y","empty":""}},
                {"targets":["b"],"labels":{"__scheme__":"https","__metrics_path__":"x/y","__param_a":"b c"}},
                {"targets":["ignored"],"labels":{"__address__":"c:3"}},{"targets":[]}]"#)
        .unwrap();
        let addresses: Vec<&str> = found.iter().map(|(address, _)| address.as_str()).collect();
        assert_eq!(
            addresses,
            ["http://a:1/metrics", "http://[::1]:2/metrics", "https://b/x/y?a=b+c", "http://c:3/metrics"]
        );
        assert_eq!(found[0].1, Labels::from([("rack".into(), "r1".into())]));
        assert_eq!(found[2].1, Labels::new());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_entry() {
        let error = of(r#"[{"targets":["a:1"]},{"targets":["b:2","http://c:3/metrics"]}]"#).unwrap_err();
        assert!(error.contains("entry 2, target 2") && error.contains("__scheme__"), "{error}");
        let error = of(r#"[{"targets":["a:x"]}]"#).unwrap_err();
        assert!(error.contains("entry 1, target 1") && error.contains("a:x"), "{error}");
        assert!(of(r#"[{"targets":["a:1"],"label":{}}]"#).unwrap_err().contains("line 1"));
        assert!(
            of(r#"[{"targets":["a:1"],"labels":{"__scheme__":"ftp"}}]"#).unwrap_err().contains("entry 1")
        );
    }
}
