//! Arrays of levels: `[["price","quantity"],...]`, nine tenths of all bytes that arrive.

use crate::book::Level;
use crate::domain::{Instrument, Price, Quantity};
use crate::venue::binance::DecodeError;
use crate::venue::binance::json::Cursor;
use crate::venue::binance::number::{Avx2, ByWords, Closing, Ending, Reading, Shape, Words, malformed};

/// How the numbers of one instrument are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shapes {
    /// Its prices.
    pub(super) price: Shape,
    /// Its quantities.
    pub(super) quantity: Shape,
    /// By what, if the processor has it.
    pub(super) avx2: Option<Avx2>,
}

impl Shapes {
    /// For the numbers of `instrument`.
    pub(super) fn new(instrument: &Instrument, avx2: Option<Avx2>) -> Self {
        let (price, quantity) = (Shape::new(instrument.price_scale), Shape::new(instrument.quantity_scale));
        Self { price, quantity, avx2 }
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

/// What closes a level, and what one that another one follows.
const LAST: Closing = Closing::new(b"\"]");
const NEXT: Closing = Closing::new(b"\"],[\"");

/// Reads a level without white space and of the expected shape, from the first character of its price to behind
/// `closing`. `None` where it is otherwise.
#[inline(always)]
fn level(
    reading: impl Reading,
    text: &(impl Words + ?Sized),
    at: usize,
    shapes: &Shapes,
    closing: Closing,
) -> Option<(Level, usize)> {
    let closings = [Closing::new(b"\",\""), closing];
    let ([price, quantity], end) = reading.pair(text, at, [&shapes.price, &shapes.quantity], closings)?;
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

/// Reads levels as long as [`level`] can, from the first character of a price on.
#[inline(always)]
fn run(reading: impl Reading, bytes: &[u8], at: usize, shapes: &Shapes, slots: &mut [Level]) -> Run {
    let (mut rest, mut used) = (bytes.get(at..).unwrap_or_default(), 0);
    let stopped = |rest: &[u8], ended: bool, used: usize| Run { at: bytes.len() - rest.len(), ended, used };
    while let Some(window) = rest.first_chunk::<WINDOW>() {
        let Some(slot) = slots.get_mut(used) else { return stopped(rest, false, used) };
        if let Some((next, end)) = level(reading, window, 0, shapes, NEXT)
            && let Some(behind) = rest.get(end..)
        {
            *slot = next;
            used += 1;
            rest = behind;
        } else if let Some((last, end)) = level(reading, window, 0, shapes, LAST)
            && window.get(end) == Some(&b']')
        {
            *slot = last;
            return stopped(&rest[end + 1..], true, used + 1);
        } else {
            return stopped(rest, false, used);
        }
    }
    // The last levels of a frame have less than a window behind them.
    while let Some(slot) = slots.get_mut(used) {
        let start = WINDOW - rest.len();
        let found = match bytes.last_chunk::<WINDOW>() {
            Some(ending) => {
                level(reading, &Ending(ending), start, shapes, LAST).map(|(level, end)| (level, end - start))
            }
            None => level(reading, rest, 0, shapes, LAST),
        };
        let Some((level, behind)) = found.and_then(|(level, end)| Some((level, rest.get(end..)?))) else {
            break;
        };
        if let Some(next) = behind.strip_prefix(b",[\"") {
            *slot = level;
            used += 1;
            rest = next;
        } else if let Some(behind) = behind.strip_prefix(b"]") {
            *slot = level;
            return stopped(behind, true, used + 1);
        } else {
            break;
        }
    }
    stopped(rest, false, used)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn run_avx2(reading: Avx2, bytes: &[u8], at: usize, shapes: &Shapes, slots: &mut [Level]) -> Run {
    run(reading, bytes, at, shapes, slots)
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
    use crate::domain::{DecimalError, Scale};
    use crate::venue::binance::DecodeReason;

    fn decode(text: &str) -> Result<Vec<(i64, i64)>, DecodeReason> {
        let shape = |digits| Shape::new(Scale::new(digits).expect("a valid scale"));
        let shapes = |avx2| Shapes { price: shape(8), quantity: shape(3), avx2 };
        let decode = |avx2, behind: &str| {
            let mut levels = Side { slots: vec![Level::default()], used: 1 };
            let bytes = [text, behind].concat();
            let mut cursor = Cursor::new(bytes.as_bytes(), 0);
            read(&mut cursor, &mut shapes(avx2), &mut levels).map_err(|error| error.reason)?;
            assert_eq!(cursor.at, text.len(), "{text}");
            Ok(levels.levels().iter().map(|level| (level.price.0, level.quantity.0)).collect())
        };
        let found = decode(None, "");
        // With enough behind it the last level is read as those before it are.
        for behind in ["", &",".repeat(WINDOW)] {
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
