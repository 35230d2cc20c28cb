//! Cells of a latency histogram in the HDR layout: constant relative width, so one array covers 1 ns to 18 minutes.
//!
//! Lowest value 1 ns, two significant digits. Two digits need 200 steps of one unit, rounded up to 256; each doubling of
//! the range then adds 128 cells twice as wide. The layout is HdrHistogram's (G. Tene); a test holds it equal, cell by
//! cell, to the crate of that name.

/// Bits of a value that one cell resolves at least.
const STEP_BITS: u32 = 8;
/// Cells that each doubling of the range adds.
const HALF: usize = 1 << (STEP_BITS - 1);
/// Values fit this many bits; larger ones count in the last cell.
const VALUE_BITS: u32 = 40;

/// Largest value with a cell of its own, in nanoseconds: 18 minutes.
pub const VALUE_MAX: u64 = (1 << VALUE_BITS) - 1;
/// Number of cells.
pub const CELLS: usize = (VALUE_BITS - STEP_BITS + 2) as usize * HALF;

/// The exponent and first digits from which cells are counted.
const FIRST: u64 = (f64::MAX_EXP as u64 - 1 + STEP_BITS as u64 - 2) * HALF as u64;

/// The cell of a value up to [`VALUE_MAX`].
#[inline]
#[must_use]
pub const fn cell_of(value: u64) -> usize {
    // From the middle of the first range on a cell is a number's exponent and first digits, as they stand side by side in a
    // float, which holds these values exactly: nothing is searched for its highest bit, which many processors do slowly.
    let bits = (value.cast_signed() as f64).to_bits() >> (f64::MANTISSA_DIGITS - STEP_BITS);
    if value < HALF as u64 { value as usize } else { (bits - FIRST) as usize }
}

/// Lowest and highest value that fall into `cell`.
#[must_use]
pub const fn bounds(cell: usize) -> (u64, u64) {
    // The first 256 cells are one unit wide; from there on every 128 are twice as wide as those before.
    let doubled = (cell / HALF).saturating_sub(1);
    let low = ((cell - doubled * HALF) as u64) << doubled;
    (low, low + (1 << doubled) - 1)
}

const _: () = {
    assert!(CELLS == 4352);
    assert!(cell_of(0) == 0 && cell_of(255) == 255 && cell_of(256) == 256 && cell_of(258) == 257);
    assert!(cell_of(VALUE_MAX) == CELLS - 1 && bounds(CELLS - 1).1 == VALUE_MAX);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_touch_and_hold_their_bounds() {
        let mut next = 0;
        for cell in 0..CELLS {
            let (low, high) = bounds(cell);
            assert_eq!((low, cell_of(low), cell_of(high)), (next, cell, cell));
            assert!((high - low) * 100 <= low, "cell {cell} is wider than 1 % of its value");
            next = high + 1;
        }
        assert_eq!(next, VALUE_MAX + 1);
    }
}
