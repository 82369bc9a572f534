//! One scrape's rounds as bytes, and back.
//!
//! A scrape shows a round of each probe that has had one since the scrape before. Each becomes a group: when it ended,
//! whether it was disturbed, and its numbers in the order of a layout, which names the series once for all rounds that
//! look alike. All numbers' first bytes stand together, then all second bytes and so on: signs and exponents resemble
//! one another, and deflate finds it.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// One probe's round.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Which series the values are of, in which order.
    pub layout: u32,
    /// When the round ended, in seconds since the epoch, on the agent's clock.
    pub timestamp: f64,
    /// Whether the agent marked it as disturbed.
    pub disturbed: bool,
    /// The numbers; each of them finite.
    pub values: Vec<f64>,
}

/// How many rounds groups are of: a probe that has durations and gauges has two groups a round. They stand in the order
/// of their timestamps.
#[must_use]
pub fn rounds<'a>(groups: impl Iterator<Item = &'a Group>) -> usize {
    let mut last = None;
    groups.filter(|group| last.replace(group.timestamp.to_bits()) != Some(group.timestamp.to_bits())).count()
}

/// The only form so far.
const FORM: u8 = 1;
const DISTURBED: u8 = 1;
/// The group's numbers are kept whole.
const WIDE: u8 = 2;
/// Largest relative error of a number that is kept in single precision: half a unit of its last place.
const NARROW_ERROR: f64 = 1.0 / 16_777_216.0;
/// Bytes of a group's head.
const HEAD_BYTES: usize = 4 + 1 + 8 + 2;
/// Longest that packed rounds may become when they are unpacked; a scrape has at most 100 000 series.
const MAX_BYTES: u64 = 4 << 20;

/// Why bytes are no packed rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("packed rounds are broken")]
pub struct Broken;

/// Packs groups; those with more than 65 535 numbers are cut, which no layout has.
#[must_use]
pub fn pack(groups: &[Group]) -> Vec<u8> {
    let mut heads = Vec::with_capacity(2 + groups.len() * HEAD_BYTES);
    heads.extend(u16::try_from(groups.len()).unwrap_or(u16::MAX).to_le_bytes());
    let (mut narrow, mut wide) = (Vec::new(), Vec::new());
    for group in groups.iter().take(usize::from(u16::MAX)) {
        let is_wide = !group.values.iter().all(|value| is_narrow(*value));
        let values = group.values.iter().take(usize::from(u16::MAX));
        let flags = if group.disturbed { DISTURBED } else { 0 } | if is_wide { WIDE } else { 0 };
        heads.extend(group.layout.to_le_bytes());
        heads.push(flags);
        heads.extend(group.timestamp.to_le_bytes());
        heads.extend(u16::try_from(values.len()).unwrap_or(u16::MAX).to_le_bytes());
        if is_wide {
            wide.extend(values.map(|value| value.to_be_bytes()));
        } else {
            narrow.extend(values.map(|value| single(*value).to_be_bytes()));
        }
    }
    let mut encoder = DeflateEncoder::new(vec![FORM], Compression::default());
    let planes = [heads, planes(&narrow), planes(&wide)];
    // Writing to memory does not fail.
    let _infallible = planes.iter().try_for_each(|part| encoder.write_all(part));
    encoder.finish().unwrap_or_default()
}

