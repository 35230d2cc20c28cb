//! Every order by its ids, open ones by account and instrument; ended ones until there are too many.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::AccountIndex;
use super::order::Order;
use super::reject::{ID_MISMATCH, Reject};
use super::request::OrderName;
use crate::domain::InstrumentIndex;

/// Ended orders that are remembered: those before them are archived, as after 90 days at the venue.
const ENDED_MAX: usize = 1_000_000;

type ClientKey = (AccountIndex, InstrumentIndex, Box<str>);

/// All orders.
#[derive(Debug, Default)]
pub(super) struct Orders {
    by_id: BTreeMap<u64, Order>,
    /// The newest order of each client id.
    by_client: BTreeMap<ClientKey, u64>,
    open: BTreeSet<(AccountIndex, InstrumentIndex, u64)>,
    ended: VecDeque<u64>,
    last: u64,
}

impl Orders {
    /// The id of the next order.
    pub(super) const fn next_id(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn insert(&mut self, order: Order) {
        self.open.insert((order.account, order.instrument, order.id));
        let key = (order.account, order.instrument, order.client_id.clone());
        self.by_client.insert(key, order.id);
        self.by_id.insert(order.id, order);
    }

    /// An order has ended.
    pub(super) fn close(&mut self, id: u64) {
        let Some(order) = self.by_id.get(&id) else { return };
        if !self.open.remove(&(order.account, order.instrument, id)) {
            return;
        }
        self.ended.push_back(id);
        if self.ended.len() > ENDED_MAX
            && let Some(order) = self.ended.pop_front().and_then(|oldest| self.by_id.remove(&oldest))
        {
            let key = (order.account, order.instrument, order.client_id);
            if self.by_client.get(&key) == Some(&order.id) {
                self.by_client.remove(&key);
            }
        }
    }

    /// Gives an order another client id.
    pub(super) fn rename(&mut self, id: u64, client_id: Box<str>) {
        if let Some(order) = self.by_id.get_mut(&id) {
            self.by_client.insert((order.account, order.instrument, client_id.clone()), id);
            order.client_id = client_id;
        }
    }

    pub(super) fn get(&self, id: u64) -> Option<&Order> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Order> {
        self.by_id.get_mut(&id)
    }

    /// The order that an account means; `Ok(None)` where it has none of that name.
    pub(super) fn find(
        &self,
        account: AccountIndex,
        instrument: InstrumentIndex,
        name: OrderName<'_>,
    ) -> Result<Option<&Order>, Reject> {
        let id = match (name.id, name.client_id) {
            (Some(id), _) => Some(id),
            (None, Some(client)) => self.by_client.get(&(account, instrument, client.into())).copied(),
            (None, None) => None,
        };
        let order = id.and_then(|id| self.by_id.get(&id));
        let order = order.filter(|order| order.account == account && order.instrument == instrument);
        match (order, name) {
            (Some(order), OrderName { id: Some(_), client_id: Some(client) })
                if &*order.client_id != client =>
            {
                Err(ID_MISMATCH)
            }
            _ => Ok(order),
        }
    }

    /// Open orders of an account, of one instrument or of all, oldest first within an instrument.
    pub(super) fn open_of(
        &self,
        account: AccountIndex,
        instrument: Option<InstrumentIndex>,
    ) -> impl Iterator<Item = &Order> {
        let (first, last) = instrument.map_or((0, InstrumentIndex::MAX), |index| (index, index));
        let range = (account, first, 0)..=(account, last, u64::MAX);
        self.open.range(range).filter_map(|(_, _, id)| self.by_id.get(id))
    }

    /// Whether an account has `most` open orders of an instrument, or more.
    pub(super) fn has_open(&self, account: AccountIndex, instrument: InstrumentIndex, most: usize) -> bool {
        let range = (account, instrument, 0)..=(account, instrument, u64::MAX);
        self.open.range(range).take(most).count() >= most
    }

    /// All orders that are remembered, oldest first.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Order> {
        self.by_id.values()
    }

    /// How many were ever made.
    pub(super) const fn count(&self) -> u64 {
        self.last
    }
}
