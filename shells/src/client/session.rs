//! One client that waits for its answers: what the command line acts through.

use engine::clock::Clock;
use engine::clock::tsc::LiveClock;
use engine::domain::{InstrumentIndex, Nanos, OrderId, SourceId};
use engine::error::RejectCode;
use engine::message::OrderState;
use engine::shm::paths::IpcPaths;

use crate::api::orders::{CancelAll, Order, PlaceOco, PlaceOrder, Swept};
use crate::api::{ApiError, code};
use crate::client::intents::{Intents, NewOrder};
use crate::client::pair;
use crate::client::sweep::{Scope, at_venue, closing, outcome};
use crate::config::Places;
use crate::service::account::{Account, Event};
use crate::service::liveness::Liveness;
use crate::service::market::BookView;
use crate::service::show::{self, Names};

/// How long anything may take: to find the engine, to read its journals, to be answered by risk.
const PATIENCE: Nanos = Nanos::from_secs(5);

/// How long the venue may take to confirm cancels.
const CONFIRMED_WITHIN: Nanos = Nanos::from_secs(2);

/// How long to sleep between two looks.
const NAP: std::time::Duration = std::time::Duration::from_millis(2);

/// A connection to a running engine.
pub struct Session {
    clock: LiveClock,
    books: BookView,
    names: Names,
    account: Account,
    intents: Intents,
}

fn internal(error: impl std::fmt::Display) -> ApiError {
    ApiError::new(code::INTERNAL, error.to_string())
}

/// The error of an intent that risk refused, or that did not get as far.
#[must_use]
pub fn refused(code: RejectCode) -> ApiError {
    ApiError::new(code.as_str(), code.meaning().trim_end_matches('.'))
}

impl Session {
    /// Finds the engine under `ipc`, reads its journals up to now, and opens the ring of `source`, which no other
    /// process may be writing: the command line holds the operator's lock.
    ///
    /// # Errors
    /// `NOT_READY` when no engine runs there; `INTERNAL` when the ring cannot be opened.
    pub fn connect(
        ipc: &IpcPaths,
        places: &Places,
        source: SourceId,
        mut clock: LiveClock,
    ) -> Result<Self, ApiError> {
        let mut liveness = Liveness::new("risk", ipc);
        let (mut books, mut names) = (BookView::new(ipc), Names::new(ipc));
        let mut account = Account::new(ipc, places);
        let end = clock.now().saturating_add(PATIENCE);
        loop {
            let now = clock.now();
            names.refresh(now);
            if books.refresh(now) {
                account.restart(books.table().ok()).map_err(internal)?;
            }
            let alive = liveness.check(now);
            let caught_up = account.poll(now, &mut |_| {}) == 0;
            match alive.and_then(|()| account.orders().map(|_| ()).map_err(str::to_owned)) {
                Ok(()) if caught_up => break,
                Err(reason) if now >= end => {
                    let place = ipc.root().display();
                    let reason =
                        format!("no engine is running in {place} ({reason}); start one with `trading run`");
                    return Err(ApiError::new(code::NOT_READY, reason));
                }
                _ if now >= end => return Err(internal("the journals cannot be read to their end")),
                _ => std::thread::sleep(NAP),
            }
        }
        let intents = Intents::open(ipc, source, liveness.epoch()).map_err(internal)?;
        Ok(Self { clock, books, names, account, intents })
    }

    /// Takes what is new.
    fn poll(&mut self, on_event: &mut dyn FnMut(&Event)) -> Nanos {
        let now = self.clock.now();
        self.books.refresh(now);
        self.names.refresh(now);
        self.account.poll(now, on_event);
        now
    }

    /// Waits for risk's answer to intent `id`.
    fn verdict(&mut self, id: OrderId) -> Result<(), ApiError> {
        let end = self.clock.now().saturating_add(PATIENCE);
        let mut verdict = None;
        loop {
            let now = self.poll(&mut |event| {
                if let Event::Decision(decision, _, _) = event
                    && decision.intent().id == id
                {
                    verdict = Some(RejectCode::try_from(decision.code()).unwrap_or(RejectCode::BadRequest));
                }
            });
            match verdict {
                Some(RejectCode::None) => return Ok(()),
                Some(code) => return Err(refused(code)),
                None if now >= end => {
                    let reason = format!("risk did not answer: what became of {id} is not known");
                    return Err(ApiError::new(code::TIMEOUT, reason));
                }
                None => std::thread::sleep(NAP),
            }
        }
    }

    /// The order `id` as it is known now.
    ///
    /// # Errors
    /// `UNKNOWN_ORDER`.
    pub fn order(&mut self, id: OrderId) -> Result<Order, ApiError> {
        self.poll(&mut |_| {});
        let row = self.account.orders().map_err(internal)?.get(id);
        let row =
            row.ok_or_else(|| ApiError::new(code::UNKNOWN_ORDER, format!("{id}: no such order is known")))?;
        let facts = self.books.table().map_err(internal)?.get(row.instrument);
        Ok(show::order(row, facts.ok_or_else(|| internal("an order of no instrument"))?, &self.names))
    }

    /// Places an order and waits for risk; gives it as it is known then.
    ///
    /// # Errors
    /// Risk's code, `BAD_REQUEST`, or `TIMEOUT`.
    pub fn place(&mut self, request: &PlaceOrder) -> Result<Order, ApiError> {
        let order = NewOrder::read(self.books.table().map_err(internal)?, request)?;
        let id = self.send(&order)?;
        self.order(id)
    }

