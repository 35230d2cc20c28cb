//! What quantities and PnL are worth in the account's currency. Every rounding goes against us: exposures up, PnL down.

use crate::domain::{
    Instrument, InstrumentIndex, InstrumentKind, Instruments, Nanos, Price, Quantity, Scale,
};
use crate::error::RejectCode;
use crate::ledger::{Pnl, Terms};
use crate::tick_to_trade::risk::limits::{AccountLimits, InstrumentLimits};
use crate::tick_to_trade::risk::market::{Quote, Reference};

/// Decimals of money in the account's currency.
pub const ACCOUNT_SCALE: u8 = 8;

/// Why something has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoValue {
    /// A needed price is missing or not healthy: NO_REF or STALE_MD.
    Reference(RejectCode),
    /// The asset has no market against the account's currency.
    Unconvertible,
    /// A product left its range.
    Overflow,
}

impl NoValue {
    /// The code of a reject: a missing price speaks for itself, the rest is `control`'s.
    pub(super) const fn code(self, control: RejectCode) -> RejectCode {
        match self {
            Self::Reference(code) => code,
            Self::Unconvertible | Self::Overflow => control,
        }
    }
}

/// How an instrument's quote asset becomes the account's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conversion {
    /// It counts as the currency.
    Par,
    /// It is the base of this instrument, whose quote counts as the currency.
    Through(InstrumentIndex),
    /// Nobody knows.
    Missing,
}

/// How an instrument's money becomes the account's where nothing is divided: quoted at par, with no more decimals than the
/// account has, and not inverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plain {
    multiplier: u64,
    /// Account units of one unit of the value in quote.
    multiply: u32,
}

/// Stands for all values of no less: none of them is told in a word.
pub(super) const NO_WORD: u64 = u64::MAX;

impl Plain {
    fn of(terms: &Terms, conversion: Conversion) -> Option<Self> {
        let scale = terms.price_scale.digits() + terms.quantity_scale.digits();
        let plain = conversion == Conversion::Par
            && terms.kind != InstrumentKind::Inverse
            && terms.multiplier > 0
            && scale <= ACCOUNT_SCALE;
        let multiply = u32::try_from(ratio(scale).0).ok()?;
        plain.then_some(Self { multiplier: terms.multiplier.unsigned_abs(), multiply })
    }

    /// What [`Prices::value`] gives, if no factor needs more than a word: as nearly always.
    #[inline(always)]
    fn value(self, quantity: i128, numerator: i128, denominator: i128) -> Option<i128> {
        let halves = u32::from(denominator == 2);
        if halves == 0 && denominator != 1 {
            return None;
        }
        let [quantity, price] = [quantity, numerator].map(|factor| u64::try_from(factor).ok());
        let value = self.in_quote(quantity?, price?, halves);
        (value != NO_WORD).then(|| self.to_account(value))
    }

    /// Value of a quantity in quote, at a price or, with one of `halves`, at half of it, rounded up; [`NO_WORD`] where
    /// a step on the way to it needs more than a word.
    #[inline(always)]
    pub(super) fn in_quote(self, quantity: u64, price: u64, halves: u32) -> u64 {
        let contracts = u128::from(quantity) * u128::from(self.multiplier);
        // Below 2^128 as a product of two words is: a half rounded up stays there.
        let value = u128::from(contracts as u64) * u128::from(price) + u128::from(halves);
        if (contracts | value) >> u64::BITS == 0 { (value as u64) >> halves } else { NO_WORD }
    }

    /// A value in quote in the account's currency.
    #[inline(always)]
    pub(super) fn to_account(self, value: u64) -> i128 {
        i128::from(value) * i128::from(self.multiply)
    }

    /// The largest value in quote that is worth no more than `money` of the account's currency.
    pub(super) fn to_quote(self, money: i128) -> i128 {
        money.div_euclid(self.multiply.into())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    Up,
    Down,
}

/// The book, terms and conversion of one instrument, side by side. In the order of their use: of most orders and of every tick
/// the first line is all that is looked at, and with many instruments it has to come from afar.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Row {
    pub(super) quote: Quote,
    pub(super) plain: Option<Plain>,
    pub(super) terms: Terms,
    conversion: Conversion,
    /// Whether some instrument's money is converted through this one.
    converts: bool,
}

