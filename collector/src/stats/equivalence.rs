//! The threshold below which a difference does not matter.
//!
//! "No difference" is claimed by two one-sided tests (Schuirmann 1987): that the difference is above `-L` and that
//! it is below `L`. A large p value of a difference test is no such claim.

/// The practical threshold: symmetric on the log scale, `[1 / (1 + share), 1 + share]` as ratios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    share: f64,
}

impl Threshold {
    /// A threshold of `share`, such as 0.03 for 3 %; `None` outside (0, 1].
    #[must_use]
    pub fn new(share: f64) -> Option<Self> {
        (share > 0.0 && share <= 1.0).then_some(Self { share })
    }

    /// The threshold as a share: 0.03 for 3 %.
    #[must_use]
    pub fn share(self) -> f64 {
        self.share
    }

    /// The threshold as a difference of logarithms, `L = ln(1 + share)`.
    #[must_use]
    pub fn log(self) -> f64 {
        self.share.ln_1p()
    }
}

impl Default for Threshold {
    fn default() -> Self {
        Self { share: 0.03 }
    }
}
