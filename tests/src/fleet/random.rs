//! Random numbers from a seed: splitmix64 (Steele, Lea and Flood 2014), Box-Muller.

/// A sequence of random numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number strictly between 0 and 1.
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (f64::from(u32::try_from(z >> 32).unwrap_or(u32::MAX)) + 0.5) / 4_294_967_296.0
    }

    /// A standard normal deviate.
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }

    /// A deviate of Student's t with 3 degrees of freedom; its variance is 3.
    pub fn student_3(&mut self) -> f64 {
        let chi_squared = self.normal().powi(2) - 2.0 * self.uniform().ln();
        self.normal() / (chi_squared / 3.0).sqrt()
    }

    /// A deviate of Student's t with 4 degrees of freedom.
    pub fn student_4(&mut self) -> f64 {
        let chi_squared = -2.0 * (self.uniform() * self.uniform()).ln();
        self.normal() / (chi_squared / 4.0).sqrt()
    }
}
