//! Enums that cross shared memory and files: integers on the wire, read back only through `TryFrom`.

/// An integer from shared memory or a file that names no value of its enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} is no {of}")]
pub struct UnknownCode {
    /// The enum.
    pub of: &'static str,
    /// The code found.
    pub code: u8,
}

/// Declares a field-less enum that crosses shared memory as a `u8`, read back only through `TryFrom`.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $code:literal => $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[repr(u8)]
        pub enum $name { $($(#[doc = $doc])+ #[serde(rename = $text)] $variant = $code),+ }

        impl $name {
            /// Every value, in code order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The name users see.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
            /// What it means: the first words of its documentation.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii()),+ }
            }
            /// The code in shared memory and journals.
            #[must_use]
            pub const fn code(self) -> u8 { self as u8 }
        }

        impl TryFrom<u8> for $name {
            type Error = $crate::wire::UnknownCode;
            fn try_from(code: u8) -> Result<Self, Self::Error> {
                match code {
                    $($code => Ok(Self::$variant),)+
                    _ => Err($crate::wire::UnknownCode { of: stringify!($name), code }),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.as_str()) }
        }
    };
}
pub(crate) use wire_enum;
