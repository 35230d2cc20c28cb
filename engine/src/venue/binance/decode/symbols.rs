//! Symbol to instrument, straight from the bytes of a frame.

use std::ops::Range;

use crate::domain::decimal::Scale;
use crate::domain::{Instrument, InstrumentIndex, Instruments, Market};
use crate::limits::{CACHE_LINE, SYMBOL_BYTES_MAX};
use crate::room::Line;
use crate::venue::binance::number::{load, window};

/// Bytes of a symbol that are compared as two words; few symbols are longer.
const HEAD: usize = 16;

/// One in every byte.
const ONES: u64 = 0x0101_0101_0101_0101;

/// Decimals of an instrument's prices and of its quantities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scales {
    price: Scale,
    quantity: Scale,
}

impl Scales {
    /// Whole units.
    pub(super) const NONE: Self = Self { price: Scale::ZERO, quantity: Scale::ZERO };

    /// Those of `instrument`.
    pub(super) const fn of(instrument: &Instrument) -> Self {
        Self { price: instrument.price_scale, quantity: instrument.quantity_scale }
    }
}

/// Where frames of one lie name their instrument.
#[derive(Clone, Copy, Debug)]
pub(super) struct SymbolPlace {
    at: usize,
    length: usize,
    /// Which bits of the two words there are the symbol's.
    keep: [u64; 2],
}

impl SymbolPlace {
    /// Nowhere.
    pub(super) const NONE: Self = Self { at: 0, length: 0, keep: [0; 2] };

    /// In these bytes of a frame.
    pub(super) const fn new(Range { start, end }: Range<usize>) -> Self {
        let length = end.saturating_sub(start);
        Self { at: start, length, keep: [ones(length), ones(length.saturating_sub(8))] }
    }
}

/// The bits of the first `count` bytes of a word.
#[inline(always)]
const fn ones(count: usize) -> u64 {
    if count >= 8 { u64::MAX } else { (1 << (8 * count)) - 1 }
}

/// A slot of the table, in a line of its own: with many symbols it has to come from afar.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Slot {
    head: [u64; 2],
    tail: [u8; SYMBOL_BYTES_MAX - HEAD],
    /// 0 in an empty slot: no symbol is empty.
    length: usize,
    index: InstrumentIndex,
    scales: Scales,
}

const _: () = assert!(size_of::<Slot>() == CACHE_LINE);

impl Slot {
    /// Whether the rest of the symbol is the same too. Apart, because few symbols have one and a call of `memcmp` costs
    /// more than the whole search.
    #[cold]
    #[inline(never)]
    fn has_tail(&self, bytes: &[u8], at: usize, length: usize) -> bool {
        bytes.get(at + HEAD..at + length).is_some_and(|rest| self.tail.starts_with(rest))
    }
}

/// The symbols of one market: open addressing with linear probing, at most half full, so that a probe ends soon.
#[derive(Debug)]
pub(in crate::venue::binance) struct SymbolTable {
    slots: Box<[Slot]>,
    /// Whoever else keeps a table by instrument has these lines of it brought while the rest of a frame is read.
    beside: [Line; 2],
}

/// The first sixteen bytes of the `length` bytes at `at`, as two words.
#[inline(always)]
fn head(bytes: &[u8], at: usize, length: usize) -> [u64; 2] {
    [load(bytes, at) & ones(length), load(bytes, at + 8) & ones(length.saturating_sub(8))]
}

/// Where to look first. Odd constants of a good spread (the golden ratio and a prime); the high bits are the best.
#[inline(always)]
fn spread(head: [u64; 2], length: usize) -> usize {
    let mixed = head[0] ^ head[1].wrapping_mul(0xc2b2_ae3d_27d4_eb4f) ^ length as u64;
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
}

impl SymbolTable {
    /// The symbols of `market`.
    pub(in crate::venue::binance) fn new(instruments: &Instruments, market: Market) -> Self {
        let listed = || instruments.iter().filter(|(_, instrument)| instrument.market == market);
        let empty = Slot {
            head: [0; 2],
            tail: [0; SYMBOL_BYTES_MAX - HEAD],
            length: 0,
            index: 0,
            scales: Scales::NONE,
        };
        let mut slots = vec![empty; (listed().count() * 2 + 1).next_power_of_two()].into_boxed_slice();
        let mask = slots.len() - 1;
        for (index, instrument) in listed() {
            let (symbol, length) = (instrument.symbol.padded(), instrument.symbol.len());
            let (head, scales) = (head(symbol, 0, length), Scales::of(instrument));
            let mut slot = Slot { head, length, index, scales, ..empty };
            slot.tail.copy_from_slice(&symbol[HEAD..]);
            let mut place = spread(slot.head, slot.length) & mask;
            while slots[place].length != 0 {
                place = (place + 1) & mask;
            }
            slots[place] = slot;
        }
        Self { slots, beside: [Line::none(); 2] }
    }

    /// Has these lines of an instrument brought whenever it is found.
    pub(super) const fn bring(&mut self, lines: [Line; 2]) {
        self.beside = lines;
    }

