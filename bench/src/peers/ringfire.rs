//! ringfire over a file in shared memory, with back-pressure so that nothing is lost.

use std::path::Path;

use engine::error::SetupError;
use ringfire::{FlowControl, RingConsumer, RingConsumerBuilder, RingProducer, RingProducerBuilder};

use crate::peers::{CAPACITY, Line, Openers, Receiver, Sender, Shared, Transport, open_shared, refused};

/// The transport.
pub struct Ringfire;

impl Sender for RingProducer<Line> {
    #[inline]
    fn try_send(&mut self, line: &Line) -> bool {
        self.try_push(line).is_ok()
    }
}

impl Receiver for RingConsumer<Line> {
    #[inline]
    fn try_receive(&mut self) -> Option<Line> {
        self.try_recv()
    }
}

impl Transport for Ringfire {
    const NAME: &'static str = "ringfire";
    type Sender = RingProducer<Line>;
    type Receiver = RingConsumer<Line>;

    fn open(place: &Path, channel: &str) -> Result<Openers<Self>, SetupError> {
        Ok(open_shared::<Self>(place, channel))
    }
}

impl Shared for Ringfire {
    fn sender(place: &Path, channel: &str) -> Result<Self::Sender, SetupError> {
        RingProducerBuilder::new(CAPACITY as u64)
            .flow_control(FlowControl::LosslessBackpressure)
            .build(place.join(format!("{channel}.ringfire")))
            .map_err(|error| refused("ringfire", error))
    }

    fn receiver(place: &Path, channel: &str) -> Result<Self::Receiver, SetupError> {
        RingConsumerBuilder::new()
            .start_from_oldest()
            .attach(place.join(format!("{channel}.ringfire")))
            .map_err(|error| refused("ringfire", error))
    }
}
