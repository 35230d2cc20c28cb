//! `Exchange`: what it is made of, and what can be read of it.

use std::sync::Arc;

use super::AccountIndex;
use super::balances::{Amount, AssetIndex, Balance};
use super::event::{BalanceChange, Event, Execution, ExecutionKind, FillFacts};
use super::lists::Lists;
use super::order::Order;
use super::orders::Orders;
use super::reject::{NO_SUCH_ORDER, Reject, SYMBOL};
use super::request::OrderName;
use super::side::BookSide;
use crate::book::Level;
use crate::domain::{BySide, Instrument, InstrumentIndex, Instruments, Nanos, Price, Quantity, Side};
use crate::venue::simulated::{FeeRate, QueueModel};

/// An account to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSpec {
    /// Fee where it makes, in millionths of what it receives.
    pub maker: FeeRate,
    /// Fee where it takes.
    pub taker: FeeRate,
    /// Deposits: asset and amount.
    pub deposits: Vec<(Box<str>, Amount)>,
}

/// A fill of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Where.
    pub instrument: InstrumentIndex,
    /// Of which order.
    pub order: u64,
    /// The order's list; 0 for none.
    pub list: u64,
    /// The order's side.
    pub side: Side,
    /// What traded.
    pub facts: FillFacts,
    /// When.
    pub time: Nanos,
}

#[derive(Debug)]
pub(super) struct Account {
    pub(super) maker: FeeRate,
    pub(super) taker: FeeRate,
    pub(super) balances: Vec<Balance>,
    pub(super) fills: Vec<Fill>,
    pub(super) updated: Nanos,
}

/// An account, to look at.
#[derive(Clone, Copy, Debug)]
pub struct AccountView<'a> {
    /// Fee where it makes.
    pub maker: FeeRate,
    /// Fee where it takes.
    pub taker: FeeRate,
    /// By asset.
    pub balances: &'a [Balance],
    /// Its fills, oldest first.
    pub fills: &'a [Fill],
    /// When its balances last changed.
    pub updated: Nanos,
}

/// One instrument's book.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) sides: BySide<BookSide>,
    pub(super) base: AssetIndex,
    pub(super) quote: AssetIndex,
    /// Counts changes of the published book.
    pub(super) update_id: u64,
    /// The last update that [`Exchange::take_depth`] told.
    told: u64,
    /// Counts trades.
    pub(super) trade_id: u64,
    /// The last price traded.
    pub(super) last: Option<Price>,
    pub(super) top: BySide<Option<Level>>,
    /// The last update of the market's feed; `None` before its first snapshot.
    pub(super) feed: Option<u64>,
    /// Which trades of the feed count: aggregates or not, and the last one's id.
    pub(super) tape: Option<(bool, u64)>,
    /// Conditional orders that wait, oldest first.
    pub(super) waiting: Vec<u64>,
}

/// What changed of a published book since it was last asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepthChange {
    /// The first update it holds.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// New quantities of levels, best first; 0 for a level that is gone.
    pub levels: BySide<Vec<Level>>,
}

/// The exchange.
#[derive(Debug)]
pub struct Exchange {
    pub(super) instruments: Arc<Instruments>,
    pub(super) books: Vec<Book>,
    pub(super) accounts: Vec<Account>,
    pub(super) assets: Vec<Box<str>>,
    /// What the market has gained from the accounts, by asset.
    pub(super) market: Vec<Amount>,
    /// What the exchange has taken as fees, by asset.
    pub(super) fees: Vec<Amount>,
    pub(super) orders: Orders,
    pub(super) lists: Lists,
    pub(super) queue: QueueModel,
    /// The latest time handed in.
    pub(super) clock: Nanos,
    executions: u64,
    pub(super) preventions: u64,
    pub(super) events: Vec<Event>,
    /// Balances that changed since [`finish`](Self::finish).
    touched: Vec<(AccountIndex, AssetIndex)>,
}

fn asset_of(assets: &mut Vec<Box<str>>, name: &str) -> AssetIndex {
    let at = assets.iter().position(|asset| &**asset == name).unwrap_or_else(|| {
        assets.push(name.into());
        assets.len() - 1
    });
    AssetIndex::try_from(at).unwrap_or(AssetIndex::MAX)
}

