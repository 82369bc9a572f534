//! Student's t distribution with real degrees of freedom.
//!
//! Welch's method gives degrees of freedom such as 6.22, so tables do not do. The tail comes from the regularised
//! incomplete beta function, `P(T > t) = I_x(nu/2, 1/2) / 2` with `x = nu / (nu + t^2)` (Abramowitz and Stegun
//! 26.7.1), evaluated by its continued fraction with Lentz's algorithm (Press et al., Numerical Recipes, 6.4).

use std::cell::RefCell;
use std::collections::VecDeque;

/// Degrees of freedom from which on the distribution is the normal one to six digits.
pub(super) const MANY: f64 = 1e6;

/// `P(T > t)` for `nu` degrees of freedom, `nu > 0`. NaN for what is no number.
#[must_use]
pub fn upper_tail(t: f64, nu: f64) -> f64 {
    if t < 0.0 {
        return 1.0 - upper_tail(-t, nu);
    }
    if t.is_infinite() {
        return 0.0;
    }
    0.5 * incomplete_beta(nu / (nu + t * t), nu / 2.0, 0.5)
}

/// The `t` for which `P(T <= t)` is `p`. `p` is between 0 and 1, `nu > 0`; NaN otherwise.
#[must_use]
pub fn quantile(p: f64, nu: f64) -> f64 {
    // Not `p <= 0.0 || …`: NaN must end here, too.
    if !(p > 0.0 && p < 1.0 && nu > 0.0) {
        return f64::NAN;
    }
    if p < 0.5 {
        return -quantile(1.0 - p, nu);
    }
    // The rows of a comparison ask for the same few again and again.
    KNOWN.with_borrow_mut(|known| {
        if let Some((.., t)) = known.iter().find(|(of, own, _)| is_same(*of, p) && is_same(*own, nu)) {
            return *t;
        }
        let t = found(1.0 - p, nu);
        known.truncate(MOST_KNOWN - 1);
        known.push_front((p, nu, t));
        t
    })
}

/// How many quantiles are kept.
const MOST_KNOWN: usize = 32;

thread_local! {
    /// The quantiles that were found last: of which `p` and `nu`, and what they are.
    static KNOWN: RefCell<VecDeque<(f64, f64, f64)>> = const { RefCell::new(VecDeque::new()) };
}

const fn is_same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits()
}

/// The `t` above which there is so much of the distribution, 0.5 at most.
fn found(tail: f64, nu: f64) -> f64 {
    let is_below = |t: f64| upper_tail(t, nu) > tail;
    let mut low = 0.0;
    let mut high = 1.0;
    while is_below(high) && high < 1e300 {
        low = high;
        high *= 2.0;
    }
    // On which side of it anything lies that is not as near as this needs no tail, which is what costs.
    let near = near(low, high, tail, nu).filter(|(from, to)| is_below(*from) && !is_below(*to));
    // Bisection: a bit per step, so this is more than the 53 that there are.
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        let is_done = is_same(middle, low) || is_same(middle, high);
        let is_low = match near {
            Some((from, _)) if middle < from => true,
            Some((_, to)) if middle > to => false,
            Some(_) | None => is_below(middle),
        };
        if is_low {
            low = middle;
        } else {
            high = middle;
        }
        if is_done {
            break;
        }
    }
    0.5 * (low + high)
}

/// Where about it is, by Newton's method. Much further apart than rounding goes, which of many degrees of freedom leaves
/// ten digits of a tail.
fn near(low: f64, high: f64, tail: f64, nu: f64) -> Option<(f64, f64)> {
    const MARGIN: f64 = 1e-6;
    let front = ln_gamma((nu + 1.0) / 2.0) - ln_gamma(nu / 2.0) - 0.5 * (nu * std::f64::consts::PI).ln();
    let mut t = 0.5 * (low + high);
    for _ in 0..8 {
        let density = (front - 0.5 * (nu + 1.0) * (t * t / nu).ln_1p()).exp();
        let step = (upper_tail(t, nu) - tail) / density;
        t = (t + step).clamp(low, high);
        if step.abs() < 0.1 * MARGIN * t {
            let (from, to) = (t * (1.0 - MARGIN), t * (1.0 + MARGIN));
            return (low < from && to < high).then_some((from, to));
        }
    }
    None
}

