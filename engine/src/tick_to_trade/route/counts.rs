//! What route counts.

use crate::counters::counter_set;

counter_set! {
    /// What route counted since it started. Written by route alone.
    RouteCounters {
        /// New orders sent.
        sent,
        /// Cancels sent, of one order or of all.
        cancels,
        /// Amendments sent.
        amends,
        /// New orders among those sent that took the place of another.
        replaces,
        /// Pairs sent of which one order cancels the other; each of both is among those sent.
        pairs,
        /// Orders refused before sending: halted, expired, or the connection took none.
        withheld,
        /// Events taken from the venue.
        events,
        /// Fills applied.
        fills,
        /// Events that repeated or contradicted what was known (F10, F11).
        stale,
        /// Events for orders that are not ours, or long forgotten.
        foreign,
        /// Open orders of earlier epochs that the venue told of.
        adopted,
        /// Orders that became UNKNOWN.
        unknown,
        /// Orders revived after they were thought never to have lived (F04).
        revived,
        /// Fills refused because they exceed the order.
        overfills,
        /// Queries sent.
        queries,
        /// Times that the connection was lost.
        disconnects,
        /// Times that what happened without a connection was settled, and trading went on.
        reconciled,
        /// Times that the venue asked for a pause (429) or banned us (418).
        throttled,
        /// Orders that risk did not approve (C27).
        unapproved,
        /// Approved orders that a restart found unsent: dropped and reported.
        dropped,
        /// How its process's journals are (C25): a code of `JournalState`.
        journal_state,
    }
}
