//! The messages between the agents, one file a hop: ingest –[`Tick`]→ strategy –[`Intent`]→ risk –[`Order`]→ route
//! –[`Report`]→ risk and strategy; and what a venue says to route, [`Answer`].
//!
//! Every message is `#[repr(C)]`, has no padding, holds integers only (enums are codes, read back through
//! `TryFrom`), and any bit pattern is a valid value: the reader copies once, then validates the copy. The golden
//! layout test pins every offset.

pub mod tick;
pub mod intent;
pub mod order;
pub mod report;
pub mod answer;
pub mod command;

pub use answer::Answer;
pub use intent::{Intent, IntentKind};
pub use order::{Order, SealedOrder};
pub use report::{OrderState, Report, ReportKind};
pub use tick::{Tick, TickKind};
