//! User data: who listens to which account, on which connection (binance.md §7).

use std::collections::BTreeMap;

use engine::domain::Nanos;
use engine::venue::exchange::AccountIndex;

use super::super::failure::Failure;
use super::super::method::Method;
use super::super::render::TimeUnit;
use super::{Call, Connection, Desk, Out};

/// Active subscriptions of one connection.
const ACTIVE_MAX: usize = 1_000;
/// Subscriptions over the life of one connection.
const LIFETIME_MAX: u32 = 65_535;

/// A subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) connection: Connection,
    pub(super) id: u32,
    /// In what times are told.
    pub(super) unit: TimeUnit,
    /// Made by a session, so that it ends with it.
    by_session: bool,
}

/// All subscriptions.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    by_account: BTreeMap<AccountIndex, Vec<Listener>>,
    made: BTreeMap<Connection, u32>,
}

impl Listeners {
    pub(super) fn of(&self, account: AccountIndex) -> &[Listener] {
        self.by_account.get(&account).map_or(&[], Vec::as_slice)
    }

    pub(super) fn close(&mut self, connection: Connection) {
        self.made.remove(&connection);
        self.remove(|listener| listener.connection == connection);
    }

    fn on(&self, connection: Connection) -> impl Iterator<Item = (AccountIndex, &Listener)> {
        let all = self.by_account.iter().flat_map(|(account, them)| them.iter().map(|one| (*account, one)));
        all.filter(move |(_, listener)| listener.connection == connection)
    }

    fn remove(&mut self, which: impl Fn(&Listener) -> bool) -> Vec<Listener> {
        let mut removed = Vec::new();
        for listeners in self.by_account.values_mut() {
            removed.extend(listeners.iter().filter(|listener| which(listener)));
            listeners.retain(|listener| !which(listener));
        }
        self.by_account.retain(|_, listeners| !listeners.is_empty());
        removed
    }
}

impl Desk {
    pub(super) fn about_listening(&mut self, call: &Call, now: Nanos) -> Result<String, Failure> {
        let connection = call.connection;
        match call.method {
            Method::UserUnsubscribe => {
                let id = call.params.integer("subscriptionId")?.and_then(|id| u32::try_from(id).ok());
                let one = |listener: &Listener| {
                    listener.connection == connection && id.is_none_or(|id| listener.id == id)
                };
                let removed = self.listeners.remove(one);
                if removed.is_empty() {
                    return Err(Failure::new(-2036, "Invalid subscription ID."));
                }
                self.terminate(&removed, now);
                Ok("{}".to_owned())
            }
            Method::Subscriptions => {
                let shown = self
                    .listeners
                    .on(connection)
                    .map(|(_, one)| format!("{{\"subscriptionId\":{}}}", one.id));
                Ok(super::super::render::list(shown))
            }
            Method::SessionLogout => {
                let by_session =
                    |listener: &Listener| listener.connection == connection && listener.by_session;
                let removed = self.listeners.remove(by_session);
                self.terminate(&removed, now);
                Ok(super::super::connection::session_json(None, now))
            }
            _ => self.listen(call),
        }
    }

    /// Tells listeners that nothing comes to them any more.
    fn terminate(&mut self, removed: &[Listener], now: Nanos) {
        for listener in removed {
            let ended = format!(
                "{{\"subscriptionId\":{},\"event\":{{\"e\":\"eventStreamTerminated\",\"E\":{}}}}}",
                listener.id,
                listener.unit.show(now)
            );
            self.send(listener.connection, Out::Frame(ended.into()));
        }
    }

    fn listen(&mut self, call: &Call) -> Result<String, Failure> {
        let account = Self::owner(call)?;
        let connection = call.connection;
        if self.listeners.on(connection).any(|(other, _)| other == account) {
            return Err(Failure::new(-2035, "Subscription already active in this connection."));
        }
        if self.listeners.on(connection).count() >= ACTIVE_MAX {
            return Err(Failure::new(-2035, "Too many subscriptions on this connection."));
        }
        let made = self.listeners.made.entry(connection).or_insert(0);
        if *made >= LIFETIME_MAX {
            return Err(Failure::new(-2035, "Too many subscriptions in the life of this connection."));
        }
        let id = *made;
        *made += 1;
        let by_session = call.method == Method::UserSubscribe;
        self.listeners.by_account.entry(account).or_default().push(Listener {
            connection,
            id,
            unit: call.unit,
            by_session,
        });
        Ok(format!("{{\"subscriptionId\":{id}}}"))
    }
}
