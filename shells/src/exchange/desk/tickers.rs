//! Statistics of spans of time (the last 24 hours, a window that ends now, the trading day), last prices and best
//! levels: as requests and as streams tell them.

use engine::book::Level;
use engine::domain::{BySide, Instrument, InstrumentIndex, Nanos, Price};

use super::super::failure::Failure;
use super::super::history::{Bar, value_json, volume_json};
use super::super::interval::{DAY, ZonedInterval, just_before};
use super::super::json::{Shown, amount, millis, price, quantity, text};
use super::super::method::Method;
use super::super::params::{Params, names};
use super::super::render::{TimeUnit, list};
use super::super::streams;
use super::{Call, Desk};

/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;

/// What an instrument traded in a span of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statistics {
    bar: Bar,
    opens: Nanos,
    closes: Nanos,
}

impl Statistics {
    fn ids(&self) -> (i128, i128) {
        let Bar { trades, first, last, .. } = self.bar;
        if trades == 0 { (-1, -1) } else { (i128::from(first), i128::from(last)) }
    }

    /// Change, change in percent and average, as texts of JSON.
    fn change(&self, listed: &Instrument) -> [String; 3] {
        let Bar { open, close, volume, value, .. } = self.bar;
        let change = close.0 - open.0;
        let average = value.checked_div(volume).and_then(|price| i64::try_from(price).ok()).unwrap_or(0);
        [
            price(listed, Price(change)).to_string(),
            format!("\"{}\"", percent(change, open.0)),
            price(listed, Price(average)).to_string(),
        ]
    }

    /// As requests are answered; `more` are members that the answer has beside those of the short form.
    fn told(&self, listed: &Instrument, unit: TimeUnit, more: &str) -> String {
        let Bar { open, high, low, close, volume, value, trades, .. } = self.bar;
        let shown = |value| price(listed, value);
        let (first, last) = self.ids();
        format!(
            "{{\"symbol\":{},{more}\"openPrice\":{},\"highPrice\":{},\"lowPrice\":{},\"lastPrice\":{},\"volume\":{},\"quoteVolume\":{},\"openTime\":{},\"closeTime\":{},\"firstId\":{first},\"lastId\":{last},\"count\":{trades}}}",
            text(&listed.symbol),
            shown(open),
            shown(high),
            shown(low),
            shown(close),
            volume_json(listed, volume),
            value_json(listed, value),
            unit.show(self.opens),
            unit.show(self.closes)
        )
    }

    /// The members of a request's answer that tell the change.
    fn told_change(&self, listed: &Instrument) -> String {
        let [change, percent, average] = self.change(listed);
        format!("\"priceChange\":{change},\"priceChangePercent\":{percent},\"weightedAvgPrice\":{average},")
    }

    /// As a stream tells it, by the event's name; `more` are members that only some events have.
    fn event(&self, kind: &str, listed: &Instrument, unit: TimeUnit, more: &str) -> String {
        let Bar { open, high, low, close, volume, value, trades, .. } = self.bar;
        let shown = |value| price(listed, value);
        let [change, percent, average] = self.change(listed);
        let (first, last) = self.ids();
        format!(
            "{{\"e\":\"{kind}\",\"E\":{closes},\"s\":{},\"p\":{change},\"P\":{percent},\"w\":{average},{more}\"c\":{},\"o\":{},\"h\":{},\"l\":{},\"v\":{},\"q\":{},\"O\":{},\"C\":{closes},\"F\":{first},\"L\":{last},\"n\":{trades}}}",
            text(&listed.symbol),
            shown(close),
            shown(open),
            shown(high),
            shown(low),
            volume_json(listed, volume),
            value_json(listed, value),
            unit.show(self.opens),
            closes = unit.show(self.closes)
        )
    }

    /// A `24hrMiniTicker`.
    pub(super) fn mini(&self, listed: &Instrument, unit: TimeUnit) -> String {
        streams::mini_ticker(listed, &self.bar, unit.show(self.closes))
    }

    /// A ticker of a rolling window.
    pub(super) fn rolling(&self, window: &str, listed: &Instrument, unit: TimeUnit) -> String {
        self.event(&format!("{window}Ticker"), listed, unit, "")
    }
}

/// The last 24 hours, with what stands in the book.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day {
    statistics: Statistics,
    last: engine::domain::Quantity,
    top: BySide<Option<Level>>,
}

impl Day {
    /// Best bid and ask with their quantities, and the last quantity.
    fn book(&self, listed: &Instrument) -> [Shown; 5] {
        let level = |level: Option<Level>| level.map_or_else(Default::default, |l| (l.price, l.quantity));
        let ((bid, bid_size), (ask, ask_size)) = (level(self.top.buy), level(self.top.sell));
        let size = |value| quantity(listed, value);
        [price(listed, bid), size(bid_size), price(listed, ask), size(ask_size), size(self.last)]
    }

