//! Two levels of a row at a time, where the processor has AVX2: a price, its quantity and what stands between them are
//! thirty-two bytes that are judged together.
//!
//! Of a row of levels only the digits before a quantity's point differ from one level to the next, so there is one
//! pattern for each number of them, and picking it is all that waits for where the point is. The price lies in the lower
//! half of the bytes, the quantity in the upper one, so that one shuffle moves the digits of both.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_epu32,
    _mm256_packus_epi32, _mm256_permute4x64_epi64, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_epi64x,
    _mm256_shuffle_epi8, _mm256_srli_epi64, _mm256_storeu_si256, _mm256_subs_epu8, _mm256_xor_si256,
};

use super::lanes::{LANE, Wrong};
use super::layout::{LANES, Layouts, WHOLE_MAX};
use super::{Avx2, Closing, POW10, Shape, Words, digits_at_most};

/// Bytes that hold any two levels, from as far before the first price as it takes, and what is looked at behind them.
pub(in crate::venue::binance) const COUPLE: usize = 128;

/// Rows by the digits before the point of a quantity, as found in eight bytes.
const ROWS: usize = 9;

/// What stands around the numbers of a row of levels.
#[derive(Clone, Copy)]
pub(in crate::venue::binance) struct Closings {
    /// Between a price and its quantity.
    pub(in crate::venue::binance) between: Closing,
    /// Between a level and the price of the next.
    pub(in crate::venue::binance) next: Closing,
    /// Behind the last level.
    pub(in crate::venue::binance) last: Closing,
}

/// How the prices and quantities of a row lie.
#[derive(Clone, Copy, Debug)]
struct Lying {
    price: &'static Layouts,
    /// Digits before the point of every price.
    whole: usize,
    quantity: &'static Layouts,
}

impl Lying {
    /// As `shapes`, of prices and quantities, expect the next ones; `None` where they expect nothing.
    #[inline(always)]
    fn of([price, quantity]: [&Shape; 2]) -> Option<Self> {
        let whole = price.whole();
        let (price, quantity) = (price.scaled()?, quantity.scaled()?);
        (whole != 0).then_some(Self { price, whole, quantity })
    }

    #[inline(always)]
    fn is(&self, other: &Self) -> bool {
        let same = std::ptr::eq(self.price, other.price) && std::ptr::eq(self.quantity, other.quantity);
        same && self.whole == other.whole
    }
}

/// What a level is compared with whose quantity has a certain number of digits before its point.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Row {
    /// Zero digits, and what is fixed.
    pattern: [u8; LANE],
    /// The most that a byte may be after it was XORed with the pattern: 9 of a digit, 0 of what is fixed.
    most: [u8; LANE],
    /// Which byte of its half goes where: the last digit that counts comes last.
    places: [u8; LANE],
}

impl Row {
    /// Nothing is asked, and no digits are there.
    const FREE: Self = Self { pattern: [0; LANE], most: [u8::MAX; LANE], places: [0x80; LANE] };

    /// Asks for `text` at `at`.
    fn ask(&mut self, at: usize, text: &[u8]) {
        self.pattern[at..][..text.len()].copy_from_slice(text);
        self.most[at..][..text.len()].fill(0);
    }

    /// Asks for a number with `whole` digits before its point at `start`; `half` is where its half starts.
    #[allow(clippy::cast_possible_truncation)]
    fn ask_number(&mut self, layouts: &Layouts, whole: usize, (start, half): (usize, usize)) {
        let layout = &layouts.by_whole[whole];
        for at in 0..whole + layouts.behind() {
            (self.pattern[start + at], self.most[start + at]) = (layout.pattern[at], layout.most[at]);
        }
        for (place, &at) in self.places[half..].iter_mut().zip(&layout.places) {
            *place = if usize::from(at) < LANES { at + (start - half) as u8 } else { at };
        }
    }
}

/// Where things are in the bytes of a level, less the digits before the point of its quantity.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::venue::binance) struct Measures {
    /// Its price.
    pub(in crate::venue::binance) lead: usize,
    /// Its quantity.
    quantity: usize,
    /// What is behind its quantity and that one's closing quote.
    end: usize,
    /// Where the bytes of the next one start.
    step: usize,
    /// Where the price of the one after that is looked for, and where the bytes of that one start, if its price is there.
    probe: usize,
    least: usize,
}

