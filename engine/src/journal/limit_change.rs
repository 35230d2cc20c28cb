//! The payload of a changed limit (C29).

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::journal::payload::{clip, text};
use crate::journal::record::{Payload, RecordKind};

/// A limit was changed while the engine ran. Written by risk alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct LimitChange {
    key: [u8; 62],
    value: [u8; 24],
    key_length: u8,
    value_length: u8,
}

impl Payload for LimitChange {
    const KIND: RecordKind = RecordKind::Limit;
}

impl LimitChange {
    /// Limit `key` holds `value` from now on.
    #[must_use]
    pub fn new(key: &str, value: &str) -> Self {
        let ((key, key_length), (value, value_length)) = (clip(key), clip(value));
        Self { key, value, key_length, value_length }
    }

    /// The limit's key.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        text(&self.key, self.key_length)
    }

    /// Its value.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        text(&self.value, self.value_length)
    }
}
