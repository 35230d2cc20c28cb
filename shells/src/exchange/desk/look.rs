//! Requests about the market.

use engine::domain::{Instrument, InstrumentIndex, Interval, Nanos};

use super::super::failure::Failure;
use super::super::history::{Bar, bar_json, bar_of, trade_json, value_json, volume_json};
use super::super::json::{amount, millis, price, quantity, text};
use super::super::method::Method;
use super::super::params::{Params, names};
use super::super::render::list;
use super::super::streams;
use super::{Call, Desk};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// `limit`, or what holds without it; at most `most`.
fn limit(params: &Params, usual: usize, most: usize) -> Result<usize, Failure> {
    match params.integer("limit")? {
        None => Ok(usual),
        Some(limit) => match usize::try_from(limit) {
            Ok(limit) if limit > 0 => Ok(limit.min(most)),
            _ => Err(Failure::illegal("limit")),
        },
    }
}

impl Desk {
    /// What a request costs (binance.md §3).
    pub(super) fn weight(&self, call: &Call) -> u32 {
        let params = &call.params;
        let whole = params.get("symbol").is_none();
        match call.method {
            Method::Depth => match params.get("limit").and_then(|text| text.parse().ok()).unwrap_or(100) {
                0..=100 => 5,
                101..=500 => 25,
                501..=1_000 => 50,
                _ => 250,
            },
            Method::OpenOrders if whole => 80,
            Method::MyTrades if params.get("orderId").is_some() => 5,
            Method::Ticker24 if whole && params.get("symbols").is_none() => 80,
            Method::TickerPrice | Method::TickerBook if whole => 4,
            _ => call.method.weight(),
        }
    }

    pub(super) fn about_market(&self, call: &Call, now: Nanos) -> Result<String, Failure> {
        let params = &call.params;
        match call.method {
            Method::Ticker24 => self.each(params, |index, listed| self.day_json(index, listed, now)),
            Method::TickerPrice => self.each(params, |index, listed| {
                let last = self.exchange.last_price(index).unwrap_or_default();
                format!("{{\"symbol\":{},\"price\":{}}}", text(&listed.symbol), price(listed, last))
            }),
            Method::TickerBook => self.each(params, |index, listed| {
                let (last, top) = self.exchange.top(index).unwrap_or_default();
                streams::book_ticker(listed, last, &top, false)
            }),
            _ => {
                let index = self.symbol(params.need("symbol")?)?;
                let listed = self.exchange.instruments().get(index);
                let listed = listed.ok_or_else(|| Failure::new(-1121, "Invalid symbol."))?;
                self.about_symbol(call, index, listed, now)
            }
        }
    }

    fn about_symbol(
        &self,
        call: &Call,
        index: InstrumentIndex,
        listed: &Instrument,
        now: Nanos,
    ) -> Result<String, Failure> {
        let params = &call.params;
        let history = &self.history[index as usize];
        match call.method {
            Method::Depth => {
                let most = limit(params, 100, 5_000)?;
                let (last, sides) = self.exchange.depth(index, most).unwrap_or_default();
                Ok(streams::book(listed, last, &sides))
            }
            Method::Trades | Method::HistoricalTrades => {
                let most = limit(params, 500, 1_000)?;
                let from = params.integer("fromId")?.and_then(|id| u64::try_from(id).ok());
                let trades = history.trades();
                let shown = |trade| trade_json(listed, trade);
                Ok(match from {
                    Some(from) => list(trades.filter(|trade| trade.id >= from).take(most).map(shown)),
                    None => list(trades.clone_skip(most).map(shown)),
                })
            }
            Method::AggTrades => self.agg_trades(params, index, listed),
            Method::AvgPrice => {
                let average = history.average(millis(now)).unwrap_or_default();
                let closed = history.trades().next_back().map_or(now, |trade| trade.time);
                Ok(format!(
                    "{{\"mins\":5,\"price\":{},\"closeTime\":{}}}",
                    price(listed, average),
                    call.unit.show(closed)
                ))
            }
            _ => {
                let name = params.need("interval")?;
                let interval =
                    Interval::named(name).ok_or_else(|| Failure::new(-1120, "Invalid interval."))?;
                let most = limit(params, 500, 1_000)?;
                let from = params.integer("startTime")?;
                let to = params.integer("endTime")?.unwrap_or(i64::MAX);
                let bars = history.bars(interval, from, to, most);
                Ok(list(bars.iter().map(|bar| bar_json(listed, bar, bar_of(interval, bar.opened).1))))
            }
        }
    }

