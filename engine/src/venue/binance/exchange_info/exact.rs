//! Decimals of unknown scale, exactly: what a filter says before its instrument has scales.

use crate::domain::Scale;

/// A decimal that is not negative: `value × 10^-decimals`, with no decimals that are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exact {
    value: u128,
    decimals: u8,
}

/// Which way a bound goes where a scale is too coarse for it. Numbers at that scale lie on the same side of the bound
/// and of the rounded bound, so nothing is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Lower,
    Upper,
}

impl Exact {
    /// Reads `digits(.digits)?`; `None` for any other text, or more digits than are kept.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return None,
            Some((whole, fraction)) => (whole, fraction.trim_end_matches('0')),
            None => (text, ""),
        };
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let decimals = u8::try_from(fraction.len()).ok().filter(|&count| count <= Scale::MAX.digits())?;
        Some(Self { value: format!("{whole}{fraction}").parse().ok()?, decimals })
    }

    /// Whether it is zero, which switches a filter off.
    pub(super) const fn is_zero(self) -> bool {
        self.value == 0
    }

    /// Decimals it needs.
    pub(super) const fn decimals(self) -> u8 {
        self.decimals
    }

    /// The same at `decimals`, exactly.
    pub(super) fn at(self, decimals: u8) -> Option<i128> {
        let missing = decimals.checked_sub(self.decimals)?;
        let scaled = self.value.checked_mul(10_u128.checked_pow(missing.into())?)?;
        i128::try_from(scaled).ok()
    }

    /// The same as a bound at `decimals`.
    pub(super) fn bound(self, decimals: u8, bound: Bound) -> Option<i128> {
        if decimals >= self.decimals {
            return self.at(decimals);
        }
        let unit = 10_u128.checked_pow((self.decimals - decimals).into())?;
        let rounded = match bound {
            Bound::Lower => self.value.div_ceil(unit),
            Bound::Upper => self.value / unit,
        };
        i128::try_from(rounded).ok()
    }
}

/// Decimals that Binance writes in its books and trades, at most.
const WIRE_DECIMALS: u8 = 8;

/// Room above the largest number of an order: sums of many orders must fit too.
const HEADROOM: i128 = 1_000;

/// The scale for numbers up to `max` (none: no bound) on a grid of `step`: as fine as the wire where that leaves
/// room, because books hold numbers off the grid; never coarser than the grid.
pub(super) fn scale(max: Option<Exact>, step: Exact) -> Option<Scale> {
    let fits = |decimals: u8, room: i128| match max {
        None => true,
        Some(max) => max
            .bound(decimals, Bound::Lower)
            .and_then(|value| value.checked_mul(room))
            .is_some_and(|value| value <= i128::from(i64::MAX)),
    };
    let needed = step.decimals();
    let roomy = (needed..=WIRE_DECIMALS.max(needed)).rev().find(|&decimals| fits(decimals, HEADROOM));
    roomy.or_else(|| fits(needed, 1).then_some(needed)).and_then(Scale::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).expect("a plain decimal")
    }

    #[test]
    fn reads_plain_decimals_only() {
        assert_eq!(exact("0.00100000"), Exact { value: 1, decimals: 3 });
        assert_eq!(exact("92233720368.0"), Exact { value: 92_233_720_368, decimals: 0 });
        assert!(exact("0.000").is_zero());
        for bad in ["", ".5", "5.", "-1", "1e3", "+1", " 1", "1.0000000000000000001", "null"] {
            assert_eq!(Exact::parse(bad), None, "{bad}");
        }
        assert_eq!(Exact::parse(&"9".repeat(60)), None);
    }

    #[test]
    fn bounds_round_inwards() {
        assert_eq!(exact("1.55").at(2), Some(155));
        assert_eq!(exact("1.55").at(1), None);
        assert_eq!(exact("1.55").bound(1, Bound::Lower), Some(16));
        assert_eq!(exact("1.55").bound(1, Bound::Upper), Some(15));
        assert_eq!(exact("1.55").bound(4, Bound::Upper), Some(15_500));
    }

    #[test]
    fn scales_cover_the_wire_and_leave_room() {
        let digits = |max: &str, step: &str| scale(Some(exact(max)), exact(step)).map(Scale::digits);
        assert_eq!(digits("9000.00000000", "0.00001000"), Some(8));
        assert_eq!(digits("92233720368.0", "1.0"), Some(5)); // BTTC, SHIB
        assert_eq!(digits("9999998955.00", "1.00"), Some(5)); // SOLBIDR
        assert_eq!(digits("9000000000000000", "1"), Some(0));
        assert_eq!(digits("9000000000000000000", "1"), Some(0)); // no room left, yet it fits
        assert_eq!(digits("9000000000000000000", "0.1"), None);
        assert_eq!(digits("1", "0.0000000001"), Some(10)); // finer than the wire so far
        assert_eq!(scale(None, exact("0.01")).map(Scale::digits), Some(8));
    }
}
