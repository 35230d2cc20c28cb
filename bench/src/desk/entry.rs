//! A venue that takes the bytes of every order and lets the order expire.

use std::hint::black_box;
use std::sync::Arc;

use engine::domain::{InstrumentIndex, Instruments, Nanos, OrderId, Quantity};
use engine::message::{IntentKind, Order};
use engine::venue::binance::order_request::{REQUEST_ROOM, encode_cancel, encode_place, encode_query};
use engine::venue::{NotSent, OrderEntry, VenueEvent, VenueEventKind};

/// Orders that may wait for their answers before there is more room to be made.
const WAITING: usize = 1 << 10;

/// An order that waits for its answer.
struct Waiting {
    id: OrderId,
    venue_order_id: u64,
    instrument: InstrumentIndex,
    received: Nanos,
}

/// Encodes requests and answers that orders have expired.
pub struct Encoder {
    instruments: Arc<Instruments>,
    out: Vec<u8>,
    /// From the one at `next` on. When all are answered they begin anew at the same place, which is at hand.
    waiting: Vec<Waiting>,
    next: usize,
    /// Orders sent.
    pub orders: u64,
    /// Bytes encoded.
    pub bytes: u64,
}

impl Encoder {
    /// For orders of `instruments`.
    #[must_use]
    pub fn new(instruments: Arc<Instruments>) -> Self {
        let (out, waiting) = (Vec::with_capacity(REQUEST_ROOM), Vec::with_capacity(WAITING));
        Self { instruments, out, waiting, next: 0, orders: 0, bytes: 0 }
    }

    /// What trades.
    #[must_use]
    pub const fn instruments(&self) -> &Arc<Instruments> {
        &self.instruments
    }
}

impl OrderEntry for Encoder {
    #[inline]
    fn send(&mut self, order: &Order, now: Nanos) -> Result<(), NotSent> {
        let intent = order.intent();
        let instrument = self.instruments.get(intent.instrument).ok_or(NotSent)?;
        self.out.clear();
        if intent.kind == IntentKind::New.code() {
            encode_place(intent, instrument, now, &mut self.out).map_err(|_| NotSent)?;
            let (id, instrument) = (intent.id, intent.instrument);
            self.waiting.push(Waiting { id, venue_order_id: self.orders + 1, instrument, received: now });
        } else {
            encode_cancel(intent, instrument, now, &mut self.out);
        }
        black_box(self.out.as_ptr());
        self.orders += 1;
        self.bytes += self.out.len() as u64;
        Ok(())
    }

    fn query(&mut self, instrument: InstrumentIndex, id: OrderId, now: Nanos) -> Result<(), NotSent> {
        let instrument = self.instruments.get(instrument).ok_or(NotSent)?;
        self.out.clear();
        encode_query(id, instrument, now, &mut self.out);
        black_box(self.out.as_slice());
        Ok(())
    }

    fn poll(&mut self, _now: Nanos) -> Option<VenueEvent> {
        let Some(&Waiting { id, venue_order_id, instrument, received }) = self.waiting.get(self.next) else {
            self.waiting.clear();
            self.next = 0;
            return None;
        };
        self.next += 1;
        let (kind, cumulative) = (VenueEventKind::Expired, Quantity::ZERO);
        Some(VenueEvent { kind, id, venue_order_id, cumulative, instrument, received })
    }

    #[inline]
    fn is_near(&self) -> bool {
        true
    }

    fn next_deadline(&self) -> Nanos {
        Nanos::NEVER
    }
}
