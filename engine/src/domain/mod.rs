//! The domain: instruments, prices, quantities, order identity and time. Integers only.

pub mod time;
pub mod interval;
pub mod decimal;
pub mod quantity;
pub mod side;
pub mod order_id;
pub mod grid;
pub mod filters;
pub mod symbol;
pub mod instrument;

pub use decimal::{Decimal, DecimalError, Scale};
pub use filters::{Filters, Grids, NotionalFilter, QuantityFilter};
pub use grid::Grid;
pub use instrument::{Instrument, InstrumentIndex, InstrumentKind, Instruments, Market};
pub use interval::Interval;
pub use order_id::{OrderId, SourceId};
pub use quantity::{Price, Quantity};
pub use side::{BySide, Liquidity, OrderType, SelfTrade, Side, TimeInForce, makes_pair};
pub use symbol::Symbol;
pub use time::Nanos;