/// Unpacks groups.
///
/// # Errors
///
/// When these are no packed groups.
pub fn unpack(bytes: &[u8]) -> Result<Vec<Group>, Broken> {
    let (FORM, packed) = bytes.split_first().map(|(form, rest)| (*form, rest)).ok_or(Broken)? else {
        return Err(Broken);
    };
    let mut raw = Vec::new();
    DeflateDecoder::new(packed).take(MAX_BYTES).read_to_end(&mut raw).map_err(|_| Broken)?;
    let (count, mut rest) = raw.split_first_chunk::<2>().ok_or(Broken)?;
    let mut heads = Vec::new();
    let (mut narrow_count, mut wide_count) = (0, 0);
    for _ in 0..u16::from_le_bytes(*count) {
        let (layout, tail) = rest.split_first_chunk::<4>().ok_or(Broken)?;
        let (flags, tail) = tail.split_first().ok_or(Broken)?;
        let (timestamp, tail) = tail.split_first_chunk::<8>().ok_or(Broken)?;
        let (length, tail) = tail.split_first_chunk::<2>().ok_or(Broken)?;
        rest = tail;
        let length = usize::from(u16::from_le_bytes(*length));
        let is_wide = flags & WIDE != 0;
        *(if is_wide { &mut wide_count } else { &mut narrow_count }) += length;
        let group = Group {
            layout: u32::from_le_bytes(*layout),
            timestamp: f64::from_le_bytes(*timestamp),
            disturbed: flags & DISTURBED != 0,
            values: Vec::with_capacity(length),
        };
        heads.push((group, length, is_wide));
    }
    if rest.len() != narrow_count * 4 + wide_count * 8 {
        return Err(Broken);
    }
    let (narrow, wide) = rest.split_at_checked(narrow_count * 4).ok_or(Broken)?;
    let mut narrow = numbers::<4>(narrow).map(|bytes| f64::from(f32::from_be_bytes(bytes)));
    let mut wide = numbers::<8>(wide).map(f64::from_be_bytes);
    let groups = heads.into_iter().map(|(mut group, length, is_wide)| {
        if is_wide {
            group.values.extend(wide.by_ref().take(length));
        } else {
            group.values.extend(narrow.by_ref().take(length));
        }
        group
    });
    Ok(groups.collect())
}

/// Whether single precision is close enough to a number.
fn is_narrow(value: f64) -> bool {
    (f64::from(single(value)) - value).abs() <= NARROW_ERROR * value.abs()
}

#[expect(clippy::cast_possible_truncation, reason = "what is lost is looked at in `is_narrow`")]
const fn single(value: f64) -> f32 {
    value as f32
}

/// All first bytes, then all second bytes and so on.
fn planes<const N: usize>(numbers: &[[u8; N]]) -> Vec<u8> {
    (0..N).flat_map(|place| numbers.iter().filter_map(move |bytes| bytes.get(place).copied())).collect()
}

/// The inverse of [`planes`].
fn numbers<const N: usize>(planes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    let count = planes.len() / N;
    (0..count).map(move |at| {
        std::array::from_fn(|place| planes.get(place * count + at).copied().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn group(values: Vec<f64>) -> Group {
        Group { layout: 7, timestamp: 1_700_000_000.123, disturbed: true, values }
    }

    #[test]
    fn what_single_precision_cannot_hold_is_kept_whole() {
        for values in [vec![1e300, 1e-7], vec![1e-300], vec![f64::MIN_POSITIVE], vec![-1e40, 0.0]] {
            assert_eq!(unpack(&pack(&[group(values.clone())])), Ok(vec![group(values)]));
        }
    }

    #[test]
    fn bytes_of_memory_survive_exactly() {
        // Whole pages below 64 GiB have few enough digits.
        let values = vec![4096.0, 25_769_803_776.0, 68_719_472_640.0, 0.0, -1.0];
        let packed = pack(&[group(values.clone())]);
        assert_eq!(unpack(&packed), Ok(vec![group(values)]));
    }

    proptest! {
        #[test]
        fn packing_loses_at_most_the_eighth_digit(
            all in prop::collection::vec(
                (any::<u32>(), any::<bool>(), 0.0..1e10f64, prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO, 0..40)),
                0..6,
            )
        ) {
            let groups: Vec<Group> = all
                .into_iter()
                .map(|(layout, disturbed, timestamp, values)| Group { layout, timestamp, disturbed, values })
                .collect();
            let back = unpack(&pack(&groups)).unwrap();
            prop_assert_eq!(back.len(), groups.len());
            for (a, b) in groups.iter().zip(&back) {
                prop_assert_eq!((a.layout, a.timestamp.to_bits(), a.disturbed), (b.layout, b.timestamp.to_bits(), b.disturbed));
                prop_assert_eq!(a.values.len(), b.values.len());
                for (x, y) in a.values.iter().zip(&b.values) {
                    prop_assert!((x - y).abs() <= x.abs() * 6e-8, "{} {}", x, y);
                }
            }
        }

        #[test]
        fn any_bytes_are_rounds_or_broken(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _either = unpack(&bytes);
            let framed = [vec![FORM], bytes].concat();
            let _either = unpack(&framed);
        }

        #[test]
        fn a_bit_that_flips_is_no_panic(at in 0usize..60, bit in 0u8..8) {
            let mut packed = pack(&[group(vec![1.5e-7; 20]), group(vec![1e300; 3])]);
            let at = at % packed.len();
            packed[at] ^= 1 << bit;
            let _either = unpack(&packed);
        }
    }
}