impl Row {
    /// What [`Prices::value`] gives, where that is simple.
    #[inline(always)]
    pub(super) fn value(&self, quantity: i128, (numerator, denominator): (i128, i128)) -> Option<i128> {
        self.plain?.value(quantity, numerator, denominator)
    }
}

/// Books, terms and conversions of all instruments.
#[derive(Debug)]
pub(super) struct Prices {
    pub(super) rows: Vec<Row>,
}

/// Powers of ten as far as an `i128` goes.
const UNITS: [i128; 39] = {
    let mut units = [1; 39];
    let mut digits = 1;
    while digits < units.len() {
        units[digits] = units[digits - 1] * 10;
        digits += 1;
    }
    units
};

/// `10^digits` for digits of scales, which are at most 36 together.
pub(super) const fn unit(digits: u8) -> i128 {
    UNITS[digits as usize]
}

/// `left × right`. Two factors of 64 bits, as nearly all are, are one instruction; the checked product of two of 128
/// bits is a call.
#[inline]
pub(super) fn product(left: i128, right: i128) -> Option<i128> {
    match (i64::try_from(left), i64::try_from(right)) {
        (Ok(left), Ok(right)) => Some(i128::from(left) * i128::from(right)),
        _ => left.checked_mul(right),
    }
}

/// `value / divide` rounded down, and whether that is exact. Not inline: what is near needs no division.
#[inline(never)]
fn quotient(value: i128, divide: i128) -> (i128, bool) {
    if let (Ok(value), Ok(divide)) = (u64::try_from(value), u64::try_from(divide)) {
        let down = value / divide;
        return (down.into(), down * divide == value);
    }
    let down = value.div_euclid(divide);
    // The value back, within less than `divide`: it may wrap, and is equal only if it is the same.
    (down, down.wrapping_mul(divide) == value)
}

/// `value × multiply / divide`; `divide` is above zero.
#[inline]
fn scaled(value: i128, multiply: i128, divide: i128, round: Round) -> Option<i128> {
    let product = product(value, multiply)?;
    // Dividing 128 bits is slow: no division where there is nothing to divide by, or a half to take.
    let (down, exact) = match divide {
        1 => return Some(product),
        2 => (product >> 1, product & 1 == 0),
        _ => quotient(product, divide),
    };
    Some(if round == Round::Up && !exact { down + 1 } else { down })
}

#[inline]
fn ratio(scale: u8) -> (i128, i128) {
    (unit(ACCOUNT_SCALE.saturating_sub(scale)), unit(scale.saturating_sub(ACCOUNT_SCALE)))
}

/// Value of `quantity` in quote at a price of `numerator / denominator`, rounded up, with its decimals: those of price
/// and quantity for spot and linear, those of quantity for inverse contracts, whose value in quote is fixed.
#[inline]
pub(super) fn notional(
    terms: &Terms,
    quantity: i128,
    numerator: i128,
    denominator: i128,
) -> Result<(i128, u8), NoValue> {
    let digits = terms.quantity_scale.digits();
    if terms.multiplier <= 0 {
        return Err(NoValue::Unconvertible);
    }
    let contracts = product(quantity, terms.multiplier.into()).ok_or(NoValue::Overflow)?;
    if terms.kind == InstrumentKind::Inverse {
        return Ok((contracts, digits));
    }
    let value = scaled(contracts, numerator, denominator, Round::Up).ok_or(NoValue::Overflow)?;
    Ok((value, digits + terms.price_scale.digits()))
}

/// What [`notional`] gives for an order with a limit where no factor needs more than a word, as nearly always; not of inverse
/// contracts.
#[inline]
pub(super) fn in_quote(terms: &Terms, quantity: Quantity, price: Price) -> Option<i128> {
    let factors = [quantity.0, terms.multiplier, price.0];
    if terms.kind == InstrumentKind::Inverse || factors.iter().any(|&factor| factor <= 0) {
        return None;
    }
    let [quantity, multiplier, price] = factors.map(i64::unsigned_abs);
    let contracts = quantity.checked_mul(multiplier)?;
    i128::try_from(u128::from(contracts) * u128::from(price)).ok()
}

