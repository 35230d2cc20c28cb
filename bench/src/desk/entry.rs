//! A venue that takes the bytes of every order and lets the order expire.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

use engine::domain::{InstrumentIndex, Instruments, Nanos, OrderId, Quantity};
use engine::message::{IntentKind, Order};
use engine::venue::binance::order_request::{REQUEST_ROOM, encode_cancel, encode_place, encode_query};
use engine::venue::{NotSent, OrderEntry, VenueEvent, VenueEventKind};

/// Answers that may wait.
const ANSWERS: usize = 1 << 10;

/// Encodes requests and answers that orders have expired.
pub struct Encoder {
    instruments: Arc<Instruments>,
    out: Vec<u8>,
    answers: VecDeque<VenueEvent>,
    /// Orders sent.
    pub orders: u64,
    /// Bytes encoded.
    pub bytes: u64,
}

impl Encoder {
    /// For orders of `instruments`.
    #[must_use]
    pub fn new(instruments: Arc<Instruments>) -> Self {
        let (out, answers) = (Vec::with_capacity(REQUEST_ROOM), VecDeque::with_capacity(ANSWERS));
        Self { instruments, out, answers, orders: 0, bytes: 0 }
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
            self.answers.push_back(VenueEvent {
                kind: VenueEventKind::Expired,
                id: intent.id,
                venue_order_id: self.orders + 1,
                cumulative: Quantity::ZERO,
                instrument: intent.instrument,
                received: now,
            });
        } else {
            encode_cancel(intent, instrument, now, &mut self.out);
        }
        black_box(self.out.as_slice());
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
        self.answers.pop_front()
    }

    #[inline]
    fn is_near(&self) -> bool {
        true
    }

    fn next_deadline(&self) -> Nanos {
        Nanos::NEVER
    }
}
