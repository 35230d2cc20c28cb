//! How a template is made of a frame that `documented` has read. Nothing here is fast, and nothing is allocated.

use std::ops::Range;

use crate::venue::binance::number::{Bounds, LANE, LANES, Lane, Layouts, Places, WHOLE_MAX};

use super::super::levels::Shapes;
use super::super::symbols::{Scales, SymbolPlace};
use super::{HEAD, Kind, Lesson, NUMBERS, Number, Quantities, TAIL, Template};

/// Most fields of a frame: a trade's twelve, and two around it.
const FIELDS: usize = 14;

/// What a digit may be, and a letter.
const DIGIT: Bounds = Bounds { least: b'0', most: b'9' };
const UPPER: Bounds = Bounds { least: b'A', most: b'Z' };
const LOWER: Bounds = Bounds { least: b'a', most: b'z' };

/// What a byte of a name may be where another has `byte`: a letter, or a digit, like it. None of them has to be read twice.
const fn like(byte: u8) -> Bounds {
    match byte {
        b'0'..=b'9' => DIGIT,
        b'A'..=b'Z' => UPPER,
        b'a'..=b'z' => LOWER,
        _ => Bounds { least: byte, most: byte },
    }
}

/// A value of the frame's event, or of what is around it.
#[derive(Clone, Copy, Debug, Default)]
struct Field<'f> {
    key: &'f [u8],
    /// Where its value starts, without a quote.
    start: usize,
    /// Where it ends, without a quote.
    end: usize,
    integer: bool,
}

impl Field<'_> {
    fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// The field whose key starts behind the first quote from `at` on, and what it says. `None` where there is none, or its value is an
/// array. The frame is JSON without white space and escapes.
fn field(frame: &[u8], mut at: usize) -> Option<Field<'_>> {
    let quote = |from: usize| Some(from + frame.get(from..)?.iter().position(|&byte| byte == b'"')?);
    loop {
        let start = quote(at)? + 1;
        let end = quote(start)?;
        let (key, value) = (&frame[start..end], end + 2);
        match frame.get(value)? {
            b'{' => at = value,
            b'"' => return Some(Field { key, start: value + 1, end: quote(value + 1)?, integer: false }),
            first @ (b'0'..=b'9' | b't' | b'f') => {
                let length = frame[value..].iter().position(|byte| matches!(byte, b',' | b'}'))?;
                let integer = first.is_ascii_digit();
                return Some(Field { key, start: value, end: value + length, integer });
            }
            _ => return None,
        }
    }
}

/// A frame whose fields are known, up to its levels.
struct Lying<'f> {
    frame: &'f [u8],
    shapes: &'f Shapes,
    fields: [Field<'f>; FIELDS],
    count: usize,
}

impl<'f> Lying<'f> {
    fn new(frame: &'f [u8], shapes: &'f Shapes) -> Option<Self> {
        let mut lying = Self { frame, shapes, fields: [Field::default(); FIELDS], count: 0 };
        let mut at = 0;
        while let Some(field) = field(frame, at) {
            *lying.fields.get_mut(lying.count)? = field;
            lying.count += 1;
            // Behind a closing quote: it opens nothing.
            at = field.end + usize::from(frame[field.end] == b'"');
        }
        Some(lying)
    }

    fn fields(&self) -> &[Field<'f>] {
        &self.fields[..self.count]
    }

    fn field(&self, key: &[u8]) -> Option<Field<'f>> {
        self.fields().iter().find(|field| field.key == key).copied()
    }

    /// What the byte at `at` of a field may be: a digit of an integer or of a price may change, and what names an instrument,
    /// all else may not.
    fn bounds(&self, field: &Field<'_>, at: usize) -> Option<Bounds> {
        let fixed = Bounds { least: self.frame[at], most: self.frame[at] };
        Some(match field.key {
            // An integer keeps its length, so its first digit is none that may be left out.
            _ if field.integer && at == field.start && field.range().len() > 1 => {
                Bounds { least: b'1', ..DIGIT }
            }
            _ if field.integer => DIGIT,
            b"s" | b"ps" | b"stream" => like(self.frame[at]),
            b"b" | b"a" | b"p" => {
                let (layouts, whole, _) = self.price(field)?;
                layouts.bounds(whole, at - field.start)
            }
            _ => fixed,
        })
    }

    /// How a price lies: its layouts, its digits before the point, and what its digits are multiplied by.
    fn price(&self, field: &Field<'_>) -> Option<(&'static Layouts, usize, u64)> {
        let expected = self.shapes.price.expectation()?;
        let whole = field.range().len().checked_sub(expected.layouts.behind)?;
        (1..=WHOLE_MAX).contains(&whole).then_some((expected.layouts, whole, expected.factor))
    }

    /// The number of `field`, in sixteen bytes that start no earlier than `start`, and of which those digits count.
    fn number(
        &self,
        field: &Field<'_>,
        start: usize,
        factor: u64,
        counts: impl Fn(usize) -> bool,
    ) -> Option<Number> {
        let at = field.start.min(self.frame.len().checked_sub(LANES)?);
        if at < start || field.end > at + LANES {
            return None;
        }
        let places = Places::of(|place| {
            let place = at + place;
            field.range().contains(&place) && counts(place - field.start)
        });
        Some(Number { at: at - start, places, factor })
    }

    fn integer(&self, key: &[u8]) -> Option<Number> {
        self.number(&self.field(key)?, 0, 1, |_| true)
    }

    fn price_at(&self, key: &[u8], start: usize) -> Option<Number> {
        let field = self.field(key)?;
        let (layouts, whole, factor) = self.price(&field)?;
        self.number(&field, start, factor, |at| layouts.bounds(whole, at) == DIGIT)
    }

    /// Asks of `lane`, whose bytes are those of the frame from `start`, what must be of those in `range`.
    fn ask(&self, lane: &mut Lane, start: usize, range: Range<usize>) -> Option<()> {
        for at in range.clone() {
            lane.ask(at - start, Bounds { least: self.frame[at], most: self.frame[at] });
        }
        for field in self.fields() {
            for at in field.start.max(range.start)..field.end.min(range.end) {
                lane.ask(at - start, self.bounds(field, at)?);
            }
        }
        Some(())
    }
}

