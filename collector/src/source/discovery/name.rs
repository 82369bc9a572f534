//! `dns:NAME:PORT` and `dns+srv:NAME`: the addresses behind a name.
//!
//! A name that has many addresses, as a headless service of Kubernetes has, is many targets; a host's own name is
//! one. SRV records carry hosts and ports.

use std::fmt;

use hickory_resolver::proto::rr::RData;

use super::{DiscoveryError, MAX_TARGETS};
use crate::http::{Address, Names};
use crate::observation::Labels;

/// What to ask the name servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// SRV records, or else A and AAAA.
    pub is_service: bool,
    /// How to ask the targets: scheme, port and path are theirs, the host is the name.
    pub like: Address,
}

impl Question {
    /// Reads what stands behind `dns:` or `dns+srv:`.
    #[must_use]
    pub fn new(text: &str, is_service: bool) -> Option<Self> {
        let (text, has_path) = match text.split_once("://") {
            Some((_, rest)) => (text.to_owned(), rest.contains('/')),
            None => (format!("http://{text}"), text.contains('/')),
        };
        let mut like: Address = text.parse().ok()?;
        if !has_path {
            "/metrics".clone_into(&mut like.path);
        }
        // A service's records say the port, a name's do not.
        let is_answerable = is_service != like.port.is_some();
        let is_name = like.host.parse::<std::net::IpAddr>().is_err();
        (is_answerable && is_name).then_some(Self { is_service, like })
    }

    /// The targets behind the name.
    pub(super) async fn ask(&self, names: &Names) -> Result<Vec<(Address, Labels)>, DiscoveryError> {
        let name = &self.like.host;
        let failed = |why: String| DiscoveryError::Name { name: name.clone(), why };
        let resolver = names.resolver().map_err(|error| failed(error.to_string()))?;
        let mut found: Vec<(String, Option<u16>)> = if self.is_service {
            let answer =
                resolver.srv_lookup(name.as_str()).await.map_err(|error| failed(error.to_string()))?;
            let services = answer.answers().iter().filter_map(|record| {
                // Aliases that led to the answer are in it, too.
                let RData::SRV(service) = &record.data else { return None };
                Some((service.target.to_utf8().trim_end_matches('.').to_owned(), Some(service.port)))
            });
            services.collect()
        } else {
            let answer =
                resolver.lookup_ip(name.as_str()).await.map_err(|error| failed(error.to_string()))?;
            answer.iter().map(|address| (address.to_string(), self.like.port)).collect()
        };
        // Name servers answer in an order that changes.
        found.sort();
        found.dedup();
        if found.len() > MAX_TARGETS {
            return Err(DiscoveryError::TooMany { place: name.clone() });
        }
        let target = |(host, port)| (Address { host, port, ..self.like.clone() }, Labels::new());
        Ok(found.into_iter().map(target).collect())
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dns{}:{}", if self.is_service { "+srv" } else { "" }, self.like)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read() {
        let like = |text: &str, is_service| {
            Question::new(text, is_service).map(|question| question.like.to_string())
        };
        assert_eq!(like("agents:10990", false).unwrap(), "http://agents:10990/metrics");
        assert_eq!(like("https://agents:10990/m", false).unwrap(), "https://agents:10990/m");
        assert_eq!(like("_metrics._tcp.agents", true).unwrap(), "http://_metrics._tcp.agents/metrics");
        for (text, is_service) in [("agents", false), ("agents:1", true), ("10.0.0.1:1", false), ("", true)] {
            assert_eq!(like(text, is_service), None, "{text}");
        }
    }
}