    /// Places two orders of which one cancels the other, and waits for risk; gives them as they are known then.
    ///
    /// # Errors
    /// As [`place`](Self::place).
    pub fn place_pair(&mut self, request: &PlaceOco) -> Result<[Order; 2], ApiError> {
        let orders = pair::read(self.books.table().map_err(internal)?, request)?;
        let [above, below] = self.intents.place_pair(&orders, self.clock.now()).map_err(refused)?;
        // Risk decides both at once; the lower one is the last of which it speaks.
        self.verdict(below)?;
        Ok([self.order(above)?, self.order(below)?])
    }

    fn send(&mut self, order: &NewOrder) -> Result<OrderId, ApiError> {
        let id = self.intents.place(order, self.clock.now()).map_err(refused)?;
        self.verdict(id).map(|()| id)
    }

    /// Cancels an order and waits for risk.
    ///
    /// # Errors
    /// Risk's code, `UNKNOWN_ORDER`, or `TIMEOUT`.
    pub fn cancel(&mut self, id: OrderId) -> Result<(), ApiError> {
        self.poll(&mut |_| {});
        let row = self.account.orders().map_err(internal)?.get(id);
        let row =
            row.ok_or_else(|| ApiError::new(code::UNKNOWN_ORDER, format!("{id}: no such order is known")))?;
        if !row.is_open() {
            let reason = format!("{id}: it has ended: {}", row.state.map_or("REFUSED", OrderState::as_str));
            return Err(ApiError::new(code::UNKNOWN_ORDER, reason));
        }
        let request = self.intents.cancel(id, row.instrument, self.clock.now()).map_err(refused)?;
        self.verdict(request)
    }

    /// Waits for what comes of `id`, a request that the venue cancel all on an instrument.
    fn swept(&mut self, id: OrderId) -> Result<(), ApiError> {
        let end = self.clock.now().saturating_add(PATIENCE);
        let mut told = None;
        loop {
            let now = self.poll(&mut |event| match event {
                Event::Decision(decision, _, _) if decision.intent().id == id => {
                    let code = RejectCode::try_from(decision.code()).unwrap_or(RejectCode::BadRequest);
                    told = (code != RejectCode::None).then(|| Err(refused(code)));
                }
                Event::Swept(report) if report.id == id => told = Some(outcome(report)),
                _ => {}
            });
            match told {
                Some(told) => return told,
                None if now >= end => {
                    let reason = format!("no answer in time: what became of {id} is not known");
                    return Err(ApiError::new(code::TIMEOUT, reason));
                }
                None => std::thread::sleep(NAP),
            }
        }
    }

    /// Cancels every order that the request means; waits for risk on each, and then a while for the venue's word on all that
    /// were open: what it has not confirmed is in `open`.
    ///
    /// # Errors
    /// The first refusal other than that an order had ended meanwhile.
    pub fn cancel_all(&mut self, request: &CancelAll) -> Result<Swept, ApiError> {
        let scope = Scope::read(self.books.table().map_err(internal)?, &self.names, &request.filter())?;
        let instrument = at_venue(&scope, request)?;
        self.poll(&mut |_| {});
        let mut meant = scope.all_open(self.account.orders().map_err(internal)?);
        let mut swept = match instrument {
            Some(instrument) => {
                let id = self.intents.sweep(instrument, self.clock.now()).map_err(refused)?;
                self.swept(id)?;
                Swept { canceled: meant.iter().map(ToString::to_string).collect(), ..Swept::default() }
            }
            None => self.sweep(scope)?,
        };
        let end = self.clock.now().saturating_add(CONFIRMED_WITHIN);
        loop {
            let now = self.poll(&mut |_| {});
            let orders = self.account.orders().map_err(internal)?;
            meant.retain(|id| orders.get(*id).is_some_and(|row| row.is_open()));
            if meant.is_empty() || now >= end {
                break;
            }
            std::thread::sleep(NAP);
        }
        swept.open = meant.iter().map(ToString::to_string).collect();
        Ok(swept)
    }

    fn sweep(&mut self, scope: Scope) -> Result<Swept, ApiError> {
        self.poll(&mut |_| {});
        let mut swept = Swept::default();
        for (id, instrument) in scope.to_cancel(self.account.orders().map_err(internal)?) {
            let request = self.intents.cancel(id, instrument, self.clock.now()).map_err(refused)?;
            match self.verdict(request) {
                Ok(()) => swept.canceled.push(id.to_string()),
                Err(error) if error.code == RejectCode::UnknownOrder.as_str() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(swept)
    }

    /// Cancels every order of an instrument, or of all, waits until none is open, and closes the positions at the
    /// market, through risk.
    ///
    /// # Errors
    /// The first refusal, or `TIMEOUT` when orders stay open: then nothing was placed.
    pub fn flatten(&mut self, symbol: Option<&str>) -> Result<Swept, ApiError> {
        let instrument: Option<InstrumentIndex> = match symbol {
            Some(symbol) => Some(self.books.table().map_err(internal)?.find(symbol)?.index),
            None => None,
        };
        let scope = Scope { instrument, source: None };
        let mut swept = self.sweep(scope)?;
        let end = self.clock.now().saturating_add(PATIENCE);
        loop {
            let now = self.poll(&mut |_| {});
            let open = scope.open(self.account.orders().map_err(internal)?);
            if open == 0 {
                break;
            }
            if now >= end {
                let reason = format!("{open} orders are still open: stop or halt what places them first");
                return Err(ApiError::new(code::TIMEOUT, reason));
            }
            std::thread::sleep(NAP);
        }
        let (table, ledger) =
            (self.books.table().map_err(internal)?, self.account.ledger().map_err(internal)?);
        for order in closing(table, ledger, instrument) {
            swept.placed.push(self.send(&order)?.to_string());
        }
        Ok(swept)
    }
}