impl Template {
    /// Of no frame.
    pub(super) const NOTHING: Self = Self {
        scales: Scales::NONE,
        symbol: SymbolPlace::NONE,
        lanes: 0,
        head_length: 0,
        middle_last: 0,
        tail_length: 0,
        wrapped: false,
        quantities: Quantities { layouts: Layouts::NONE, factor: 1 },
        numbers: [Number::NONE; NUMBERS],
        ask: Number::NONE,
        event_time: None,
        head: [Lane::FREE; HEAD],
        head_end: Lane::FREE,
        middle: Lane::FREE,
        tail: [Lane::FREE; TAIL],
    };

    /// The template of a frame that `documented` has read, and of those that lie like it. `None` where that cannot be had: it is
    /// too short or too long, or its numbers are.
    #[cold]
    pub(super) fn learn(lesson: &Lesson<'_>) -> Option<Self> {
        let frame = lesson.frame.payload;
        if frame.contains(&b'\\') {
            return None;
        }
        let lying = &Lying::new(frame, lesson.shapes)?;
        let wrapped = frame.starts_with(b"{\"stream\":");
        let symbol = lying.field(b"s")?.range();
        let place = SymbolPlace::new(symbol.clone());
        let mut made = Self { scales: lesson.scales, symbol: place, wrapped, ..Self::NOTHING };
        match lesson.kind {
            Kind::BookTicker => made.learn_book_ticker(lying)?,
            Kind::Trade => made.learn_trade(lying)?,
            Kind::Depth => made.learn_depth(lying)?,
        }
        // The symbol is looked up only where the head is right.
        (symbol.end <= made.head_length).then_some(made)
    }

    fn learn_book_ticker(&mut self, lying: &Lying<'_>) -> Option<()> {
        let (bid_size, ask_size) = (lying.field(b"B")?, lying.field(b"A")?);
        self.learn_head(lying, bid_size.start)?;
        self.learn_rest(lying, bid_size.end..ask_size.start, ask_size.end)?;
        let numbers = [lying.integer(b"u")?, lying.price_at(b"b", 0)?];
        self.numbers[..numbers.len()].copy_from_slice(&numbers);
        self.ask = lying.price_at(b"a", bid_size.end)?;
        if lying.field(b"E").is_some() {
            let number = lying.integer(b"E")?;
            self.event_time = Some(Number { at: lying.frame.len() - number.at, ..number });
        }
        Some(())
    }

    fn learn_trade(&mut self, lying: &Lying<'_>) -> Option<()> {
        let (size, maker) = (lying.field(b"q")?, lying.field(b"m")?);
        self.learn_head(lying, size.start)?;
        self.learn_rest(lying, size.end..maker.start, maker.end)?;
        let numbers = [lying.integer(b"E")?, lying.integer(b"t")?, lying.price_at(b"p", 0)?];
        self.numbers[..numbers.len()].copy_from_slice(&numbers);
        Some(())
    }

    fn learn_depth(&mut self, lying: &Lying<'_>) -> Option<()> {
        let last = lying.fields().last()?;
        let levels = last.end + b",\"b\":".len();
        self.learn_head(lying, levels)?;
        let numbers = [lying.integer(b"E")?, lying.integer(b"U")?, lying.integer(b"u")?];
        self.numbers[..numbers.len()].copy_from_slice(&numbers);
        if lying.field(b"pu").is_some() {
            self.numbers[numbers.len()] = lying.integer(b"pu")?;
        }
        Some(())
    }

    fn learn_head(&mut self, lying: &Lying<'_>, length: usize) -> Option<()> {
        self.head_length = length;
        self.lanes = length / LANE;
        if self.lanes > HEAD {
            return None;
        }
        let start = length.checked_sub(LANE)?;
        lying.ask(&mut self.head_end, start, start..length)?;
        self.head.iter_mut().enumerate().take(self.lanes).try_for_each(|(place, lane)| {
            let start = place * LANE;
            lying.ask(lane, start, start..start + LANE)
        })
    }

    /// `middle` is where the middle lies, `tail` where the tail starts.
    fn learn_rest(&mut self, lying: &Lying<'_>, middle: Range<usize>, tail: usize) -> Option<()> {
        let expected = lying.shapes.quantity.expectation()?;
        self.quantities = Quantities { layouts: expected.layouts, factor: expected.factor };
        self.middle_last = middle.len().checked_sub(LANES)?;
        self.tail_length = lying.frame.len() - tail;
        if middle.len() > LANE || self.tail_length > TAIL * LANE {
            return None;
        }
        lying.ask(&mut self.middle, middle.start, middle.start..middle.start + LANES)?;
        lying.ask(&mut self.middle, middle.end - LANE, middle.end - LANES..middle.end)?;
        let start = lying.frame.len().checked_sub(TAIL * LANE)?;
        self.tail.iter_mut().enumerate().try_for_each(|(place, lane)| {
            let start = start + place * LANE;
            lying.ask(lane, start, tail.max(start)..start + LANE)
        })
    }
}
