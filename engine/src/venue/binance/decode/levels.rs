//! Arrays of levels: `[["price","quantity"],...]`, nine tenths of all bytes that arrive.

use crate::book::Level;
use crate::domain::{Instrument, Price, Quantity, Scale};
use crate::venue::binance::DecodeError;
use crate::venue::binance::json::Cursor;
use crate::venue::binance::number::{Avx2, ByWords, Closing, Ending, Reading, Shape, Words, malformed};
#[cfg(target_arch = "x86_64")]
use crate::venue::binance::number::{COUPLE, Closings, Couple, window};

/// How the numbers of one instrument are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shapes {
    /// Its prices.
    pub(super) price: Shape,
    /// Its quantities.
    pub(super) quantity: Shape,
    /// By what, if the processor has it.
    pub(super) avx2: Option<Avx2>,
    /// And two levels of them at a time, one for each parity of the digits before a price's point: around a power of ten
    /// both are in use.
    #[cfg(target_arch = "x86_64")]
    couples: [Couple; 2],
}

impl Shapes {
    /// For the numbers of `instrument`.
    pub(super) fn new(instrument: &Instrument, avx2: Option<Avx2>) -> Self {
        Self::at([instrument.price_scale, instrument.quantity_scale], avx2)
    }

    /// For prices and quantities at these scales.
    fn at(scales: [Scale; 2], avx2: Option<Avx2>) -> Self {
        let [price, quantity] = scales.map(Shape::new);
        Self {
            price,
            quantity,
            avx2,
            #[cfg(target_arch = "x86_64")]
            couples: [Couple::none(); 2],
        }
    }
}

/// The levels of one side, in storage that is kept from frame to frame.
#[derive(Debug)]
pub(super) struct Side {
    /// The storage; what is in use comes first.
    slots: Vec<Level>,
    used: usize,
}

/// Most levels a side of a REST snapshot (binance.md §3: `limit=5000`).
const LEVELS_EXPECTED: usize = 5_000;

impl Side {
    fn new() -> Self {
        Self { slots: vec![Level::default(); LEVELS_EXPECTED], used: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    pub(super) fn levels(&self) -> &[Level] {
        &self.slots[..self.used]
    }

    fn push(&mut self, level: Level) {
        if self.used == self.slots.len() {
            self.slots.resize(2 * self.used, Level::default());
        }
        self.slots[self.used] = level;
        self.used += 1;
    }
}

/// Both sides of a depth frame.
#[derive(Debug)]
pub(super) struct Sides {
    /// Its bids.
    pub(super) bids: Side,
    /// Its asks.
    pub(super) asks: Side,
}

impl Sides {
    pub(super) fn new() -> Self {
        Self { bids: Side::new(), asks: Side::new() }
    }

    pub(super) fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }
}

/// Bytes that hold any level of the fast way, from its price to the start of the next.
const WINDOW: usize = 64;

/// What stands between a price and its quantity, behind a level that another one follows, and behind the last.
const BETWEEN: Closing = Closing::new(b"\",\"");
const NEXT: Closing = Closing::new(b"\"],[\"");
const LAST: Closing = Closing::new(b"\"]]");
#[cfg(target_arch = "x86_64")]
const CLOSINGS: Closings = Closings { between: BETWEEN, next: NEXT, last: LAST };

/// Reads a level without white space and of the expected shape, from the first character of its price to the end of its
/// quantity. `None` where it is otherwise.
#[inline(always)]
fn level<R: Reading>(
    reading: R,
    pairs: &R::Pairs<'_>,
    text: &(impl Words + ?Sized),
    at: usize,
) -> Option<(Level, usize)> {
    let ([price, quantity], end) = reading.next(pairs, text, at, BETWEEN)?;
    Some((Level { price: Price(price), quantity: Quantity(quantity) }, end))
}

/// How far levels were read.
struct Run {
    /// Where the first character of the next price is, or the end of the array.
    at: usize,
    /// Whether the array ended.
    ended: bool,
    /// How many levels there were.
    used: usize,
}

/// Levels that are being read.
struct Row<'f, 's> {
    /// From the first character of the next price on.
    rest: &'f [u8],
    /// What they are put into; what is in use comes first.
    slots: &'s mut [Level],
    used: usize,
}

impl Row<'_, '_> {
    /// Puts away the level that ends at `end`, with `closing` behind it. Whether it was the last; `None` if something else
    /// follows than should.
    #[inline(always)]
    fn take(&mut self, level: Level, end: usize, closing: u64) -> Option<bool> {
        let ended = !NEXT.starts(closing);
        if ended && !LAST.starts(closing) {
            return None;
        }
        let rest = self.rest.get(end + if ended { LAST.length() } else { NEXT.length() }..)?;
        *self.slots.get_mut(self.used)? = level;
        self.used += 1;
        self.rest = rest;
        Some(ended)
    }

