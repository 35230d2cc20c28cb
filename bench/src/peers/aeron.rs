//! Aeron over `aeron:ipc`: exclusive publications, and images polled straight.
//!
//! Who uses Aeron runs a media driver, which moves a publisher's limit on and wipes what was read. It has no core of
//! its own here: each sender has one inside, in Aeron's invoker mode, and lets it work when it comes to the limit. On a
//! thread it would take a core from an end each time it wakes. The clients' conductors are invoked too, while opening.

use std::ffi::CString;
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use engine::error::SetupError;
use rusteron_media_driver::bindings::aeron_threading_mode_t;
use rusteron_media_driver::{
    AERON_IPC_STREAM, Aeron, AeronAsyncAddSubscription, AeronBufferClaim, AeronCError, AeronContext,
    AeronDriver, AeronDriverContext, AeronExclusivePublication, AeronImage, AeronSubscription, Handlers,
};
use zerocopy::{FromBytes, IntoBytes};

use crate::peers::{CAPACITY, Line, Openers, Receiver, Sender, Shared, Transport, open_shared, refused};

/// Terms of one length, of which a log has three; half of one may be unread.
pub trait Terms {
    /// What reports call the transport.
    const NAME: &'static str;
    /// Bytes of one.
    const LENGTH: usize;
}

/// The shortest: 341 frames of 96 bytes may be unread, and their lines stay in the cores' caches. The better round trip,
/// and the better stream where cores are near.
pub struct Short;

impl Terms for Short {
    const NAME: &'static str = "aeron invoked, 64 KB";
    const LENGTH: usize = 64 * 1_024;
}

/// 21,845 frames may be unread: most of a stream's looks see neither the limit nor the driver. The better stream where
/// cores are far; 64 MB, Aeron's own choice, is no faster there.
pub struct Long;

impl Terms for Long {
    const NAME: &'static str = "aeron invoked, 4 MB";
    const LENGTH: usize = 4 * 1_024 * 1_024;
}

/// The transport.
pub struct Ipc<T>(PhantomData<T>);

/// Of any number: a driver has this stream alone.
const STREAM: i32 = 1;

/// How often to look for the other end before it counts as missing, and the pause between: ten seconds.
const LOOKS: u32 = 100_000;
/// See [`LOOKS`].
const BETWEEN_LOOKS: Duration = Duration::from_micros(100);

/// Nobody invokes a client's conductor while messages go, and none may be declared dead meanwhile, in nanoseconds.
const LIVENESS_NS: u64 = 600_000_000_000;

fn error(error: AeronCError) -> SetupError {
    refused("aeron", error)
}

/// Where a channel's driver has its files.
fn directory(place: &Path, channel: &str) -> Result<CString, SetupError> {
    let directory = place.join(format!("{channel}.aeron"));
    CString::new(directory.as_os_str().as_bytes()).map_err(|error| refused("aeron", error))
}

fn driver(directory: &CString, term: usize) -> Result<AeronDriver, AeronCError> {
    let context = AeronDriverContext::new()?;
    context.set_dir(directory)?;
    context.set_threading_mode(aeron_threading_mode_t::AERON_THREADING_MODE_INVOKER)?;
    context.set_ipc_term_buffer_length(term)?;
    context.set_client_liveness_timeout_ns(LIVENESS_NS)?;
    // The driver refuses to start with one that is not above the other.
    context.set_publication_unblock_timeout_ns(LIVENESS_NS * 2)?;
    let driver = AeronDriver::new(&context)?;
    driver.start(true)?;
    Ok(driver)
}

fn client(directory: &CString) -> Result<Aeron, AeronCError> {
    let context = AeronContext::new()?;
    context.set_dir(directory)?;
    context.set_use_conductor_agent_invoker(true)?;
    let client = Aeron::new(&context)?;
    client.start()?;
    Ok(client)
}