    fn agg_trades(
        &self,
        params: &Params,
        index: InstrumentIndex,
        listed: &Instrument,
    ) -> Result<String, Failure> {
        let most = limit(params, 500, 1_000)?;
        let from = params.integer("fromId")?.and_then(|id| u64::try_from(id).ok());
        let (start, end) = (params.integer("startTime")?, params.integer("endTime")?);
        let aggregates = self.history[index as usize].aggregates();
        let all: Vec<_> = aggregates
            .filter(|aggregate| {
                let at = millis(aggregate.trade.time);
                from.is_none_or(|from| aggregate.id >= from)
                    && start.is_none_or(|start| at >= start)
                    && end.is_none_or(|end| at <= end)
            })
            .collect();
        let newest = from.is_none() && start.is_none();
        let skipped = if newest { all.len().saturating_sub(most) } else { 0 };
        Ok(list(all.into_iter().skip(skipped).take(most).map(|aggregate| {
            let trade = &aggregate.trade;
            format!(
                "{{\"a\":{},\"p\":{},\"q\":{},\"f\":{},\"l\":{},\"T\":{},\"m\":{},\"M\":true}}",
                aggregate.id,
                price(listed, trade.price),
                quantity(listed, trade.quantity),
                trade.id,
                aggregate.last,
                millis(trade.time),
                trade.aggressor == engine::domain::Side::Sell
            )
        })))
    }

    /// One answer a symbol: an object where one is asked for, else a list.
    fn each(
        &self,
        params: &Params,
        tell: impl Fn(InstrumentIndex, &Instrument) -> String,
    ) -> Result<String, Failure> {
        let instruments = self.exchange.instruments();
        let told = |index: InstrumentIndex| instruments.get(index).map(|listed| tell(index, listed));
        match (params.maybe("symbol")?, params.maybe("symbols")?) {
            (Some(_), Some(_)) => Err(Failure::new(-1128, "Combination of optional parameters invalid.")),
            (Some(symbol), None) => Ok(told(self.symbol(symbol)?).unwrap_or_default()),
            (None, Some(symbols)) => {
                let symbols = names("symbols", symbols)?;
                let indices: Vec<_> =
                    symbols.iter().map(|symbol| self.symbol(symbol)).collect::<Result<_, _>>()?;
                Ok(list(indices.into_iter().filter_map(told)))
            }
            (None, None) => Ok(list(instruments.iter().map(|(index, listed)| tell(index, listed)))),
        }
    }

    /// The statistics of the last day.
    pub(super) fn day(&self, index: InstrumentIndex, now: Nanos) -> Bar {
        self.history[index as usize].sum(millis(now), DAY)
    }

