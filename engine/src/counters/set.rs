//! Sets of counters: plain fields on the hot path, with their names for whoever reads them.

/// Declares a struct of `u64` counters that knows its fields by name and in order.
macro_rules! counter_set {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$doc])* pub $field: u64),+ }

        impl $name {
            /// Names of the counters.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($field)),+];

            /// Values of the counters, in the order of their names.
            #[must_use]
            pub fn to_array(self) -> [u64; Self::NAMES.len()] {
                [$(self.$field),+]
            }
        }
    };
}
pub(crate) use counter_set;
