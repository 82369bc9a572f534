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
    /// What it stands in with others, where that is known: a rack, a physical machine.
    pub rack: Option<usize>,
    /// Share of the variance of its rounds that all agents on its kernel see.
    pub shared: f64,
    /// Log standard deviation of the way that it wanders, as a random walk, from the first round to the last.
    pub wander: f64,
}

/// How hosts of a tier are distributed, on the log scale, with the same standard deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Law {
    /// Gauss's.
    Normal,
    /// Student's t with 3 degrees of freedom: tails so heavy that a hundredth of the hosts is four deviations away.
    HeavyTails,
    /// An exponential: most hosts are close to the fastest.
    Skewed,
    /// Two kinds of hosts that nobody told apart, two deviations from one another.
    TwoKinds,
}

impl Law {
    /// A deviate with mean 0 and standard deviation 1.
    fn draw(self, random: &mut Random) -> f64 {
        match self {
            Self::Normal => random.normal(),
            Self::HeavyTails => random.student_3() / 3.0_f64.sqrt(),
            Self::Skewed => -random.uniform().ln() - 1.0,
            Self::TwoKinds => {
                // Kinds at -0.8 and 0.8, and 0.6 within: the variance is 1.
                let kind = if random.uniform() < 0.5 { -0.8 } else { 0.8 };
                kind + 0.6 * random.normal()
            }
        }
    }
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
    /// The same, of another distribution, or unlike on the two sides, or hosts that wander while they are measured.
    Lawful {
        /// Of the candidate and of the baseline.
        hosts: [usize; 2],
        /// How far hosts of a tier differ, of the candidate and of the baseline.
        spreads: [f64; 2],
        /// How they are distributed.
        law: Law,
        /// How far each wanders while it is measured.
        wander: f64,
    },
    /// Hosts that share something: racks, or physical machines under virtual ones.
    Racks {
        /// Racks.
        racks: usize,
        /// Hosts of the candidate and of the baseline in each rack; in every second one those of the candidate
        /// only, in the others those of the baseline only, unless `is_mixed`.
        hosts: [usize; 2],
        /// How far racks differ.
        spread: f64,
        /// How far hosts of one rack differ.
        own: f64,
        /// Whether both sides stand in each rack.
        is_mixed: bool,
    },
    /// As the first, and one of the candidate's hosts takes three times as long.
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
            rack: None,
            shared: 0.0,
            wander: 0.0,
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
            Self::Lawful { hosts: counts, spreads, law, wander } => {
                for ((is_candidate, count), spread) in [true, false].into_iter().zip(counts).zip(spreads) {
                    hosts.extend(
                        (0..count).map(|_| Host { wander, ..plain(is_candidate, spread * law.draw(random)) }),
                    );
                }
            }
            Self::Racks { racks, hosts: counts, spread, own, is_mixed } => {
                for rack in 0..racks {
                    let centre = spread * random.normal();
                    for (is_candidate, count) in [true, false].into_iter().zip(counts) {
                        let stands_here = is_mixed || is_candidate == (rack % 2 == 0);
                        hosts.extend((0..if stands_here { count } else { 0 }).map(|_| Host {
                            rack: Some(rack),
                            ..plain(is_candidate, centre + own * random.normal())
                        }));
                    }
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