impl Prices {
    pub(super) fn new(instruments: &Instruments, account: &AccountLimits) -> Self {
        let converter = |asset: &str| {
            let mut candidates = instruments.iter().filter(|(_, candidate)| {
                candidate.kind == InstrumentKind::Spot
                    && *candidate.base == *asset
                    && account.is_par(&candidate.quote)
            });
            candidates.next().map(|(index, _)| index)
        };
        let row = |instrument: &Instrument| {
            let terms = Terms::of(instrument);
            let through = || converter(&instrument.quote).map_or(Conversion::Missing, Conversion::Through);
            let conversion = if account.is_par(&instrument.quote) { Conversion::Par } else { through() };
            let plain = Plain::of(&terms, conversion);
            Row { quote: Quote::default(), plain, terms, conversion, converts: false }
        };
        let mut rows: Vec<_> = instruments.iter().map(|(_, instrument)| row(instrument)).collect();
        for at in 0..rows.len() {
            if let Conversion::Through(index) = rows[at].conversion {
                rows[index as usize].converts = true;
            }
        }
        Self { rows }
    }

    pub(super) fn terms(&self, instrument: InstrumentIndex) -> &Terms {
        &self.rows[instrument as usize].terms
    }

    pub(super) fn is_converter(&self, instrument: InstrumentIndex) -> bool {
        self.rows[instrument as usize].converts
    }

    /// The reference price of an instrument at `now`.
    ///
    /// # Errors
    /// NO_REF or STALE_MD, see [`Quote::reference`].
    #[inline]
    pub(super) fn reference(
        &self,
        limits: &[InstrumentLimits],
        instrument: InstrumentIndex,
        now: Nanos,
    ) -> Result<Reference, RejectCode> {
        let index = instrument as usize;
        self.rows[index].quote.reference(now, limits[index].stale_after)
    }

    /// Value in the account's currency of `value` in the quote asset of `instrument`; `rate` gives references.
    fn to_account(
        &self,
        instrument: InstrumentIndex,
        (value, scale): (i128, u8),
        round: Round,
        rate: impl Fn(InstrumentIndex) -> Result<Reference, NoValue>,
    ) -> Result<i128, NoValue> {
        let (multiply, divide) = ratio(scale);
        let (multiply, divide) = match self.rows[instrument as usize].conversion {
            _ if value == 0 => return Ok(0),
            Conversion::Par => (multiply, divide),
            Conversion::Missing => return Err(NoValue::Unconvertible),
            Conversion::Through(through) => self.through(through, (multiply, divide), rate(through)?)?,
        };
        scaled(value, multiply, divide, round).ok_or(NoValue::Overflow)
    }

    /// The ratio of a value that is converted at the price of `through` on the way.
    #[inline(never)]
    fn through(
        &self,
        through: InstrumentIndex,
        (multiply, divide): (i128, i128),
        rate: Reference,
    ) -> Result<(i128, i128), NoValue> {
        let price_unit = unit(self.terms(through).price_scale.digits());
        let multiply = multiply.checked_mul(rate.doubled()).ok_or(NoValue::Overflow)?;
        Ok((multiply, divide.checked_mul(2 * price_unit).ok_or(NoValue::Overflow)?))
    }

    /// Value of `quantity` of `instrument` at a price of `numerator / denominator`, in the account's currency.
    ///
    /// # Errors
    /// When a price for the conversion is missing, there is no conversion, or a product overflows.
    #[inline]
    pub(super) fn value(
        &self,
        limits: &[InstrumentLimits],
        instrument: InstrumentIndex,
        quantity: i128,
        price: (i128, i128),
        now: Nanos,
    ) -> Result<i128, NoValue> {
        match self.rows[instrument as usize].value(quantity, price) {
            Some(value) => Ok(value),
            None => self.value_in_full(limits, instrument, quantity, price, now),
        }
    }

    /// The same for any factors and conversion.
    #[inline(never)]
    pub(super) fn value_in_full(
        &self,
        limits: &[InstrumentLimits],
        instrument: InstrumentIndex,
        quantity: i128,
        (numerator, denominator): (i128, i128),
        now: Nanos,
    ) -> Result<i128, NoValue> {
        let value = notional(self.terms(instrument), quantity, numerator, denominator)?;
        self.to_account(instrument, value, Round::Up, |through| {
            self.reference(limits, through, now).map_err(NoValue::Reference)
        })
    }

