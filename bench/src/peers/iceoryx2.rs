//! iceoryx2 publish-subscribe, retrying until delivered so that nothing is lost.

use std::path::Path;

use engine::error::SetupError;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::port::update_connections::UpdateConnections as _;
use iceoryx2::prelude::{BackpressureStrategy, LogLevel, NodeBuilder, ipc, set_log_level};
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

use crate::peers::{CAPACITY, Line, Openers, Receiver, Sender, Shared, Transport, open_shared, refused};

/// The transport.
pub struct Iceoryx2;

type Factory = PortFactory<ipc::Service, Line, ()>;

fn service(place: &Path, channel: &str) -> Result<Factory, SetupError> {
    set_log_level(LogLevel::Error);
    let error = |error: &dyn std::fmt::Debug| refused("iceoryx2", error);
    // The directory's name is unique to the run, and so is the service's.
    let name = format!("{}/{channel}", place.display());
    let name = name.as_str().try_into().map_err(|e| error(&e))?;
    let node = NodeBuilder::new().create::<ipc::Service>().map_err(|e| error(&e))?;
    node.service_builder(&name)
        .publish_subscribe::<Line>()
        .enable_safe_overflow(false)
        .subscriber_max_buffer_size(CAPACITY)
        .max_publishers(1)
        .max_subscribers(1)
        .history_size(0)
        .open_or_create()
        .map_err(|e| error(&e))
}

/// The publisher; the factory keeps the service alive.
pub struct Sending(Publisher<ipc::Service, Line, ()>, #[allow(dead_code)] Factory);

/// The subscriber.
pub struct Receiving(Subscriber<ipc::Service, Line, ()>, #[allow(dead_code)] Factory);

impl Sender for Sending {
    #[inline]
    fn try_send(&mut self, line: &Line) -> bool {
        let Ok(sample) = self.0.loan_uninit() else { return false };
        sample.write_payload(*line).send().is_ok()
    }

    fn settle(&mut self) -> Result<(), SetupError> {
        self.0.update_connections().map_err(|error| refused("iceoryx2", error))
    }
}

impl Receiver for Receiving {
    #[inline]
    fn try_receive(&mut self) -> Option<Line> {
        self.0.receive().ok()?.map(|sample| *sample)
    }

    fn settle(&mut self) -> Result<(), SetupError> {
        self.0.update_connections().map_err(|error| refused("iceoryx2", error))
    }
}

impl Transport for Iceoryx2 {
    const NAME: &'static str = "iceoryx2";
    type Sender = Sending;
    type Receiver = Receiving;

    fn open(place: &Path, channel: &str) -> Result<Openers<Self>, SetupError> {
        Ok(open_shared::<Self>(place, channel))
    }
}

impl Shared for Iceoryx2 {
    fn sender(place: &Path, channel: &str) -> Result<Sending, SetupError> {
        let factory = service(place, channel)?;
        let publisher = factory
            .publisher_builder()
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()
            .map_err(|error| refused("iceoryx2", error))?;
        Ok(Sending(publisher, factory))
    }

    fn receiver(place: &Path, channel: &str) -> Result<Receiving, SetupError> {
        let factory = service(place, channel)?;
        let subscriber = factory
            .subscriber_builder()
            .buffer_size(CAPACITY)
            .create()
            .map_err(|error| refused("iceoryx2", error))?;
        Ok(Receiving(subscriber, factory))
    }
}
