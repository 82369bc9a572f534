//! Which hosts a fleet has.

use super::Random;

/// One agent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Host {
    /// On which side.
    pub is_candidate: bool,
    /// The logarithm of what it costs there, at ratio 1.
    pub log_value: f64,
    /// Its kernel, where several agents share one.
    pub kernel: Option<usize>,
    /// Its CPU model, where there are several.
    pub model: Option<usize>,
    /// Share of the variance of its rounds that all agents on its kernel see.
    pub shared: f64,
}

/// Which hosts a fleet has; spreads are log standard deviations.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Hosts of one kind.
    Plain {
        /// Of the candidate and of the baseline.
        hosts: [usize; 2],
        /// How far hosts of a tier differ.
        spread: f64,
    },
    /// The same, and one of the candidate's hosts takes three times as long.
    Outlier {
        /// Of the candidate and of the baseline.
        hosts: [usize; 2],
        /// How far hosts of a tier differ.
        spread: f64,
    },
    /// Kernels with several agents each.
    Nested {
        /// Kernels a side.
        kernels: usize,
        /// Agents on each.
        agents: usize,
        /// How far kernels differ; agents on one differ by a fifth of it.
        spread: f64,
    },
    /// A candidate and a baseline on each kernel.
    Pairs {
        /// Kernels.
        pairs: usize,
        /// How far kernels differ.
        spread: f64,
        /// How far what a pair shares differs.
        own: f64,
        /// How many times as long the first pair's candidate takes.
        outlier: f64,
    },
    /// Hosts of several CPU models, each a third dearer than the one before it.
    Models {
        /// Hosts of the candidate and of the baseline, by model.
        hosts: &'static [[usize; 2]],
        /// How far hosts of a model differ, of the candidate and of the baseline.
        spreads: [f64; 2],
    },
}

impl Shape {
    /// Draws its hosts.
    pub fn hosts(&self, random: &mut Random) -> Vec<Host> {
        let plain = |is_candidate: bool, log_value: f64| Host {
            is_candidate,
            log_value,
            kernel: None,
            model: None,
            shared: 0.0,
        };
        let mut hosts = Vec::new();
        match *self {
            Self::Plain { hosts: counts, spread } | Self::Outlier { hosts: counts, spread } => {
                for (is_candidate, count) in [true, false].into_iter().zip(counts) {
                    hosts.extend((0..count).map(|_| plain(is_candidate, spread * random.normal())));
                }
                if let (Self::Outlier { .. }, Some(first)) = (self, hosts.first_mut()) {
                    first.log_value += 3.0_f64.ln();
                }
            }
            Self::Nested { kernels, agents, spread } => {
                for kernel in 0..2 * kernels {
                    let centre = spread * random.normal();
                    hosts.extend((0..agents).map(|_| Host {
                        kernel: Some(kernel),
                        ..plain(kernel < kernels, centre + spread / 5.0 * random.normal())
                    }));
                }
            }
            Self::Pairs { pairs, spread, own, outlier } => {
                for kernel in 0..pairs {
                    let centre = spread * random.normal();
                    let apart = own * random.normal() + if kernel == 0 { outlier.ln() } else { 0.0 };
                    hosts.extend([(true, centre + apart), (false, centre)].map(
                        |(is_candidate, log_value)| Host {
                            kernel: Some(kernel),
                            shared: 0.7,
                            ..plain(is_candidate, log_value)
                        },
                    ));
                }
            }
            Self::Models { hosts: counts, spreads } => {
                let mut dearer = 0.0;
                for (model, counts) in counts.iter().enumerate() {
                    for ((is_candidate, count), spread) in [true, false].into_iter().zip(counts).zip(spreads)
                    {
                        hosts.extend((0..*count).map(|_| Host {
                            model: Some(model),
                            ..plain(is_candidate, dearer + spread * random.normal())
                        }));
                    }
                    dearer += (4.0_f64 / 3.0).ln();
                }
            }
        }
        hosts
    }
}