    /// Reads one level at a time. Whether the array ended.
    #[inline(always)]
    fn ones<R: Reading>(&mut self, reading: R, pairs: &R::Pairs<'_>) -> bool {
        while let Some(window) = self.rest.first_chunk::<WINDOW>()
            && let Some((level, end)) = level(reading, pairs, window, 0)
            && let Some(closing) = window.word(end)
            && let Some(ended) = self.take(level, end, closing)
        {
            if ended {
                return true;
            }
        }
        false
    }

    /// The same of the last levels of a frame, which have less than a window behind them; `ending` is what it ends with.
    #[inline(always)]
    fn last<R: Reading>(&mut self, reading: R, pairs: &R::Pairs<'_>, ending: &Ending<'_>) -> bool {
        while let Some(start) = WINDOW.checked_sub(self.rest.len())
            && let Some((level, end)) = level(reading, pairs, ending, start)
            && let Some(closing) = ending.word(end)
            && let Some(ended) = self.take(level, end - start, closing)
        {
            if ended {
                return true;
            }
        }
        false
    }
}

/// Reads levels as long as [`level`] can, from the first character of a price on.
#[inline(always)]
fn run(reading: impl Reading, bytes: &[u8], at: usize, shapes: &Shapes, slots: &mut [Level]) -> Run {
    let mut row = Row { rest: bytes.get(at..).unwrap_or_default(), slots, used: 0 };
    let pairs = reading.pairs([&shapes.price, &shapes.quantity]);
    let ended = pairs.zip(bytes.last_chunk()).is_some_and(|(pairs, ending)| {
        row.ones(reading, &pairs) || row.last(reading, &pairs, &Ending(ending))
    });
    Run { at: bytes.len() - row.rest.len(), ended, used: row.used }
}

/// The same, two levels at a time where they are as they should be.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn run_avx2(avx2: Avx2, bytes: &[u8], at: usize, shapes: &mut Shapes, slots: &mut [Level]) -> Run {
    let Shapes { price, quantity, couples, .. } = shapes;
    let couple = &mut couples[price.whole() % 2];
    let mut begun = Run { at, ended: false, used: 0 };
    if couple.fits([price, quantity], &CLOSINGS) {
        begun = twos(avx2, couple, bytes, at, slots);
        if begun.ended {
            return begun;
        }
    }
    let rest = run(avx2, bytes, begun.at, shapes, slots.get_mut(begun.used..).unwrap_or_default());
    Run { used: begun.used + rest.used, ..rest }
}

/// Reads two levels at a time, from the first character of a price on.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn twos(avx2: Avx2, couple: &Couple, bytes: &[u8], at: usize, slots: &mut [Level]) -> Run {
    let (mut begun, stopped) = pass(avx2, couple, bytes, at, slots);
    if let Some(ending) = bytes.last_chunk::<COUPLE>()
        && let Some(start) = begun.at.checked_sub(bytes.len() - COUPLE)
        && !stopped
    {
        // The last levels of a frame have less than a window behind them.
        let mut padded = [0; 2 * COUPLE];
        padded[..COUPLE].copy_from_slice(ending);
        let slots = slots.get_mut(begun.used..).unwrap_or_default();
        let (rest, _) = pass(avx2, couple, &padded, start, slots);
        begun = Run { at: begun.at + (rest.at - start), ended: rest.ended, used: begun.used + rest.used };
    }
    begun
}

/// The same, as long as there are whole windows; and whether it was something else that stopped it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn pass(avx2: Avx2, couple: &Couple, text: &[u8], at: usize, slots: &mut [Level]) -> (Run, bool) {
    let measures = couple.measures();
    let lead = measures.lead;
    let Some(mut start) = at.checked_sub(lead) else { return (Run { at, ended: false, used: 0 }, true) };
    let mut slots = slots.as_chunks_mut::<2>().0.iter_mut();
    let all = slots.len();
    while let Some(window) = window::<COUPLE>(text, start)
        && let Some(seen) = avx2.see(couple, &measures, window)
        && let Some(two) = slots.next()
    {
        *two =
            seen.levels.map(|[price, quantity]| Level { price: Price(price), quantity: Quantity(quantity) });
        if let Some(third) = avx2.third(&seen, &CLOSINGS) {
            start += third;
            continue;
        }
        let used = 2 * (all - slots.len() - 1);
        let Some(on) = avx2.on(&seen, lead, &CLOSINGS) else {
            return (Run { at: start + lead, ended: false, used }, true);
        };
        if on.ended || on.used < 2 {
            return (Run { at: start + on.at, ended: on.ended, used: used + on.used }, true);
        }
        start += on.at - lead;
    }
    (Run { at: start + lead, ended: false, used: 2 * (all - slots.len()) }, false)
}

