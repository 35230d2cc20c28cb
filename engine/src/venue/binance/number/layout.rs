//! Where the bytes of a decimal lie, for who reads sixteen of them at a time.

use super::lanes::Bounds;

/// Bytes that are read at once.
pub(in crate::venue::binance) const LANES: usize = 16;

/// Most digits before the point: with eight behind it they are fifteen, which fit 64 bits.
pub(in crate::venue::binance) const WHOLE_MAX: usize = 7;

/// Most decimals.
const DECIMALS_MAX: usize = 8;

/// The bytes of a number that has so many digits before its point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Zero digits, and what is fixed.
    pub(super) pattern: [u8; LANES],
    /// The most that a byte may be after it was XORed with the pattern: 9 of a digit, 0 of what is fixed.
    pub(super) most: [u8; LANES],
    /// Which byte goes where: the last digit that counts comes last.
    pub(super) places: [u8; LANES],
}

/// The layouts of numbers with a fixed number of decimals, by the digits before the point.
#[derive(Debug)]
pub(in crate::venue::binance) struct Layouts {
    pub(super) by_whole: [Layout; WHOLE_MAX + 1],
    /// The byte behind the digits before the point: the point, or the closing quote where there are no decimals.
    pub(super) stop: u8,
    /// Bytes of the point and of the decimals.
    pub(in crate::venue::binance) behind: usize,
}

/// By decimals on the wire, and by how many of them count; where more than there are, as many zeros follow.
static LAYOUTS: [[Layouts; DECIMALS_MAX + 1]; DECIMALS_MAX + 1] = {
    let mut all = [const { [const { Layouts::new(0, 0) }; DECIMALS_MAX + 1] }; DECIMALS_MAX + 1];
    let mut digits = 0;
    while digits <= DECIMALS_MAX {
        let mut counting = 0;
        while counting <= DECIMALS_MAX {
            all[digits][counting] = Layouts::new(digits, counting);
            counting += 1;
        }
        digits += 1;
    }
    all
};

impl Layouts {
    /// Bytes of the point and of the decimals. The mask tells the compiler what is known.
    #[inline(always)]
    pub(super) const fn behind(&self) -> usize {
        self.behind & (LANES - 1)
    }

    /// Those of numbers without decimals.
    pub(in crate::venue::binance) const NONE: &'static Self = &LAYOUTS[0][0];

    /// What the byte at `at` of a number with `whole` digits before its point may be.
    pub(in crate::venue::binance) fn bounds(&self, whole: usize, at: usize) -> Bounds {
        let layout = &self.by_whole[whole];
        // Fixed, or a digit: a pattern of a digit is its zero, so that what may be added may be XORed.
        Bounds { least: layout.pattern[at], most: layout.pattern[at] + layout.most[at] }
    }

    /// Those of numbers with `digits` decimals, of which the first `counting` count and the others are zero. Where there are
    /// fewer, the number comes out as if zeros had followed.
    pub(super) fn of(digits: usize, counting: usize) -> &'static Self {
        &LAYOUTS[digits.min(DECIMALS_MAX)][counting.min(DECIMALS_MAX)]
    }

    const fn new(digits: usize, counting: usize) -> Self {
        let mut by_whole = [Layout::new(0, digits, counting); WHOLE_MAX + 1];
        let mut whole = 1;
        while whole <= WHOLE_MAX {
            by_whole[whole] = Layout::new(whole, digits, counting);
            whole += 1;
        }
        let (stop, behind) = if digits == 0 { (b'"', 0) } else { (b'.', 1 + digits) };
        Self { by_whole, stop, behind }
    }
}

impl Layout {
    #[allow(clippy::cast_possible_truncation)]
    const fn new(whole: usize, digits: usize, counting: usize) -> Self {
        let mut layout = Self { pattern: [b'0'; LANES], most: [u8::MAX; LANES], places: [0x80; LANES] };
        let first_decimal = whole + (digits > 0) as usize;
        let mut place = LANES - whole - counting;
        let mut at = 0;
        while at < first_decimal + digits {
            let is_point = at == whole;
            if is_point {
                layout.pattern[at] = b'.';
            }
            let counts = !is_point && at < first_decimal + counting;
            layout.most[at] = if counts { 9 } else { 0 };
            if counts {
                layout.places[place] = at as u8;
                place += 1;
            }
            at += 1;
        }
        layout
    }
}
