//! Multiples of a step, told without dividing: a division of 64 bits takes longer than most controls.

/// The multiples of a step, in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// What the step's odd part must be multiplied by to be 1, modulo 2^64.
    inverse: u64,
    /// The step's power of two.
    twos: u32,
    /// How many steps a word holds.
    most: u64,
}

impl Grid {
    /// The multiples of `step`; a step of zero or less is off: everything is on the grid.
    #[must_use]
    pub const fn of(step: i64) -> Self {
        let step = if step > 1 { step.unsigned_abs() } else { 1 };
        let twos = step.trailing_zeros();
        let odd = step >> twos;
        // Newton's iteration: an odd number is its own inverse modulo 8, and every round doubles the bits that are right.
        let (mut inverse, mut right) = (odd, 3);
        while right < u64::BITS {
            inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
            right *= 2;
        }
        Self { inverse, twos, most: u64::MAX / step }
    }

    /// Whether `value` is a multiple of the step.
    #[inline]
    #[must_use]
    pub const fn holds(&self, value: i64) -> bool {
        self.divides(value.unsigned_abs())
    }

    /// Whether a value of that size is.
    ///
    /// Multiplying by the inverse and turning the zeros at the end of a multiple out at the other gives its quotient. Both
    /// steps can be undone, so nothing else ends among the quotients of a word's multiples, which are the lowest numbers.
    #[inline]
    #[must_use]
    pub const fn divides(&self, size: u64) -> bool {
        size.wrapping_mul(self.inverse).rotate_right(self.twos) <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EDGES: [i64; 12] =
        [i64::MIN, i64::MIN + 1, -7, -1, 0, 1, 2, 3, 10, 1 << 62, i64::MAX - 1, i64::MAX];

    fn agrees(step: i64, value: i64) -> bool {
        Grid::of(step).holds(value) == (step <= 1 || value.checked_rem(step) == Some(0))
    }

    #[test]
    fn edges_are_told_as_a_division_tells_them() {
        for step in EDGES {
            for value in EDGES {
                assert!(agrees(step, value), "{value} on {step}");
            }
        }
    }

    proptest! {
        #[test]
        fn multiples_are_told_as_a_division_tells_them(
            (odd, twos, times, off) in (1_i64..1 << 40, 0_u32..24, -40_000_i64..40_000, -2_i64..3),
            (step, value) in (any::<i64>(), any::<i64>()),
        ) {
            let near = odd << twos.min(62);
            prop_assert!(agrees(near, near.wrapping_mul(times % 4).wrapping_add(off)));
            prop_assert!(agrees(odd, odd.wrapping_mul(times).wrapping_add(off)));
            prop_assert!(agrees(step, value));
        }
    }
}