    /// The instrument whose symbol starts at `at` and ends before a quote, and where that quote is.
    ///
    /// What matches a listed symbol byte for byte needs no check for escapes or UTF-8.
    #[inline(always)]
    pub(super) fn find_quoted(&self, bytes: &[u8], at: usize) -> Option<(InstrumentIndex, usize)> {
        let words = [load(bytes, at), load(bytes, at + 8)];
        let [first, second] = words.map(quote);
        if first != 0 {
            let length = (first.trailing_zeros() >> 3) as usize;
            return self
                .look_up([words[0] & below(first), 0], length, bytes, at)
                .map(|slot| (slot.index, at + length));
        }
        if second != 0 {
            let length = 8 + (second.trailing_zeros() >> 3) as usize;
            let head = [words[0], words[1] & below(second)];
            return self.look_up(head, length, bytes, at).map(|slot| (slot.index, at + length));
        }
        let rest = bytes.get(at..at + SYMBOL_BYTES_MAX + 1).or_else(|| bytes.get(at..))?;
        let length = rest.iter().position(|&byte| byte == b'"')?;
        self.find(bytes, at, length).map(|index| (index, at + length))
    }

    /// The instrument whose symbol is the `length` bytes at `at`.
    pub(in crate::venue::binance) fn find(
        &self,
        bytes: &[u8],
        at: usize,
        length: usize,
    ) -> Option<InstrumentIndex> {
        self.look_up(head(bytes, at, length), length, bytes, at).map(|slot| slot.index)
    }

    /// The instrument whose symbol lies at `place`, if its numbers have these decimals.
    #[inline(always)]
    pub(super) fn find_at(
        &self,
        place: &SymbolPlace,
        scales: Scales,
        bytes: &[u8],
    ) -> Option<InstrumentIndex> {
        let [low, high] = window::<HEAD>(bytes, place.at)?.as_chunks().0 else { return None };
        let words = [u64::from_le_bytes(*low) & place.keep[0], u64::from_le_bytes(*high) & place.keep[1]];
        let found = self.look_up(words, place.length, bytes, place.at)?;
        (found.scales == scales).then_some(found.index)
    }

    #[inline(always)]
    fn look_up(&self, head: [u64; 2], length: usize, bytes: &[u8], at: usize) -> Option<&Slot> {
        let mask = self.slots.len() - 1;
        let mut place = spread(head, length);
        loop {
            let slot = self.slots.get(place & mask)?;
            if slot.length == length && slot.head == head {
                if length <= HEAD || slot.has_tail(bytes, at, length) {
                    if length == 0 {
                        return None;
                    }
                    self.beside.iter().for_each(|line| line.fetch(slot.index as usize));
                    return Some(slot);
                }
            } else if slot.length == 0 {
                return None;
            }
            place += 1;
        }
    }
}

/// The top bit of each byte of a word that is a quote, up to the first.
#[inline(always)]
const fn quote(word: u64) -> u64 {
    let word = word ^ (ONES * b'"' as u64);
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

/// The bytes below the lowest marked one.
#[inline(always)]
const fn below(marks: u64) -> u64 {
    ((marks & marks.wrapping_neg()) - 1) >> 7
}

#[cfg(test)]
mod tests {
    use super::super::tests::{instrument, instruments};
    use super::*;

    #[test]
    fn finds_every_symbol_on_its_own_market_only() {
        let long = "1000ALONGNAMEDTOKENUSDT_261225";
        let names: Vec<String> =
            (0..3_000).map(|n| format!("S{n}USDT")).chain([long.into(), "币安人生USDT".into()]).collect();
        let mut table: Vec<_> = names.iter().map(|name| instrument(name, Market::Spot, 8, 8)).collect();
        table.push(instrument("S7USDT", Market::UsdMargined, 2, 3));
        let all = instruments(table);
        let spot = SymbolTable::new(&all, Market::Spot);
        let usdm = SymbolTable::new(&all, Market::UsdMargined);
        for (index, name) in (0..).zip(&names) {
            let framed = format!("xx{name}\"yyyyyyyyyyyyyyyy");
            assert_eq!(spot.find(framed.as_bytes(), 2, name.len()), Some(index), "{name}");
            assert_eq!(spot.find(name.as_bytes(), 0, name.len()), Some(index), "{name} at the end");
            let quoted = spot.find_quoted(framed.as_bytes(), 2);
            assert_eq!(quoted, Some((index, 2 + name.len())), "{name} quoted");
        }
        assert_eq!(usdm.find(b"S7USDT", 0, 6), Some(3_002));
        for missing in
            ["", "S3000USDT", "S8USDTX", "s8usdt", "1000ALONGNAMEDTOKENUSDT_261226", "1000ALONGNAMEDTO"]
        {
            assert_eq!(spot.find(missing.as_bytes(), 0, missing.len()), None, "{missing}");
            assert_eq!(spot.find_quoted(format!("{missing}\"").as_bytes(), 0), None, "{missing} quoted");
            assert_eq!(spot.find_quoted(missing.as_bytes(), 0), None, "{missing} without an end");
        }
        assert_eq!(usdm.find(b"S8USDT", 0, 6), None);
        let none = SymbolTable::new(&all, Market::CoinMargined);
        assert_eq!(none.find(b"S7USDT", 0, 6), None);
        assert_eq!(none.find(b"", 0, 0), None);
    }
}
