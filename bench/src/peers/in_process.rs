//! Queues between threads of one process.

use std::path::Path;
use std::sync::Arc;

use crossbeam::channel;
use crossbeam::queue::ArrayQueue;
use disruptor::{
    BusySpin, EventPoller, Producer as _, SingleConsumerBarrier, SingleProducer, SingleProducerBarrier,
};
use engine::error::SetupError;
use ringbuf::traits::{Consumer as _, Producer as _, Split as _};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use crate::peers::{CAPACITY, Line, Openers, Receiver, Sender, Transport, ready};

/// rtrb.
pub struct Rtrb;

impl Sender for rtrb::Producer<Line> {
    #[inline]
    fn try_send(&mut self, line: &Line) -> bool {
        self.push(*line).is_ok()
    }
}

impl Receiver for rtrb::Consumer<Line> {
    #[inline]
    fn try_receive(&mut self) -> Option<Line> {
        self.pop().ok()
    }
}

impl Transport for Rtrb {
    const NAME: &'static str = "rtrb";
    type Sender = rtrb::Producer<Line>;
    type Receiver = rtrb::Consumer<Line>;

    fn open(_place: &Path, _channel: &str) -> Result<Openers<Self>, SetupError> {
        let (producer, consumer) = rtrb::RingBuffer::new(CAPACITY);
        Ok(ready(producer, consumer))
    }
}

/// ringbuf.
pub struct Ringbuf;

impl Sender for HeapProd<Line> {
    #[inline]
    fn try_send(&mut self, line: &Line) -> bool {
        self.try_push(*line).is_ok()
    }
}

impl Receiver for HeapCons<Line> {
    #[inline]
    fn try_receive(&mut self) -> Option<Line> {
        self.try_pop()
    }
}

impl Transport for Ringbuf {
    const NAME: &'static str = "ringbuf";
    type Sender = HeapProd<Line>;
    type Receiver = HeapCons<Line>;

    fn open(_place: &Path, _channel: &str) -> Result<Openers<Self>, SetupError> {
        let (producer, consumer) = HeapRb::new(CAPACITY).split();
        Ok(ready(producer, consumer))
    }
}

/// disruptor, with its poller.
pub struct Disruptor;

impl Sender for SingleProducer<Line, SingleConsumerBarrier> {
    #[inline]
    fn try_send(&mut self, line: &Line) -> bool {
        self.try_publish(|slot| *slot = *line).is_ok()
    }
}

impl Receiver for EventPoller<Line, SingleProducerBarrier> {
    #[inline]
    fn try_receive(&mut self) -> Option<Line> {
        let mut events = self.take(1).ok()?;
        (&mut events).next().copied()
    }

    #[inline]
    fn drain(&mut self, on_line: &mut impl FnMut(Line)) {
        if let Ok(mut events) = self.poll() {
            (&mut events).for_each(|line| on_line(*line));
        }
    }
}

impl Transport for Disruptor {
    const NAME: &'static str = "disruptor";
    type Sender = SingleProducer<Line, SingleConsumerBarrier>;
    type Receiver = EventPoller<Line, SingleProducerBarrier>;

    fn open(_place: &Path, _channel: &str) -> Result<Openers<Self>, SetupError> {
        let builder = disruptor::build_single_producer(CAPACITY, Line::default, BusySpin);
        let (poller, builder) = builder.new_event_poller();
        Ok(ready(builder.build(), poller))
    }
}

/// crossbeam's array queue.
pub struct Array;

impl Sender for Arc<ArrayQueue<Line>> {
    #[inline]
    fn try_send(&mut self, line: &Line) -> bool {
        self.push(*line).is_ok()
    }
}

impl Receiver for Arc<ArrayQueue<Line>> {
    #[inline]
    fn try_receive(&mut self) -> Option<Line> {
        self.pop()
    }
}

impl Transport for Array {
    const NAME: &'static str = "crossbeam ArrayQueue";
    type Sender = Arc<ArrayQueue<Line>>;
    type Receiver = Arc<ArrayQueue<Line>>;

    fn open(_place: &Path, _channel: &str) -> Result<Openers<Self>, SetupError> {
        let queue = Arc::new(ArrayQueue::new(CAPACITY));
        Ok(ready(Arc::clone(&queue), queue))
    }
}

/// crossbeam's bounded channel.
pub struct Channel;

impl Sender for channel::Sender<Line> {
    #[inline]
    fn try_send(&mut self, line: &Line) -> bool {
        Self::try_send(self, *line).is_ok()
    }
}

impl Receiver for channel::Receiver<Line> {
    #[inline]
    fn try_receive(&mut self) -> Option<Line> {
        self.try_recv().ok()
    }
}

impl Transport for Channel {
    const NAME: &'static str = "crossbeam channel";
    type Sender = channel::Sender<Line>;
    type Receiver = channel::Receiver<Line>;

    fn open(_place: &Path, _channel: &str) -> Result<Openers<Self>, SetupError> {
        let (sender, receiver) = channel::bounded(CAPACITY);
        Ok(ready(sender, receiver))
    }
}

/// photon-ring, bounded so that nothing is lost.
pub struct Photon;

impl Sender for photon_ring::Publisher<Line> {
    #[inline]
    fn try_send(&mut self, line: &Line) -> bool {
        self.try_publish(*line).is_ok()
    }
}

impl Receiver for photon_ring::Subscriber<Line> {
    #[inline]
    fn try_receive(&mut self) -> Option<Line> {
        // A bounded channel never laps its subscriber; were it to, the missing line would fail the check.
        self.try_recv().ok()
    }
}

impl Transport for Photon {
    const NAME: &'static str = "photon-ring";
    type Sender = photon_ring::Publisher<Line>;
    type Receiver = photon_ring::Subscriber<Line>;

    fn open(_place: &Path, _channel: &str) -> Result<Openers<Self>, SetupError> {
        let (publisher, subscribers) = photon_ring::channel_bounded(CAPACITY, 0);
        let subscriber = subscribers.subscribe();
        Ok(ready(publisher, subscriber))
    }
}
