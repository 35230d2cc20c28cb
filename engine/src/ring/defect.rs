//! Why a ring is not to be believed: what its reader finds when it looks, between its cycles.

/// What no producer that keeps to the protocol leaves behind. There is no way back but another file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// The file was truncated; its reader sees zeros now.
    #[error("was cut short while it was read")]
    CutShort,
    /// A message stands where it cannot: one that was not read is overwritten, or its number belongs elsewhere.
    #[error("holds what no producer leaves there")]
    Impossible,
}
