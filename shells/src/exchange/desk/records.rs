//! What happened to orders and may be asked about later: amendments, and matches that were prevented.

use std::collections::VecDeque;

use engine::domain::{Instrument, InstrumentIndex, Nanos, Price, Quantity, SelfTrade};
use engine::venue::exchange::{AccountIndex, Execution, ExecutionKind};

use super::super::failure::Failure;
use super::super::json::{price, quantity, text};
use super::super::params::Params;
use super::super::render::{TimeUnit, list};
use super::orders::named;
use super::{Call, Desk};

/// Records of a kind that are kept; the oldest goes first.
const REMEMBERED_MAX: usize = 100_000;

/// An amendment.
#[derive(Clone, Debug)]
struct Amendment {
    order: u64,
    execution: u64,
    /// The order's client id before and after.
    names: [Box<str>; 2],
    /// Its quantity before and after.
    quantities: [Quantity; 2],
    time: Nanos,
}

/// A match that was prevented.
#[derive(Clone, Copy, Debug)]
struct Prevention {
    id: u64,
    account: AccountIndex,
    instrument: InstrumentIndex,
    maker: u64,
    /// 0 until it is known: the maker's part is told first.
    taker: u64,
    /// The taker's.
    mode: SelfTrade,
    price: Price,
    quantity: Quantity,
    time: Nanos,
}

/// All records, oldest first.
#[derive(Debug, Default)]
pub(super) struct Records {
    amendments: VecDeque<Amendment>,
    preventions: VecDeque<Prevention>,
}

fn keep<T>(records: &mut VecDeque<T>, record: T) {
    if records.len() >= REMEMBERED_MAX {
        records.pop_front();
    }
    records.push_back(record);
}

impl Records {
    /// Notes what is asked about later.
    pub(super) fn note(&mut self, execution: &Execution) {
        let Execution { order, time, .. } = execution;
        match execution.kind {
            ExecutionKind::Replaced => {
                let former = execution.request_id.clone().unwrap_or_default();
                let amendment = Amendment {
                    order: order.id,
                    execution: execution.id,
                    names: [former, order.client_id.clone()],
                    quantities: [execution.former, order.quantity],
                    time: *time,
                };
                keep(&mut self.amendments, amendment);
            }
            ExecutionKind::TradePrevention => {
                let known = self.preventions.back_mut().filter(|last| last.id == order.prevented_match);
                if let Some(last) = known {
                    (last.taker, last.mode) = (order.id, order.stp);
                    return;
                }
                let prevention = Prevention {
                    id: order.prevented_match,
                    account: order.account,
                    instrument: order.instrument,
                    maker: order.id,
                    taker: 0,
                    mode: order.stp,
                    price: order.price,
                    quantity: execution.prevented,
                    time: *time,
                };
                keep(&mut self.preventions, prevention);
            }
            _ => {}
        }
    }
}

impl Prevention {
    fn told(&self, listed: &Instrument, unit: TimeUnit) -> String {
        let lost = quantity(listed, self.quantity);
        let (maker, taker) =
            (format!(",\"makerPreventedQuantity\":{lost}"), format!(",\"takerPreventedQuantity\":{lost}"));
        let lost = match self.mode {
            SelfTrade::ExpireTaker => taker,
            SelfTrade::None | SelfTrade::ExpireMaker => maker,
            SelfTrade::ExpireBoth | SelfTrade::Decrement | SelfTrade::Transfer => maker + &taker,
        };
        let symbol = text(&listed.symbol);
        format!(
            "{{\"symbol\":{symbol},\"preventedMatchId\":{},\"takerOrderId\":{},\"makerSymbol\":{symbol},\"makerOrderId\":{},\"tradeGroupId\":{},\"selfTradePreventionMode\":\"{}\",\"price\":{}{lost},\"transactTime\":{}}}",
            self.id,
            self.taker,
            self.maker,
            u64::from(self.account) + 1,
            self.mode,
            price(listed, self.price),
            unit.show(self.time)
        )
    }
}

/// How many are asked for: 500 without a word, 1000 at most.
fn most(params: &Params) -> Result<usize, Failure> {
    Ok(usize::try_from(params.integer("limit")?.unwrap_or(500)).unwrap_or(0).min(1_000))
}

fn id(params: &Params, name: &str) -> Result<Option<u64>, Failure> {
    Ok(params.integer(name)?.map(|id| u64::try_from(id).unwrap_or(0)))
}

impl Desk {
    /// The amendments of an order.
    pub(super) fn amendments(&self, account: AccountIndex, call: &Call) -> Result<String, Failure> {
        let params = &call.params;
        let instrument = self.symbol(params.need("symbol")?)?;
        let listed = self.listed(instrument)?;
        params.need("orderId")?;
        let order = self.exchange.find(account, instrument, named(params)?)?.id;
        let from = id(params, "fromExecutionId")?.unwrap_or(0);
        let wanted = |one: &&Amendment| one.order == order && one.execution >= from;
        let told = self.records.amendments.iter().filter(wanted).take(most(params)?).map(|one| {
            let [former, name] = &one.names;
            let [from, to] = one.quantities.map(|value| quantity(listed, value));
            format!(
                "{{\"symbol\":{},\"orderId\":{},\"executionId\":{},\"origClientOrderId\":{},\"newClientOrderId\":{},\"origQty\":{from},\"newQty\":{to},\"time\":{}}}",
                text(&listed.symbol),
                one.order,
                one.execution,
                text(former),
                text(name),
                call.unit.show(one.time)
            )
        });
        Ok(list(told))
    }

    /// The matches of an account's orders that self-trade prevention kept from trading.
    pub(super) fn prevented(&self, account: AccountIndex, call: &Call) -> Result<String, Failure> {
        let params = &call.params;
        let instrument = self.symbol(params.need("symbol")?)?;
        let listed = self.listed(instrument)?;
        let (one, order) = (id(params, "preventedMatchId")?, id(params, "orderId")?);
        if one.is_none() && order.is_none() {
            return Err(Failure::new(
                -1102,
                "Param 'preventedMatchId' or 'orderId' must be sent, but both were empty/null!",
            ));
        }
        let from = id(params, "fromPreventedMatchId")?.unwrap_or(0);
        let wanted = |found: &&Prevention| {
            (found.account, found.instrument) == (account, instrument)
                && found.id >= from
                && one.is_none_or(|id| found.id == id)
                && order.is_none_or(|id| [found.maker, found.taker].contains(&id))
        };
        let found = self.records.preventions.iter().filter(wanted).take(most(params)?);
        Ok(list(found.map(|found| found.told(listed, call.unit))))
    }
}