/// The regularised incomplete beta function `I_x(a, b)`.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    // The fraction converges fast on this side of the mean only; the other side is its mirror image.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(x, a, b) / a
    } else {
        1.0 - front * beta_fraction(1.0 - x, b, a) / b
    }
}

fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    const STEPS: u32 = 2000;
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };

    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..STEPS {
        let m = f64::from(step);
        for numerator in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 / away_from_zero(1.0 + numerator * d);
            c = away_from_zero(1.0 + numerator / c);
            fraction *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}

/// The logarithm of the gamma function for `x > 0` (Lanczos 1964, coefficients for g = 7 by Godfrey).
fn ln_gamma(x: f64) -> f64 {
    const FIRST: f64 = 0.999_999_999_999_809_9;
    const SERIES: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let mut sum = FIRST;
    let mut at = x;
    for coefficient in SERIES {
        sum += coefficient / at;
        at += 1.0;
    }
    let t = x + 6.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x - 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (nu, t) in [
            (1.0, 12.706_205),
            (1.5, 6.016_663),
            (2.0, 4.302_653),
            (3.0, 3.182_446),
            (4.29, 2.703_969),
            (6.0, 2.446_912),
            (6.8, 2.378_796),
            (10.0, 2.228_139),
            (30.5, 2.040_869),
            (98.0, 1.984_467),
        ] {
            assert!((quantile(0.975, nu) - t).abs() < 1e-6, "nu {nu}: {}", quantile(0.975, nu));
            assert!((quantile(0.025, nu) + t).abs() < 1e-6, "nu {nu}");
        }
    }

    /// The quantile by bisection alone, each half by its tail.
    fn by_bisection(p: f64, nu: f64) -> f64 {
        let tail = 1.0 - p;
        let (mut low, mut high) = (0.0, 1.0);
        while upper_tail(high, nu) > tail && high < 1e300 {
            (low, high) = (high, high * 2.0);
        }
        for _ in 0..80 {
            let middle = 0.5 * (low + high);
            if upper_tail(middle, nu) > tail { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    }

    proptest::proptest! {
        #[test]
        fn what_is_found_faster_is_the_same_number(p in 0.5..1.0_f64, tail in 1e-9..1e-2_f64, nu in 0.0..6.0_f64) {
            for p in [p, 1.0 - tail] {
                let nu = 10_f64.powf(nu);
                proptest::prop_assert_eq!(quantile(p, nu).to_bits(), by_bisection(p, nu).to_bits());
            }
        }
    }

    #[test]
    fn quantiles_of_the_confidences_in_use_are_those_of_bisection() {
        for hosts in 1..400_u32 {
            let nu = 0.37 + f64::from(hosts) * 0.93;
            for p in [0.8, 0.9, 0.95, 0.975, 0.99, 0.999] {
                assert_eq!(quantile(p, nu).to_bits(), by_bisection(p, nu).to_bits(), "{p} {nu}");
            }
        }
        assert_eq!(quantile(0.975, MANY).to_bits(), by_bisection(0.975, MANY).to_bits());
    }

    #[test]
    fn many_degrees_of_freedom_are_the_normal_distribution() {
        assert!((quantile(0.975, MANY) - 1.959_964).abs() < 1e-5);
    }

    #[test]
    fn the_tail_of_a_quantile_is_its_complement() {
        for nu in [1.0, 2.5, 8.64, 77.0] {
            for p in [0.01, 0.3, 0.5, 0.8, 0.999] {
                assert!((upper_tail(quantile(p, nu), nu) - (1.0 - p)).abs() < 1e-12, "{p} {nu}");
            }
        }
    }

    #[test]
    fn what_is_no_probability_has_no_quantile() {
        for (p, nu) in [(0.0, 3.0), (1.0, 3.0), (f64::NAN, 3.0), (0.5, 0.0)] {
            assert!(quantile(p, nu).is_nan());
        }
    }
}
