//! The three messages of the way: a tick, which strategies and risk read, an intent, and an approved order.

use std::hint::black_box;
use std::path::Path;

use engine::error::SetupError;
use engine::message::{Intent, SealedOrder, Tick};
use engine::ring::broadcast::{self, Polled, Reader};
use engine::ring::spsc::{Consumer, Producer};
use zerocopy::{FromZeros as _, Immutable, IntoBytes};

/// Messages that each ring holds, as those between agents do.
pub const CAPACITY: usize = 1_024;

/// As long as an order, which begins with `message` and is sealed by nobody.
pub fn order_of(message: &(impl IntoBytes + Immutable)) -> SealedOrder {
    let mut order = SealedOrder::new_zeroed();
    let bytes = message.as_bytes();
    order.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
    order
}

/// Rings as between the agents of one thread.
pub struct Messages {
    ticks: broadcast::Producer<Tick>,
    readers: [Reader<Tick>; 2],
    intents: (Producer<Intent>, Consumer<Intent>),
    orders: (Producer<SealedOrder>, Consumer<SealedOrder>),
}

impl Messages {
    /// Rings whose files begin with `path`.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub fn new(path: &Path) -> Result<Self, SetupError> {
        let file = |name: &str| path.with_extension(name);
        let ticks = broadcast::Producer::create(&file("ticks"), CAPACITY, 1)?;
        let (intents, orders) =
            ((file("asked"), file("asked.cursor")), (file("orders"), file("orders.cursor")));
        Ok(Self {
            ticks,
            readers: [Reader::attach(&file("ticks"))?, Reader::attach(&file("ticks"))?],
            intents: (
                Producer::create(&intents.0, &intents.1, CAPACITY, 1)?,
                Consumer::attach(&intents.0, &intents.1)?,
            ),
            orders: (
                Producer::create(&orders.0, &orders.1, CAPACITY, 1)?,
                Consumer::attach(&orders.0, &orders.1)?,
            ),
        })
    }

    /// Sends each and takes it; whether all came.
    pub fn pass(&mut self, intent: &Intent) -> bool {
        let tick = Tick { values: [intent.price.0; 4], instrument: intent.instrument, ..Tick::new_zeroed() };
        self.ticks.publish(black_box(&tick));
        let ticks =
            self.readers.iter_mut().all(|reader| matches!(black_box(reader.poll()), Polled::Message(_)));
        let asked = self.intents.0.try_push(black_box(intent)).is_ok();
        let Some(intent) = self.intents.1.poll() else { return false };
        let order = order_of(&intent);
        let sent = self.orders.0.try_push(black_box(&order)).is_ok();
        ticks && asked && sent && black_box(self.orders.1.poll()).is_some()
    }
}