    fn told(&self, listed: &Instrument, unit: TimeUnit) -> String {
        let [bid, bid_size, ask, ask_size, last] = self.book(listed);
        let change = self.statistics.told_change(listed);
        let more = format!(
            "{change}\"prevClosePrice\":{},\"lastQty\":{last},\"bidPrice\":{bid},\"bidQty\":{bid_size},\"askPrice\":{ask},\"askQty\":{ask_size},",
            price(listed, self.statistics.bar.open)
        );
        self.statistics.told(listed, unit, &more)
    }

    /// A `24hrTicker`.
    pub(super) fn event(&self, listed: &Instrument, unit: TimeUnit) -> String {
        let [bid, bid_size, ask, ask_size, last] = self.book(listed);
        let more = format!(
            "\"x\":{},\"Q\":{last},\"b\":{bid},\"B\":{bid_size},\"a\":{ask},\"A\":{ask_size},",
            price(listed, self.statistics.bar.open)
        );
        self.statistics.event("24hrTicker", listed, unit, &more)
    }
}

impl Desk {
    pub(super) fn tickers(&self, call: &Call, now: Nanos) -> Result<String, Failure> {
        let params = &call.params;
        let unit = call.unit;
        match call.method {
            Method::TickerPrice => self.each(params, |index, listed| {
                let last = self.exchange.last_price(index).unwrap_or_default();
                format!("{{\"symbol\":{},\"price\":{}}}", text(&listed.symbol), price(listed, last))
            }),
            Method::TickerBook => self.each(params, |index, listed| {
                let (last, top) = self.exchange.top(index).unwrap_or_default();
                streams::book_ticker(listed, last, &top, false)
            }),
            Method::Ticker24 => {
                let mini = is_mini(params)?;
                self.each(params, |index, listed| {
                    let day = self.day(index, now);
                    if mini { day.statistics.told(listed, unit, "") } else { day.told(listed, unit) }
                })
            }
            _ => {
                if params.get("symbol").is_none() && params.get("symbols").is_none() {
                    return Err(Failure::new(
                        -1102,
                        "Param 'symbol' or 'symbols' must be sent, but both were empty/null!",
                    ));
                }
                let mini = is_mini(params)?;
                let (opens, closes) = span(call, now)?;
                self.each(params, |index, listed| {
                    let span = self.since(index, opens, closes);
                    let more = if mini { String::new() } else { span.told_change(listed) };
                    span.told(listed, unit, &more)
                })
            }
        }
    }

    /// What was traded from `opens`, in milliseconds, to now; `closes` is told as its end.
    pub(super) fn since(&self, index: InstrumentIndex, opens: i64, closes: Nanos) -> Statistics {
        Statistics {
            bar: self.history[index as usize].since(opens),
            opens: Nanos::from_millis(opens),
            closes,
        }
    }

    /// What was traded in the last 24 hours.
    pub(super) fn last_day(&self, index: InstrumentIndex, now: Nanos) -> Statistics {
        self.since(index, millis(now) - DAY, now)
    }

    /// The last 24 hours, with what stands in the book.
    pub(super) fn day(&self, index: InstrumentIndex, now: Nanos) -> Day {
        let newest = self.history[index as usize].trades().next_back();
        let (_, top) = self.exchange.top(index).unwrap_or_default();
        let statistics = self.last_day(index, now);
        Day { statistics, last: newest.map_or_else(Default::default, |trade| trade.quantity), top }
    }

    /// One answer a symbol: an object where one is asked for, else a list.
    fn each(
        &self,
        params: &Params,
        tell: impl Fn(InstrumentIndex, &Instrument) -> String,
    ) -> Result<String, Failure> {
        let status = wanted_status(params)?;
        let instruments = self.exchange.instruments();
        let told = |index: &InstrumentIndex| instruments.get(*index).map(|listed| tell(*index, listed));
        match (params.maybe("symbol")?, params.maybe("symbols")?) {
            (Some(_), Some(_)) => Err(Failure::new(-1128, "Combination of optional parameters invalid.")),
            (Some(symbol), None) => {
                let index = self.symbol(symbol)?;
                self.has_status(index, status)?;
                Ok(told(&index).unwrap_or_default())
            }
            (None, Some(symbols)) => {
                let indices = self.symbols(symbols)?;
                indices.iter().try_for_each(|index| self.has_status(*index, status))?;
                Ok(list(indices.iter().filter_map(told)))
            }
            (None, None) => {
                let all = instruments.iter().filter(|(index, _)| self.has_status(*index, status).is_ok());
                Ok(list(all.map(|(index, listed)| tell(index, listed))))
            }
        }
    }

