//! Requests about the market.

use engine::domain::{Instrument, InstrumentIndex, Nanos};

use super::super::failure::Failure;
use super::super::history::{bar_json, trade_json};
use super::super::interval::ZonedInterval;
use super::super::json::{millis, price, quantity};
use super::super::method::Method;
use super::super::params::Params;
use super::super::render::list;
use super::super::streams;
use super::{Call, Desk};

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
        let several = params.get("symbols").map_or(0, |names| names.matches(',').count() + 1);
        let several = u32::try_from(several).unwrap_or(u32::MAX);
        match call.method {
            Method::Depth => match params.get("limit").and_then(|text| text.parse().ok()).unwrap_or(100) {
                0..=100 => 5,
                101..=500 => 25,
                501..=1_000 => 50,
                _ => 250,
            },
            Method::OpenOrders if whole => 80,
            Method::MyTrades if params.get("orderId").is_some() => 5,
            Method::Prevented if params.get("preventedMatchId").is_some() => 2,
            Method::ExecutionRules if whole => {
                if several == 0 {
                    40
                } else {
                    (2 * several).min(40)
                }
            }
            Method::TickerWindow | Method::TickerToday => 4 * several.clamp(1, 50),
            Method::Ticker24 if whole => match several {
                1..=20 => 2,
                21..=100 => 40,
                _ => 80,
            },
            Method::TickerPrice | Method::TickerBook if whole => 4,
            _ => call.method.weight(),
        }
    }

    pub(super) fn about_market(&self, call: &Call, now: Nanos) -> Result<String, Failure> {
        let params = &call.params;
        match call.method {
            Method::TickerWindow
            | Method::TickerToday
            | Method::Ticker24
            | Method::TickerPrice
            | Method::TickerBook => self.tickers(call, now),
            Method::ExecutionRules => self.execution_rules(params),
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
                let shown = |trade| trade_json(listed, trade, call.unit);
                Ok(match from {
                    Some(from) => list(trades.filter(|trade| trade.id >= from).take(most).map(shown)),
                    None => list(trades.clone_skip(most).map(shown)),
                })
            }
            Method::AggTrades => self.agg_trades(call, index, listed),
            Method::ReferencePrice | Method::ReferenceCalculation => {
                Err(Failure::new(-2043, "This symbol doesn't have a reference price."))
            }
            // There never were any.
            Method::BlockTrades => Ok("[]".to_owned()),
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
                let interval = ZonedInterval::named(name, params.zone()?);
                let interval = interval.ok_or_else(|| Failure::new(-1120, "Invalid interval."))?;
                let most = limit(params, 500, 1_000)?;
                let from = params.time("startTime")?;
                let to = params.time("endTime")?.unwrap_or(i64::MAX);
                let bars = history.bars(interval, from, to, most);
                Ok(list(
                    bars.iter().map(|bar| bar_json(listed, bar, interval.bar_of(bar.opened).1, call.unit)),
                ))
            }
        }
    }

    fn agg_trades(
        &self,
        call: &Call,
        index: InstrumentIndex,
        listed: &Instrument,
    ) -> Result<String, Failure> {
        let params = &call.params;
        let most = limit(params, 500, 1_000)?;
        let from = params.integer("fromId")?.and_then(|id| u64::try_from(id).ok());
        let (start, end) = (params.time("startTime")?, params.time("endTime")?);
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
                call.unit.show(trade.time),
                trade.aggressor == engine::domain::Side::Sell
            )
        })))
    }
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