/// What two levels are read by.
#[derive(Clone, Copy, Debug)]
pub(in crate::venue::binance) struct Couple {
    rows: [Row; ROWS],
    measures: Measures,
    /// Of what it was made.
    lying: Option<Lying>,
}

impl Couple {
    /// Of no levels yet.
    pub(in crate::venue::binance) fn none() -> Self {
        Self { rows: [Row::FREE; ROWS], measures: Measures::default(), lying: None }
    }

    /// Where things are. The masks and bounds tell the compiler what is known: then nothing asks where a window ends.
    #[inline(always)]
    pub(in crate::venue::binance) fn measures(&self) -> Measures {
        let Measures { lead, quantity, end, step, probe, least } = self.measures;
        Measures {
            lead,
            quantity: quantity & (LANE - 1),
            end: end & (LANE - 1),
            step: step & (2 * LANE - 1),
            probe: probe.min(COUPLE - LANES),
            least,
        }
    }

    /// Made to read what `shapes`, of prices and quantities, expect; whether that can be.
    #[inline(always)]
    pub(in crate::venue::binance) fn fits(&mut self, shapes: [&Shape; 2], closings: &Closings) -> bool {
        let Some(lying) = Lying::of(shapes) else { return false };
        if !self.lying.is_some_and(|made_of| made_of.is(&lying)) {
            self.make(lying, closings);
        }
        true
    }

    #[cold]
    #[inline(never)]
    fn make(&mut self, lying: Lying, Closings { between, next, .. }: &Closings) {
        let Lying { price, whole, quantity } = lying;
        let (length, between) = (whole + price.behind(), &between.bytes()[..between.length()]);
        // The quantity starts in the upper half, and the price is wholly in the lower one.
        let lead = (LANES - between.len()).saturating_sub(length);
        let start = lead + length + between.len();
        let end = start + quantity.behind() + 1;
        let step = end + next.length() - 1 - lead;
        // With one digit before the point of both quantities. They have seven at most, so that it is among thirteen bytes.
        let least = 2 * (step + 1);
        self.measures = Measures { lead, quantity: start, end, step, probe: least + lead - 2, least };
        for (found, row) in self.rows.iter_mut().enumerate() {
            *row = Row::FREE;
            row.ask_number(price, whole, (lead, 0));
            row.ask(lead + length, between);
            if (1..=WHOLE_MAX).contains(&found) && end + found <= LANE {
                row.ask_number(quantity, found, (start, LANES));
                row.ask(end + found - 1, b"\"");
            } else {
                // Nothing fits: none of the digits that were found can be a point, nor what is no digit be one.
                row.ask(start, if found == 0 { b"0" } else { b"." });
            }
        }
        self.lying = Some(lying);
    }
}

/// Two levels that were looked at.
pub(in crate::venue::binance) struct Seen {
    /// Price and quantity of each.
    pub(in crate::venue::binance) levels: [[i64; 2]; 2],
    wrong: [Wrong; 2],
    /// What stands behind the closing quote of each.
    closings: [u32; 2],
    /// Where the bytes of the second and of the third start.
    starts: [usize; 2],
    /// Where those of the third start, if they are as they should be.
    third: usize,
}

/// How a row goes on behind the levels that were looked at.
pub(in crate::venue::binance) struct On {
    /// How many of them are levels of it.
    pub(in crate::venue::binance) used: usize,
    /// Where the price of the next level starts, or what is behind the row.
    pub(in crate::venue::binance) at: usize,
    pub(in crate::venue::binance) ended: bool,
}

