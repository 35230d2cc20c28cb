//! The one socket option that the `zmq` crate does not name.

/// Sets `ZMQ_XPUB_NODROP`: whether a send that some matching subscriber has no room for fails as a whole, instead of
/// leaving that subscriber out without a word.
///
/// # Errors
/// What libzmq says.
#[allow(unsafe_code)]
pub fn set_no_drop(socket: &mut zmq::Socket, on: bool) -> Result<(), zmq::Error> {
    let value = i32::from(on);
    let option = i32::try_from(zmq_sys::ZMQ_XPUB_NODROP).unwrap_or(i32::MAX);
    // SAFETY: the pointer is that of a socket that we hold by `&mut`, so it is open and no other thread uses it; the
    // value is a live `i32` and its size is what is passed, as zmq_setsockopt(3) asks for this option.
    let code = unsafe {
        zmq_sys::zmq_setsockopt(
            socket.as_mut_ptr(),
            option,
            std::ptr::from_ref(&value).cast(),
            size_of::<i32>(),
        )
    };
    if code == 0 {
        return Ok(());
    }
    // libzmq leaves its reason where the operating system's own calls leave theirs.
    let reason = std::io::Error::last_os_error().raw_os_error();
    Err(reason.map_or(zmq::Error::EFAULT, zmq::Error::from_raw))
}