/// [`run`] in the fastest way that the processor has, and again where only the prices have become longer or shorter.
/// Where it has come to, and whether that is the end of the array.
#[inline(never)]
#[allow(unsafe_code)]
fn fast(bytes: &[u8], mut at: usize, shapes: &mut Shapes, side: &mut Side) -> (usize, bool) {
    loop {
        let free = &mut side.slots[side.used..];
        let run = match shapes.avx2 {
            // SAFETY: the processor has what it was compiled for.
            #[cfg(target_arch = "x86_64")]
            Some(avx2) => unsafe { run_avx2(avx2, bytes, at, shapes, free) },
            _ => run(ByWords, bytes, at, shapes, free),
        };
        side.used += run.used;
        at = run.at;
        if run.ended || !shapes.price.learn(bytes, at) {
            return (at, run.ended);
        }
    }
}

/// Reads an array of levels at the cursor into `side`, which is emptied first.
///
/// # Errors
/// When it is no such array, or a number of it is negative or not exact at the instrument's scale.
#[inline(always)]
pub(super) fn read(cursor: &mut Cursor<'_>, shapes: &mut Shapes, side: &mut Side) -> Result<(), DecodeError> {
    side.clear();
    if cursor.literal(b"[]").is_some() {
        return Ok(());
    }
    let begun = cursor.literal(b"[[\"").is_some();
    if begun {
        let (at, ended) = fast(cursor.bytes, cursor.at, shapes, side);
        cursor.at = at;
        if ended {
            return Ok(());
        }
    }
    // By value: a cursor that is lent out lives in memory, and everything waits for it there.
    cursor.at = read_some(*cursor, begun, shapes, side)?;
    Ok(())
}

/// The same, however it is written; `begun` says that the cursor is at a price that [`fast`] could not read.
#[inline(never)]
fn read_some(
    mut cursor: Cursor<'_>,
    mut begun: bool,
    shapes: &mut Shapes,
    side: &mut Side,
) -> Result<usize, DecodeError> {
    let cursor = &mut cursor;
    if !begun {
        cursor.eat(b'[')?;
        cursor.space();
        if cursor.peek() == Some(b']') {
            cursor.at += 1;
            return Ok(cursor.at);
        }
    }
    loop {
        if !begun {
            cursor.eat(b'[')?;
            cursor.space();
            cursor.eat(b'"')?;
            let (at, ended) = fast(cursor.bytes, cursor.at, shapes, side);
            cursor.at = at;
            if ended {
                return Ok(cursor.at);
            }
        }
        begun = false;
        side.push(any_level(cursor, shapes)?);
        cursor.space();
        match cursor.peek() {
            Some(b',') => {
                cursor.at += 1;
                cursor.space();
            }
            Some(b']') => {
                cursor.at += 1;
                return Ok(cursor.at);
            }
            _ => return Err(malformed(cursor.at)),
        }
    }
}