/// What `look` finds, looking until it is there.
fn wait_for<T>(mut look: impl FnMut() -> Result<Option<T>, AeronCError>) -> Result<T, SetupError> {
    for _ in 0..LOOKS {
        if let Some(found) = look().map_err(error)? {
            return Ok(found);
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    Err(refused("aeron", "the other end did not appear"))
}

/// The publication, and what it needs, in the order in which they are closed.
pub struct Sending {
    publication: AeronExclusivePublication,
    claim: AeronBufferClaim,
    client: Aeron,
    driver: AeronDriver,
}

impl Sender for Sending {
    #[inline]
    fn try_send(&mut self, line: &Line) -> bool {
        if self.publication.try_claim(size_of::<Line>(), &self.claim).is_err() {
            // At the limit, or at the end of a term. An error of the driver's shows as a limit that stays.
            let _ = self.driver.main_do_work();
            return false;
        }
        line.write_to(self.claim.data_mut()).is_ok() && self.claim.commit().is_ok()
    }

    fn settle(&mut self) -> Result<(), SetupError> {
        wait_for(|| {
            self.driver.main_do_work()?;
            self.client.main_do_work()?;
            Ok(self.publication.is_ready().then_some(()))
        })
    }
}

/// The image, once settled, and what it needs, in the order in which they are closed.
pub struct Receiving {
    image: Option<AeronImage>,
    subscription: Option<AeronSubscription>,
    asked: AeronAsyncAddSubscription,
    client: Aeron,
}

impl Receiver for Receiving {
    #[inline]
    fn try_receive(&mut self) -> Option<Line> {
        let mut found = None;
        // Only a missing image or handler is an error, and both are there.
        let _ = self.image.as_ref()?.poll_fn(|bytes, _| found = Line::read_from_bytes(bytes).ok(), 1);
        found
    }

    #[inline(always)]
    fn drain(&mut self, on_line: &mut impl FnMut(Line)) {
        let Some(image) = &self.image else { return };
        // As above; a frame of another length is not counted, so that the stream is found to be short.
        let _ = image.poll_fn(|bytes, _| _ = Line::read_from_bytes(bytes).map(&mut *on_line), CAPACITY);
    }

    fn settle(&mut self) -> Result<(), SetupError> {
        let Self { asked, client, .. } = self;
        let subscription = wait_for(|| {
            client.main_do_work()?;
            asked.poll()
        })?;
        self.image = Some(wait_for(|| {
            client.main_do_work()?;
            Ok(subscription.image_at_index(0))
        })?);
        self.subscription = Some(subscription);
        Ok(())
    }
}

impl<T: Terms> Transport for Ipc<T> {
    const NAME: &'static str = T::NAME;
    type Sender = Sending;
    type Receiver = Receiving;

    fn open(place: &Path, channel: &str) -> Result<Openers<Self>, SetupError> {
        Ok(open_shared::<Self>(place, channel))
    }
}

impl<T: Terms> Shared for Ipc<T> {
    fn sender(place: &Path, channel: &str) -> Result<Sending, SetupError> {
        let directory = directory(place, channel)?;
        let driver = driver(&directory, T::LENGTH).map_err(error)?;
        let client = client(&directory).map_err(error)?;
        let asked = client.async_add_exclusive_publication(AERON_IPC_STREAM, STREAM).map_err(error)?;
        let publication = wait_for(|| {
            driver.main_do_work()?;
            client.main_do_work()?;
            asked.poll()
        })?;
        Ok(Sending { publication, claim: AeronBufferClaim::new_zeroed_on_stack(), client, driver })
    }

    /// Only asks for the subscription: the sender's driver answers when that is settled.
    fn receiver(place: &Path, channel: &str) -> Result<Receiving, SetupError> {
        let client = client(&directory(place, channel)?).map_err(error)?;
        let none = (Handlers::NONE, Handlers::NONE);
        let asked = client.async_add_subscription(AERON_IPC_STREAM, STREAM, none.0, none.1).map_err(error)?;
        Ok(Receiving { image: None, subscription: None, asked, client })
    }
}