impl Exchange {
    /// An exchange that lists `instruments` and holds these accounts' deposits.
    #[must_use]
    pub fn new(instruments: Arc<Instruments>, accounts: &[AccountSpec], queue: QueueModel) -> Self {
        let mut assets = Vec::new();
        let books: Vec<Book> = instruments
            .iter()
            .map(|(_, instrument)| Book {
                sides: BySide { buy: BookSide::new(Side::Buy), sell: BookSide::new(Side::Sell) },
                base: asset_of(&mut assets, &instrument.base),
                quote: asset_of(&mut assets, &instrument.quote),
                update_id: 1,
                told: 1,
                trade_id: 0,
                last: None,
                top: BySide::default(),
                feed: None,
                tape: None,
                waiting: Vec::new(),
            })
            .collect();
        for (asset, _) in accounts.iter().flat_map(|account| &account.deposits) {
            asset_of(&mut assets, asset);
        }
        let opened = accounts.iter().map(|spec| {
            let mut balances = vec![Balance::default(); assets.len()];
            for (asset, amount) in &spec.deposits {
                let at = asset_of(&mut assets, asset);
                balances[at as usize].free += amount;
            }
            let (maker, taker) = (spec.maker, spec.taker);
            Account { maker, taker, balances, fills: Vec::new(), updated: Nanos::ZERO }
        });
        let accounts = opened.collect();
        Self {
            books,
            accounts,
            market: vec![0; assets.len()],
            fees: vec![0; assets.len()],
            assets,
            instruments,
            orders: Orders::default(),
            lists: Lists::default(),
            queue,
            clock: Nanos::ZERO,
            executions: 0,
            preventions: 0,
            events: Vec::new(),
            touched: Vec::new(),
        }
    }

    /// What it lists.
    #[must_use]
    pub const fn instruments(&self) -> &Arc<Instruments> {
        &self.instruments
    }

    /// Names of assets, by index.
    #[must_use]
    pub fn assets(&self) -> &[Box<str>] {
        &self.assets
    }