    fn day_json(&self, index: InstrumentIndex, listed: &Instrument, now: Nanos) -> String {
        let day = self.day(index, now);
        let (_, top) = self.exchange.top(index).unwrap_or_default();
        let level = |level: Option<engine::book::Level>| {
            let (at, size) = level.map_or_else(Default::default, |level| (level.price, level.quantity));
            (price(listed, at), quantity(listed, size))
        };
        let ((bid, bid_size), (ask, ask_size)) = (level(top.buy), level(top.sell));
        let shown = |value| price(listed, value);
        let change = engine::domain::Price(day.close.0 - day.open.0);
        let last =
            self.history[index as usize].trades().next_back().map_or_else(Default::default, |t| t.quantity);
        let (first, last_id) =
            if day.trades == 0 { (-1, -1) } else { (i128::from(day.first), i128::from(day.last)) };
        format!(
            "{{\"symbol\":{},\"priceChange\":{},\"priceChangePercent\":\"{}\",\"weightedAvgPrice\":{},\"prevClosePrice\":{},\"lastPrice\":{},\"lastQty\":{},\"bidPrice\":{bid},\"bidQty\":{bid_size},\"askPrice\":{ask},\"askQty\":{ask_size},\"openPrice\":{},\"highPrice\":{},\"lowPrice\":{},\"volume\":{},\"quoteVolume\":{},\"openTime\":{},\"closeTime\":{},\"firstId\":{first},\"lastId\":{last_id},\"count\":{}}}",
            text(&listed.symbol),
            shown(change),
            percent(change.0, day.open.0),
            shown(average(&day)),
            shown(day.open),
            shown(day.close),
            quantity(listed, last),
            shown(day.open),
            shown(day.high),
            shown(day.low),
            volume_json(listed, day.volume),
            value_json(listed, day.value),
            millis(now) - DAY,
            millis(now),
            day.trades
        )
    }

    /// A `24hrTicker` of a stream.
    pub(super) fn day_event(&self, index: InstrumentIndex, listed: &Instrument, now: Nanos) -> String {
        let day = self.day(index, now);
        let (_, top) = self.exchange.top(index).unwrap_or_default();
        let level = |level: Option<engine::book::Level>| {
            let (at, size) = level.map_or_else(Default::default, |level| (level.price, level.quantity));
            (price(listed, at), quantity(listed, size))
        };
        let ((bid, bid_size), (ask, ask_size)) = (level(top.buy), level(top.sell));
        let shown = |value| price(listed, value);
        let change = engine::domain::Price(day.close.0 - day.open.0);
        let last =
            self.history[index as usize].trades().next_back().map_or_else(Default::default, |t| t.quantity);
        let (first, last_id) =
            if day.trades == 0 { (-1, -1) } else { (i128::from(day.first), i128::from(day.last)) };
        format!(
            "{{\"e\":\"24hrTicker\",\"E\":{now_ms},\"s\":{},\"p\":{},\"P\":\"{}\",\"w\":{},\"x\":{},\"c\":{},\"Q\":{},\"b\":{bid},\"B\":{bid_size},\"a\":{ask},\"A\":{ask_size},\"o\":{},\"h\":{},\"l\":{},\"v\":{},\"q\":{},\"O\":{},\"C\":{now_ms},\"F\":{first},\"L\":{last_id},\"n\":{}}}",
            text(&listed.symbol),
            shown(change),
            percent(change.0, day.open.0),
            shown(average(&day)),
            shown(day.open),
            shown(day.close),
            quantity(listed, last),
            shown(day.open),
            shown(day.high),
            shown(day.low),
            volume_json(listed, day.volume),
            value_json(listed, day.value),
            millis(now) - DAY,
            day.trades,
            now_ms = millis(now)
        )
    }
}

fn average(day: &Bar) -> engine::domain::Price {
    let average = day.value.checked_div(day.volume).and_then(|price| i64::try_from(price).ok());
    engine::domain::Price(average.unwrap_or(0))
}

/// `part` of `whole` in percent, with three decimals.
fn percent(part: i64, whole: i64) -> String {
    let thousandths = (i128::from(part) * 100_000).checked_div(i128::from(whole)).unwrap_or(0);
    let shown = amount(thousandths * 100_000).to_string();
    let shown = shown.trim_matches('"');
    shown[..shown.len() - 5].to_owned()
}

/// The newest of a list, in its order.
trait Newest: Sized {
    fn clone_skip(self, most: usize) -> std::iter::Skip<Self>;
}

impl<I: ExactSizeIterator> Newest for I {
    fn clone_skip(self, most: usize) -> std::iter::Skip<Self> {
        let skipped = self.len().saturating_sub(most);
        self.skip(skipped)
    }
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
}