    /// The symbols of a list, none of them twice.
    pub(super) fn symbols(&self, text: &str) -> Result<Vec<InstrumentIndex>, Failure> {
        let mut indices = Vec::new();
        for symbol in names("symbols", text)? {
            let index = self.symbol(&symbol)?;
            if indices.contains(&index) {
                return Err(Failure::new(-1151, "Symbol is present multiple times in the list."));
            }
            indices.push(index);
        }
        Ok(indices)
    }

    /// Whether a symbol has the status that is asked for, if one is.
    pub(super) fn has_status(&self, index: InstrumentIndex, wanted: Option<&str>) -> Result<(), Failure> {
        let listed = self.exchange.instruments().get(index);
        match wanted.filter(|wanted| listed.map(super::listing::status) != Some(wanted)) {
            Some(_) => {
                Err(Failure::new(-1220, "The symbol's status does not match the requested symbolStatus."))
            }
            None => Ok(()),
        }
    }
}

/// The status that symbols shall have.
pub(super) fn wanted_status(params: &Params) -> Result<Option<&str>, Failure> {
    let status = params.maybe("symbolStatus")?;
    let known = ["TRADING", "END_OF_DAY", "HALT", "BREAK", "CANCEL_ONLY"];
    match status.filter(|status| !known.contains(status)) {
        Some(_) => Err(Failure::new(-1122, "Invalid symbolStatus.")),
        None => Ok(status),
    }
}

fn is_mini(params: &Params) -> Result<bool, Failure> {
    match params.maybe("type")? {
        None | Some("FULL") => Ok(false),
        Some("MINI") => Ok(true),
        Some(_) => Err(Failure::new(-1139, "Invalid ticker type.")),
    }
}

/// When the span opens, in milliseconds, and when it closes.
fn span(call: &Call, now: Nanos) -> Result<(i64, Nanos), Failure> {
    let params = &call.params;
    if call.method == Method::TickerToday {
        let zone = params.zone()?;
        let day = ZonedInterval::named("1d", zone).ok_or_else(|| Failure::new(-1120, "Invalid interval."))?;
        let (opens, closes) = day.bar_of(millis(now));
        return Ok((opens, just_before(closes)));
    }
    let length = match params.maybe("windowSize")? {
        None => DAY,
        Some(text) => window(text).ok_or_else(|| Failure::illegal("windowSize"))?,
    };
    Ok((rolling_since(length, now), now))
}

/// When a rolling window that ends now opens: on a minute (binance.md §4).
pub(super) const fn rolling_since(length: i64, now: Nanos) -> i64 {
    (millis(now) - length).div_euclid(MINUTE) * MINUTE
}

/// Milliseconds of a window: 1 to 59 minutes, 1 to 23 hours or 1 to 7 days.
fn window(text: &str) -> Option<i64> {
    let (unit, most) = match text.bytes().last()? {
        b'm' => (MINUTE, 59),
        b'h' => (60 * MINUTE, 23),
        b'd' => (DAY, 7),
        _ => return None,
    };
    let count: i64 = text[..text.len() - 1].parse().ok().filter(|_| !text.starts_with('+'))?;
    (1..=most).contains(&count).then_some(count * unit)
}

/// `part` of `whole` in percent, with three decimals.
fn percent(part: i64, whole: i64) -> String {
    let thousandths = (i128::from(part) * 100_000).checked_div(i128::from(whole)).unwrap_or(0);
    let shown = amount(thousandths * 100_000).to_string();
    let shown = shown.trim_matches('"');
    shown[..shown.len() - 5].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_have_three_decimals() {
        assert_eq!(
            (percent(-1, 200).as_str(), percent(1, 3).as_str(), percent(5, 0).as_str()),
            ("-0.500", "33.333", "0.000")
        );
    }

    #[test]
    fn windows_are_read_as_documented_and_open_on_a_minute() {
        assert_eq!(
            ["59m", "23h", "7d"].map(window),
            [Some(59 * MINUTE), Some(23 * 60 * MINUTE), Some(7 * DAY)]
        );
        for bad in ["", "m", "0m", "60m", "24h", "8d", "1w", "1d2h", "-1m", "+1m", "é"] {
            assert_eq!(window(bad), None, "{bad}");
        }
        // The example of the documentation: 2022-01-04 09:17:47.099 looks back to 2022-01-03 09:17.
        assert_eq!(rolling_since(DAY, Nanos::from_millis(1_641_287_867_099)), 1_641_201_420_000);
    }
}