    /// An account; `None` for one that does not exist.
    #[must_use]
    pub fn account(&self, account: AccountIndex) -> Option<AccountView<'_>> {
        let Account { maker, taker, balances, fills, updated } = self.accounts.get(account as usize)?;
        Some(AccountView { maker: *maker, taker: *taker, balances, fills, updated: *updated })
    }

    /// What the market has gained from the accounts, by asset.
    #[must_use]
    pub fn market_gains(&self) -> &[Amount] {
        &self.market
    }

    /// What was taken as fees, by asset.
    #[must_use]
    pub fn fees_taken(&self) -> &[Amount] {
        &self.fees
    }

    /// An order by the exchange's id.
    #[must_use]
    pub fn order(&self, id: u64) -> Option<&Order> {
        self.orders.get(id)
    }

    /// The order that an account means.
    ///
    /// # Errors
    /// When there is none (-2013), or the two names are of different orders (-2039).
    pub fn find(
        &self,
        account: AccountIndex,
        instrument: InstrumentIndex,
        name: OrderName<'_>,
    ) -> Result<&Order, Reject> {
        self.orders.find(account, instrument, name)?.ok_or(NO_SUCH_ORDER)
    }

    /// Open orders of an account, of one instrument or of all.
    pub fn open_orders(
        &self,
        account: AccountIndex,
        instrument: Option<InstrumentIndex>,
    ) -> impl Iterator<Item = &Order> {
        self.orders.open_of(account, instrument)
    }

    /// All orders that are remembered, oldest first.
    pub fn orders(&self) -> impl DoubleEndedIterator<Item = &Order> {
        self.orders.all()
    }

    /// How many orders were ever made.
    #[must_use]
    pub const fn order_count(&self) -> u64 {
        self.orders.count()
    }

    /// Whether the market's feed has told a book of `instrument`.
    #[must_use]
    pub fn has_book(&self, instrument: InstrumentIndex) -> bool {
        self.books.get(instrument as usize).is_some_and(|book| book.feed.is_some())
    }

    /// The published book, best first: its last update id and at most `most` levels a side.
    #[must_use]
    pub fn depth(&self, instrument: InstrumentIndex, most: usize) -> Option<(u64, BySide<Vec<Level>>)> {
        let book = self.books.get(instrument as usize)?;
        let levels = |side| book.sides.get(side).levels(most);
        Some((book.update_id, BySide { buy: levels(Side::Buy), sell: levels(Side::Sell) }))
    }

    /// The published quantity at a price.
    #[must_use]
    pub fn published_quantity(&self, instrument: InstrumentIndex, side: Side, price: Price) -> Quantity {
        let book = self.books.get(instrument as usize);
        Quantity(book.map_or(0, |book| book.sides.get(side).quantity_at(price)))
    }

    /// The best published bid and ask, with the book's last update id.
    #[must_use]
    pub fn top(&self, instrument: InstrumentIndex) -> Option<(u64, BySide<Option<Level>>)> {
        self.books.get(instrument as usize).map(|book| (book.update_id, book.top))
    }

    /// The last price traded.
    #[must_use]
    pub fn last_price(&self, instrument: InstrumentIndex) -> Option<Price> {
        self.books.get(instrument as usize)?.last
    }

    /// What changed of the published book since the last call; `None` if nothing did.
    pub fn take_depth(&mut self, instrument: InstrumentIndex) -> Option<DepthChange> {
        let book = self.books.get_mut(instrument as usize)?;
        let first = book.told + 1;
        let last = book.update_id;
        if last < first {
            return None;
        }
        book.told = last;
        let BySide { buy, sell } = &mut book.sides;
        let levels = BySide { buy: buy.take_changes(), sell: sell.take_changes() };
        Some(DepthChange { first, last, levels })
    }

    /// Moves everything that happened since the last call to the end of `into`.
    pub fn take_events(&mut self, into: &mut Vec<Event>) {
        into.append(&mut self.events);
    }

    /// Requests and market events have a time; none goes back.
    pub(super) fn advance(&mut self, now: Nanos) {
        self.clock = self.clock.max(now);
    }

    /// Changes a balance.
    pub(super) fn credit(&mut self, account: AccountIndex, asset: AssetIndex, free: Amount, locked: Amount) {
        let Some(owner) = self.accounts.get_mut(account as usize) else { return };
        let balance = &mut owner.balances[asset as usize];
        balance.free += free;
        balance.locked += locked;
        if !self.touched.contains(&(account, asset)) {
            self.touched.push((account, asset));
        }
    }

    /// Tells what happened to an order.
    pub(super) fn report(
        &mut self,
        kind: ExecutionKind,
        order: u64,
        fill: Option<FillFacts>,
        request_id: Option<Box<str>>,
    ) {
        let time = self.clock;
        let Some(order) = self.orders.get_mut(order) else { return };
        order.updated = time;
        self.executions += 1;
        let (order, id) = (order.clone(), self.executions);
        let (prevented, former) = (Quantity::ZERO, Quantity::ZERO);
        let execution = Execution { kind, order, fill, request_id, prevented, former, id, time };
        self.events.push(Event::Execution(Box::new(execution)));
    }

    /// A request or market event has done all it does: balances and the book are told.
    pub(super) fn finish(&mut self, instrument: InstrumentIndex) {
        self.trigger(instrument);
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        for group in touched.chunk_by(|a, b| a.0 == b.0) {
            let account = group[0].0;
            let Some(owner) = self.accounts.get_mut(account as usize) else { continue };
            owner.updated = self.clock;
            let balances = group.iter().map(|&(_, asset)| (asset, owner.balances[asset as usize])).collect();
            let time = self.clock;
            self.events.push(Event::Balances(BalanceChange { account, balances, time }));
        }
        touched.clear();
        self.touched = touched;
        let Some(book) = self.books.get_mut(instrument as usize) else { return };
        let BySide { buy, sell } = &mut book.sides;
        if !(buy.take_touched() | sell.take_touched()) {
            return;
        }
        book.update_id += 1;
        let top = BySide { buy: buy.best(), sell: sell.best() };
        if top != book.top {
            book.top = top;
            self.events.push(Event::Top(instrument));
        }
    }

    pub(super) fn instrument_of(
        instruments: &Instruments,
        index: InstrumentIndex,
    ) -> Result<&Instrument, Reject> {
        instruments.get(index).ok_or(SYMBOL)
    }
}