    /// A PnL of `instrument` in the account's currency, with prices from `rate`.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub(super) fn pnl(
        &self,
        instrument: InstrumentIndex,
        pnl: &Pnl,
        rate: impl Fn(InstrumentIndex) -> Result<Reference, NoValue>,
    ) -> Result<i128, NoValue> {
        let terms = self.terms(instrument);
        let mut total = pnl.total;
        if terms.kind == InstrumentKind::Inverse && total != 0 {
            // Base becomes quote at the instrument's own price.
            let divide = 2 * unit(terms.price_scale.digits());
            let price = rate(instrument)?.doubled();
            total = scaled(total, price, divide, Round::Down).ok_or(NoValue::Overflow)?;
        }
        self.to_account(instrument, (total, terms.scale()), Round::Down, rate)
    }
}

/// The mark that makes a position worth least: down for a long, up for a short.
pub(super) fn mark(position: i64, reference: Reference) -> Price {
    if position >= 0 { reference.floor() } else { reference.ceil() }
}

const _: () = assert!(Scale::MAX.digits() <= 18, "two scales and a fee's decimals stay inside 10^38");

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{Filters, Market, Symbol};
    use crate::tick_to_trade::risk::market::tests::top;
    use proptest::prelude::*;

    pub(in crate::tick_to_trade::risk) fn instrument(
        symbol: &str,
        kind: InstrumentKind,
        multiplier: i64,
        assets: [&str; 2],
        scales: [u8; 2],
    ) -> Instrument {
        let scale = |digits| Scale::new(digits).expect("a valid scale");
        Instrument {
            symbol: Symbol::new(symbol).expect("it fits"),
            market: Market::Spot,
            kind,
            base: assets[0].into(),
            quote: assets[1].into(),
            price_scale: scale(scales[0]),
            quantity_scale: scale(scales[1]),
            multiplier,
            filters: Filters::default(),
            untradable: None,
        }
    }

    /// `whole` units of a currency at par, in account units.
    pub(in crate::tick_to_trade::risk) fn par_value(whole: i128) -> i128 {
        whole * unit(ACCOUNT_SCALE)
    }

    fn prices() -> (Prices, Vec<InstrumentLimits>) {
        let table = vec![
            instrument("BTCUSDT", InstrumentKind::Spot, 1, ["BTC", "USDT"], [2, 5]),
            instrument("ETHBTC", InstrumentKind::Spot, 1, ["ETH", "BTC"], [5, 4]),
            instrument("BTCUSD_PERP", InstrumentKind::Inverse, 100, ["BTC", "USD"], [1, 0]),
            instrument("ETHEUR", InstrumentKind::Spot, 1, ["ETH", "EUR"], [2, 4]),
        ];
        let instruments = Instruments::new(table).expect("a valid table");
        let account =
            AccountLimits { currency: "USDT".into(), at_par: vec!["USD".into()], ..AccountLimits::default() };
        let limits = InstrumentLimits { stale_after: Nanos(100), ..InstrumentLimits::default() };
        (Prices::new(&instruments, &account), vec![limits; 4])
    }

    #[test]
    fn values_reach_the_account_rounded_up() {
        let (mut prices, limits) = prices();
        let at =
            |prices: &Prices, i, quantity, price| prices.value(&limits, i, quantity, (price, 1), Nanos(0));
        // 0.5 × 20000.01 = 10000.005.
        assert_eq!(at(&prices, 0, 50_000, 2_000_001), Ok(1_000_000_500_000));
        // 3 contracts of 100 dollars, at any price.
        assert_eq!(at(&prices, 2, 3, 1), Ok(300 * 100_000_000));
        // 2 ETH × 0.05 BTC = 0.1 BTC; at 20000.01 that is 2000.001.
        assert_eq!(at(&prices, 1, 20_000, 5_000), Err(NoValue::Reference(RejectCode::NoReference)));
        prices.rows[0].quote.on_tick(&top(0, 2_000_000, 2_000_002, Nanos(0)));
        assert_eq!(at(&prices, 1, 20_000, 5_000), Ok(200_000_100_000));
        assert!(prices.is_converter(0) && !prices.is_converter(1));
        // The smallest ETH lot at the smallest price: 10^-9 BTC, 0.00002000001 rounded up at the 8th decimal.
        assert_eq!(at(&prices, 1, 1, 1), Ok(2_001));
        assert_eq!(at(&prices, 3, 1, 1), Err(NoValue::Unconvertible));
        assert_eq!(at(&prices, 0, i128::MAX, 2), Err(NoValue::Overflow));
        let stale = prices.value(&limits, 1, 1, (1, 1), Nanos(101));
        assert_eq!(stale, Err(NoValue::Reference(RejectCode::StaleMarketData)));
    }

    proptest! {
        #[test]
        fn what_needs_no_division_is_worth_the_same(
            (quantity, price) in (any::<i64>(), any::<i64>()),
            (shift_quantity, shift_price, denominator) in (0_u32..66, 0_u32..64, 1_i128..4),
            (multiplier, scales, kind) in (1_i64..200, [0_u8..6, 0_u8..6], 0_usize..3),
        ) {
            let kind = InstrumentKind::ALL[kind];
            let table = vec![instrument("BTCUSDT", kind, multiplier, ["BTC", "USDT"], scales)];
            let instruments = Instruments::new(table).expect("a valid table");
            let account = AccountLimits { currency: "USDT".into(), ..AccountLimits::default() };
            let prices = Prices::new(&instruments, &account);
            let quantity = (i128::from(quantity.unsigned_abs()) * 4) >> shift_quantity;
            let price = ((i128::from(price.unsigned_abs()) * 2) >> shift_price, denominator);
            let limits = [InstrumentLimits::default()];
            let in_full = prices.value_in_full(&limits, 0, quantity, price, Nanos(0));
            prop_assert_eq!(prices.value(&limits, 0, quantity, price, Nanos(0)), in_full);
            if let (Ok(quantity), Ok(limit)) = (i64::try_from(quantity), i64::try_from(price.0)) {
                let terms = prices.terms(0);
                let in_full = notional(terms, quantity.into(), limit.into(), 1).map(|(value, _)| value);
                let quoted = in_quote(terms, Quantity(quantity), Price(limit));
                prop_assert!(quoted.is_none() || quoted == in_full.ok());
            }
        }
    }

    #[test]
    fn pnl_reaches_the_account_rounded_down() {
        let (mut prices, _) = prices();
        prices.rows[0].quote.on_tick(&top(0, 2_000_000, 2_000_002, Nanos(0)));
        prices.rows[2].quote.on_tick(&top(2, 200_000, 200_001, Nanos(0)));
        let rate = |prices: &Prices, i: InstrumentIndex| {
            prices.rows[i as usize].quote.last().ok_or(NoValue::Reference(RejectCode::NoReference))
        };
        let pnl = |prices: &Prices, i, total| {
            prices.pnl(i, &Pnl { total, ..Pnl::default() }, |through| rate(prices, through))
        };
        // Spot money has 10 decimals: −0.0000000001 is a loss of one account unit, +0.0000000001 no gain.
        assert_eq!((pnl(&prices, 0, -1), pnl(&prices, 0, 1)), (Ok(-1), Ok(0)));
        // −0.01 BTC at 20000.05 dollars.
        assert_eq!(pnl(&prices, 2, -10_000_000_000), Ok(-20_000_050_000));
        assert_eq!(pnl(&prices, 3, -1), Err(NoValue::Unconvertible));
        assert_eq!(pnl(&prices, 3, 0), Ok(0), "nothing is worth nothing anywhere");
        assert_eq!(pnl(&prices, 2, i128::MIN), Err(NoValue::Overflow));
    }

    #[test]
    fn marks_round_against_the_position() {
        let mut quote = Quote::default();
        quote.on_tick(&top(0, 100, 101, Nanos(0)));
        let reference = quote.last().expect("a sound book");
        assert_eq!((mark(1, reference), mark(-1, reference)), (Price(100), Price(101)));
    }
}