impl Avx2 {
    /// The values of a level's digits, four at a time, and what is wrong with it.
    #[inline(always)]
    #[allow(unsafe_code)]
    fn level(self, row: &Row, bytes: &[u8; LANE]) -> (__m256i, Wrong) {
        let [pattern, most, places] = [&row.pattern, &row.most, &row.places].map(|bytes| self.wide(bytes));
        // SAFETY: there is an `Avx2`.
        unsafe {
            let values = _mm256_xor_si256(self.wide(bytes), pattern);
            let digits = _mm256_shuffle_epi8(values, places);
            let pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(1 << 8 | 10));
            let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(1 << 16 | 100));
            (fours, Wrong(_mm256_subs_epu8(values, most)))
        }
    }

    /// Price and quantity of each of two levels.
    #[inline(always)]
    #[allow(unsafe_code)]
    fn joined_levels(self, [one, two]: [__m256i; 2]) -> [[i64; 2]; 2] {
        let mut levels = [[0; 2]; 2];
        // SAFETY: there is an `Avx2`, and the thirty-two bytes of `levels` are stored without alignment.
        unsafe {
            let eights =
                _mm256_madd_epi16(_mm256_packus_epi32(one, two), _mm256_set1_epi32(1 << 16 | 10_000));
            // The first eight digits of each are the low half of a word.
            let first = _mm256_mul_epu32(eights, _mm256_set1_epi64x(POW10[8].cast_signed()));
            let whole = _mm256_add_epi64(first, _mm256_srli_epi64::<32>(eights));
            // Both prices are in the lower half.
            let levels: *mut [[i64; 2]; 2] = &raw mut levels;
            _mm256_storeu_si256(levels.cast(), _mm256_permute4x64_epi64::<0b11_01_10_00>(whole));
        }
        levels
    }

    /// Looks at two levels of a row; `window` starts as many bytes before a price as `measures` say.
    #[inline(always)]
    pub(in crate::venue::binance) fn see(
        self,
        couple: &Couple,
        measures: &Measures,
        window: &[u8; COUPLE],
    ) -> Option<Seen> {
        let Measures { quantity, end, step, probe, least, .. } = *measures;
        let closing = |at: usize| Some(u32::from_le_bytes(*window.get(at..)?.first_chunk()?));
        let third = least + self.find(self.load(window[probe..].first_chunk()?), b'[');
        let whole = digits_at_most(window.word(quantity)?);
        let (one, wrong) = self.level(couple.rows.get(whole)?, window.first_chunk()?);
        let (first_end, second) = (end + whole, step + whole);
        let whole = digits_at_most(window.word(second + quantity)?);
        let (two, wrong_too) = self.level(couple.rows.get(whole)?, window[second..].first_chunk()?);
        Some(Seen {
            levels: self.joined_levels([one, two]),
            wrong: [wrong, wrong_too],
            closings: [closing(first_end)?, closing(second + end + whole)?],
            starts: [second, second + step + whole],
            third,
        })
    }

    /// Where the bytes of the third level start, if there is one and both are as they should be: the common case, in which nothing
    /// waits for where they end.
    #[inline(always)]
    pub(in crate::venue::binance) fn third(self, seen: &Seen, closings: &Closings) -> Option<usize> {
        let [one, two] = seen.closings.map(|closing| closings.next.rest().differs(u64::from(closing)));
        // One comparison: places in a window are below 128.
        let third = seen.third as u64 + ((one | two) << 8);
        let wrong = self.both(seen.wrong[0], seen.wrong[1]);
        (self.is_right(wrong) && third == seen.starts[1] as u64).then_some(seen.third)
    }

    /// How the row goes on, where there is no [`third`](Self::third). `None` if not even the first is as it should be.
    #[inline(always)]
    pub(in crate::venue::binance) fn on(self, seen: &Seen, lead: usize, closings: &Closings) -> Option<On> {
        let first = self.behind(seen.wrong[0], seen.closings[0], seen.starts[0] + lead, closings)?;
        if first.ended {
            return Some(first);
        }
        let second = self.behind(seen.wrong[1], seen.closings[1], seen.starts[1] + lead, closings);
        Some(second.map_or(first, |second| On { used: 2, ..second }))
    }

    /// How it goes on behind one level; `price` is where that of the next one would be.
    #[inline(always)]
    fn behind(self, wrong: Wrong, closing: u32, price: usize, closings: &Closings) -> Option<On> {
        let Closings { next, last, .. } = closings;
        if !self.is_right(wrong) {
            return None;
        }
        let ended = last.rest().starts(u64::from(closing));
        let at = if ended { price - next.length() + last.length() } else { price };
        (ended || next.rest().starts(u64::from(closing))).then_some(On { used: 1, at, ended })
    }
}