/// Reads one level from the first character of its price to behind its bracket, however it is written.
fn any_level(cursor: &mut Cursor<'_>, shapes: &mut Shapes) -> Result<Level, DecodeError> {
    let (price, end) = shapes.price.read(cursor.bytes, cursor.at)?;
    cursor.at = end;
    cursor.eat(b',')?;
    cursor.space();
    cursor.eat(b'"')?;
    let (quantity, end) = shapes.quantity.read(cursor.bytes, cursor.at)?;
    cursor.at = end;
    cursor.eat(b']')?;
    Ok(Level { price: Price(price), quantity: Quantity(quantity) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::DecimalError;
    use crate::domain::decimal;
    use crate::venue::binance::DecodeReason;
    use proptest::prelude::*;

    /// Some of what is before a row of levels in its frame.
    const BEFORE: &str = r#","u":12345678,"b":"#;

    fn decode(text: &str) -> Result<Vec<(i64, i64)>, DecodeReason> {
        let shapes = |avx2| Shapes::at([8, 3].map(|digits| Scale::new(digits).expect("a valid scale")), avx2);
        let decode = |avx2, behind: &str| {
            let mut levels = Side { slots: vec![Level::default()], used: 1 };
            // What two levels at a time are read by begins before the first short price.
            let bytes = [BEFORE, text, behind].concat();
            let mut cursor = Cursor::new(bytes.as_bytes(), BEFORE.len());
            read(&mut cursor, &mut shapes(avx2), &mut levels).map_err(|error| error.reason)?;
            assert_eq!(cursor.at, BEFORE.len() + text.len(), "{text}");
            Ok(levels.levels().iter().map(|level| (level.price.0, level.quantity.0)).collect())
        };
        let found = decode(None, "");
        // With enough behind it the last level is read as those before it are.
        for behind in ["", &",".repeat(2 * WINDOW)] {
            for avx2 in [None, Avx2::detect()] {
                assert_eq!(decode(avx2, behind), found, "{text}{behind}");
            }
        }
        found
    }

    #[test]
    fn reads_what_recorders_write() {
        let expected = Ok(vec![(6_183_763_000_000, 1_500), (100_000_000, 0), (1, 123_456_789_012_000)]);
        let compact =
            r#"[["61837.63000000","1.50000000"],["1.00000000","0.00000000"],["0.00000001","123456789012"]]"#;
        assert_eq!(decode(compact), expected);
        assert_eq!(decode(&compact.replace(',', ", ")), expected);
        for (tight, wide) in [("],[", "], ["), ("],[", "] ,["), ("]]", "] ]")] {
            assert_eq!(decode(&compact.replace(tight, wide)), expected);
        }
        assert_eq!(decode(&compact.replace('[', " [\n\t").replace(']', " ]")[1..]), expected);
        assert_eq!(decode("[]"), Ok(vec![]));
        assert_eq!(decode("[ ]"), Ok(vec![]));
    }

    /// Decimals of which the first `counting` may be any digits, and the others are zeros.
    fn decimals(count: usize, counting: usize) -> String {
        match count {
            0 => String::new(),
            _ => format!("\\.[0-9]{{{}}}0{{{}}}", count.min(counting), count.saturating_sub(counting)),
        }
    }

    /// Rows whose prices have as many digits before the point, or nearly so.
    fn rows() -> impl Strategy<Value = Vec<(String, String)>> {
        (1_usize..=7, 0_usize..=8, 0_usize..=8).prop_flat_map(|(whole, price, quantity)| {
            let most = whole + usize::from(price == 5);
            let prices = format!("[0-9]{{{whole},{most}}}{}", decimals(price, 8));
            let quantities = format!("([0-9]{{1,3}}|[0-9]{{1,8}}){}", decimals(quantity, 3));
            let exactly = |pattern: &str| proptest::string::string_regex(pattern).expect("a pattern");
            prop::collection::vec((exactly(&prices), exactly(&quantities)), 1..14)
        })
    }

    proptest! {
        #[test]
        fn long_rows_are_exact_or_refused_by_all(
            levels in rows(),
            at in any::<prop::sample::Index>(),
            odd in "[0-9.,\"x-]",
        ) {
            let value = |text: &str, digits| decimal::parse(text.as_bytes(), Scale::new(digits).expect("a valid scale"));
            let expected: Result<Vec<_>, _> = levels.iter().map(|(price, quantity)| Ok((value(price, 8)?, value(quantity, 3)?))).collect();
            let each: Vec<_> = levels.iter().map(|(price, quantity)| format!("[\"{price}\",\"{quantity}\"]")).collect();
            let text = format!("[{}]", each.join(","));
            prop_assert_eq!(decode(&text), expected.map_err(DecodeReason::Decimal));
            let at = at.index(text.len());
            let _ = decode(&format!("{}{odd}{}", &text[..at], &text[at + 1..]));
        }
    }

    #[test]
    fn refuses_other_shapes() {
        let precision = Err(DecodeReason::Decimal(DecimalError::Precision));
        assert_eq!(decode(r#"[["1.00000000","1.00010000"]]"#), precision);
        assert_eq!(decode(r#"[["1.000000001","1"]]"#), precision);
        let range = Err(DecodeReason::Decimal(DecimalError::Range));
        assert_eq!(decode(r#"[["-1.00000000","1"]]"#), range);
        assert_eq!(decode(r#"[["1","-1"]]"#), range);
        for text in [
            "[[]]",
            r#"[["1"]]"#,
            r#"[["1","2","3"]]"#,
            "[[1,2]]",
            r#"[["1","2"],]"#,
            r#"[["1.00000000","2.00000000"}"#,
            r#"[["1.00000000","2.00000000"]["1.00000000","2.00000000"]]"#,
            r#"["1","2"]"#,
            "{}",
            "null",
            r#"[["1" "2"]]"#,
        ] {
            assert_eq!(decode(text), Err(DecodeReason::Malformed), "{text}");
        }
    }
}
