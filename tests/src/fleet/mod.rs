//! Simulated fleets whose true ratio is known, compared by the collector's own library.
//!
//! `ln y = mu_tier + b_host + e`: hosts differ by a normal `b`; rounds of a host resemble their neighbours (AR(1)
//! with coefficient 0.6), have heavy tails (Student's t with 4 degrees of freedom, 4 % log standard deviation) and
//! spikes upwards in 3 % of the rounds (65 % on average). Random numbers come from a seed, so a run can be repeated.
//!
//! - [`random`]: the numbers.
//! - [`shape`]: which hosts a fleet has.

pub mod random;
pub mod shape;

use tierprobe_collector::compare::{Options, Row, compare};
use tierprobe_collector::dataset::Dataset;
use tierprobe_collector::observation::{Collected, Instance, Labels, Observation, Statistic};

pub use random::Random;
pub use shape::{Host, Law, Shape};

/// The baseline's group, and the candidate's.
pub const TIERS: [&str; 2] = ["vm", "container_in_vm"];
const FAMILY: &str = "tierprobe_syscall_seconds";
/// Seconds between rounds.
const PAUSE: f64 = 15.0;
/// Log standard deviation of rounds within a host.
const NOISE: f64 = 0.04;
/// Share of rounds with a spike, and its mean on the log scale.
const SPIKES: (f64, f64) = (0.03, 0.5);

/// How strongly a round resembles the one before it.
pub const LIKENESS: f64 = 0.6;

/// One draw of a fleet: its hosts, with the logarithms of their rounds at ratio 1.
#[derive(Debug, Clone)]
pub struct Fleet {
    hosts: Vec<(Host, Vec<f64>)>,
}

impl Fleet {
    /// Draws a fleet.
    #[must_use]
    pub fn draw(shape: &Shape, rounds: usize, random: &mut Random) -> Self {
        Self::draw_alike(shape, rounds, LIKENESS, random)
    }

    /// Draws a fleet whose rounds resemble the ones before them by `likeness`.
    #[must_use]
    pub fn draw_alike(shape: &Shape, rounds: usize, likeness: f64, random: &mut Random) -> Self {
        let hosts = shape.hosts(random);
        let mut weather: Option<(usize, Vec<f64>)> = None;
        let drawn = hosts.into_iter().map(|host| {
            let mut own = noise(rounds, likeness, random);
            if host.wander > 0.0 {
                walk(&mut own, host.wander, random);
            }
            let Some(kernel) = host.kernel.filter(|_| host.shared > 0.0) else {
                let values = own.iter().map(|one| host.log_value + one).collect();
                return (host, values);
            };
            // Agents on one kernel see some of the same noise.
            let shared = match &weather {
                Some((of, shared)) if *of == kernel => shared.clone(),
                _ => noise(rounds, likeness, random),
            };
            let (a, b) = (host.shared.sqrt(), (1.0 - host.shared).sqrt());
            let values =
                own.iter().zip(&shared).map(|(own, shared)| host.log_value + a * shared + b * own).collect();
            weather = Some((kernel, shared));
            (host, values)
        });
        Self { hosts: drawn.collect() }
    }

    /// The row of a comparison of this fleet at a true ratio; `None` when there is none, which is an error.
    #[must_use]
    pub fn row(&self, ratio: f64, options: &Options) -> Option<Row> {
        let collected = self.hosts.iter().enumerate().map(|(at, (host, rounds))| {
            let step = if host.is_candidate { ratio } else { 1.0 };
            collected(at, host, rounds.iter().map(|round| 1e-6 * step * round.exp()))
        });
        let comparison = compare(&Dataset::new(collected.collect()), options).ok()?;
        comparison.rows().next().cloned()
    }

    /// All rounds of a side at a true ratio, as if each were a measurement of its own.
    #[must_use]
    pub fn pooled(&self, is_candidate: bool, ratio: f64) -> Vec<f64> {
        let step = if is_candidate { ratio } else { 1.0 };
        let side = self.hosts.iter().filter(|(host, _)| host.is_candidate == is_candidate);
        side.flat_map(|(_, rounds)| rounds).map(|round| step * round.exp()).collect()
    }

    /// The true difference of two lone hosts on the log scale, at ratio 1.
    #[must_use]
    pub fn difference_of_hosts(&self) -> f64 {
        let side = |is_candidate: bool| {
            let hosts = self.hosts.iter().filter(|(host, _)| host.is_candidate == is_candidate);
            hosts.map(|(host, _)| host.log_value).sum::<f64>()
        };
        side(true) - side(false)
    }
}

/// Rounds of a host around zero, on the log scale.
#[must_use]
pub fn noise(rounds: usize, likeness: f64, random: &mut Random) -> Vec<f64> {
    let innovation = NOISE * (1.0 - likeness * likeness).sqrt();
    let mut state = NOISE * random.normal();
    (0..rounds)
        .map(|_| {
            // The variance of t with 4 degrees of freedom is 2.
            state = likeness * state + innovation * random.student_4() / std::f64::consts::SQRT_2;
            let is_spike = random.uniform() < SPIKES.0;
            state + if is_spike { -SPIKES.1 * random.uniform().ln() } else { 0.0 }
        })
        .collect()
}

/// Adds a random walk whose end is `deviation` away from its begin, by standard deviation.
fn walk(values: &mut [f64], deviation: f64, random: &mut Random) {
    #[expect(clippy::cast_precision_loss, reason = "numbers of rounds are far below 2^52")]
    let step = deviation / (values.len() as f64).sqrt();
    let mut state = 0.0;
    for value in values {
        state += step * random.normal();
        *value += state;
    }
}

fn collected(at: usize, host: &Host, rounds: impl Iterator<Item = f64>) -> Collected {
    let tier = if host.is_candidate { TIERS[1] } else { TIERS[0] };
    let mut labels = Labels::from([("tier".to_owned(), tier.to_owned())]);
    labels.extend(host.kernel.map(|kernel| ("boot_id".to_owned(), format!("k{kernel}"))));
    labels.extend(host.rack.map(|rack| ("rack".to_owned(), format!("r{rack}"))));
    labels.extend(host.model.map(|model| ("cpu_model".to_owned(), format!("m{model}"))));
    let mut timestamp = 1_700_000_000.0;
    let observations = rounds.map(|value| {
        timestamp += PAUSE;
        Observation {
            family: FAMILY.to_owned(),
            labels: Labels::new(),
            statistic: Statistic::P50,
            timestamp,
            value,
            disturbed: false,
        }
    });
    let name = format!("h{at}");
    Collected {
        source: String::new(),
        observations: observations.collect(),
        instance: Instance { name, labels, ..Instance::default() },
        ..Collected::default()
    }
}
