//! One place to scrape.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::http::{Access, Address, Rules};
use crate::observation::Labels;

/// One place to scrape. Two are the same if they have the same address, the same labels and the same source.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it is.
    pub address: Address,
    /// What it is said to be: these labels hold whatever the target says of itself, as in Prometheus.
    pub labels: Labels,
    /// The source that it comes from, as the user named it.
    pub source: Arc<str>,
    /// How to be let in.
    pub access: Arc<Access>,
}

impl Target {
    /// A target with the access and the labels that `rules` have for it; its own labels go before those.
    #[must_use]
    pub fn new(address: Address, labels: Labels, source: Arc<str>, rules: &Rules) -> Self {
        let (access, more) = rules.find(&address);
        let mut all = more.clone();
        all.extend(labels);
        Self { address, labels: all, source, access }
    }

    /// What its instance is called: its label `instance`, or host and port.
    #[must_use]
    pub fn instance(&self) -> String {
        self.labels.get("instance").cloned().unwrap_or_else(|| self.address.authority())
    }

    /// When in a span of time it is its turn: always at the same place, and all targets evenly spread.
    pub(super) fn phase(&self, span: Duration) -> Duration {
        let mut hasher = DefaultHasher::new();
        self.address.hash(&mut hasher);
        self.labels.hash(&mut hasher);
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(hasher.finish().checked_rem(nanos).unwrap_or(0))
    }

    fn key(&self) -> (&Address, &Labels, &str) {
        (&self.address, &self.labels, &self.source)
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Target {}

impl PartialOrd for Target {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Target {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Hash for Target {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(port: u16) -> Target {
        let address = format!("http://127.0.0.1:{port}/metrics").parse().unwrap();
        Target::new(address, Labels::new(), "test".into(), &Rules::default())
    }

    #[test]
    fn a_fleet_is_spread_over_the_interval() {
        let interval = Duration::from_secs(15);
        let mut tenths = [0_usize; 10];
        for port in 10_000..12_000 {
            let phase = target(port).phase(interval);
            assert_eq!(phase, target(port).phase(interval));
            tenths[usize::try_from(phase.as_millis() / 1500).unwrap()] += 1;
        }
        // 200 each, give or take four standard deviations.
        assert!(tenths.iter().all(|count| (146..=254).contains(count)), "{tenths:?}");
        assert_eq!(target(1).phase(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn an_instance_is_called_as_its_label_says() {
        assert_eq!(target(9).instance(), "127.0.0.1:9");
        let named = Target { labels: Labels::from([("instance".into(), "db7".into())]), ..target(9) };
        assert_eq!(named.instance(), "db7");
        assert_ne!(named, target(9));
    }
}
