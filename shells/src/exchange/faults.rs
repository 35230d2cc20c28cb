//! Faults on request, each reproducible: what goes wrong, where, how often. Names of `reliability.md` (F01 …) are
//! accepted where they mean one of these.

use std::fmt::Write;

use engine::domain::Nanos;

use super::json::text;
use super::method::Method;
use super::params::Params;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $text:literal $($alias:literal)*),+ $(,)?) => {
        /// What goes wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $name),+ }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// By its name, or one of `reliability.md`.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name { $($text $(| $alias)* => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

kinds! {
    /// The request acts; its answer never comes.
    LostAck "lost-ack" "F01" "F02",
    /// Its answer comes `ms` later.
    DelayedAck "delayed-ack",
    /// The request never acts, and no answer comes.
    LostRequest "lost-request" "F03",
    /// The request acts `ms` later, and no answer comes.
    DelayedRequest "delayed-request" "F04",
    /// HTTP `status` (503 without one); the request acts unless `executed=false`.
    ServerError "server-error",
    /// -1006; the request acts unless `executed=false`.
    UnexpectedResponse "unexpected-response",
    /// -1007; the request acts unless `executed=false`.
    Timeout "timeout",
    /// 429 with `Retry-After` of `ms`.
    TooManyRequests "too-many-requests" "F06",
    /// 418, for `ms` from now on.
    Banned "banned",
    /// User events come before the answer to the request that caused them.
    ReportBeforeAck "report-before-ack" "F13",
    /// A frame is left out.
    DroppedFrame "dropped-frame",
    /// A frame comes twice.
    DuplicateFrame "duplicate-frame",
    /// A frame comes after the next one.
    ReorderedFrame "reordered-frame",
    /// A frame comes `ms` later.
    DelayedFrame "delayed-frame",
    /// A depth diff is left out: the next one does not follow.
    SequenceGap "sequence-gap",
    /// Nothing but pings comes, for `ms` or until it is cleared.
    SilentStream "silent-stream" "F16",
    /// A user event comes twice.
    DuplicateReport "duplicate-report" "F11",
    /// The NEW report of an order comes again after the report that ended it.
    StaleReport "stale-report" "F10",
    /// A cancelled order has traded just before, and that is told after the cancel.
    FillAfterCancel "fill-after-cancel" "F09",
    /// The connection stays, and nothing comes or is heard any more.
    HalfOpen "half-open",
    /// The connection is cut after `bytes` more bytes.
    Disconnect "disconnect" "F17",
    /// The WebSocket API's connections are closed, and so is every new one; REST and streams stay.
    NoWebSocketApi "no-websocket-api",
    /// Every WebSocket is closed, as after 24 hours. At once.
    DayCut "day-cut",
    /// `serverShutdown` is announced, and every WebSocket closed `ms` later. At once.
    ServerShutdown "server-shutdown",
    /// The exchange's clock is moved by `ms`, from now on. At once.
    ClockSkew "clock-skew" "F22",
}

impl Kind {
    /// Whether it happens to requests; else to frames, or at once.
    #[must_use]
    pub const fn is_of_requests(self) -> bool {
        matches!(
            self,
            Self::LostAck
                | Self::DelayedAck
                | Self::LostRequest
                | Self::DelayedRequest
                | Self::ServerError
                | Self::UnexpectedResponse
                | Self::Timeout
                | Self::TooManyRequests
                | Self::Banned
                | Self::ReportBeforeAck
                | Self::FillAfterCancel
        )
    }

    /// Whether it happens the moment it is asked for.
    #[must_use]
    pub const fn is_at_once(self) -> bool {
        matches!(self, Self::DayCut | Self::ServerShutdown | Self::ClockSkew)
    }
}

/// A fault that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// Only these requests.
    pub method: Option<Method>,
    /// Only streams whose name holds this; `user` is user data.
    pub stream: Option<String>,
    /// How often still; `None` for always.
    pub count: Option<u64>,
    /// How many first pass unharmed.
    pub skip: u64,
    /// How likely, in millionths.
    pub chance: u32,
    /// Its time.
    pub span: Nanos,
    /// Its bytes.
    pub bytes: usize,
    /// Its HTTP status.
    pub status: u16,
    /// Whether the request acts all the same.
    pub executed: bool,
    /// How often it has happened.
    pub hits: u64,
    /// Since when a silence lasts.
    pub silent_since: Option<Nanos>,
}

impl Fault {
    /// Reads `fault=NAME` and its parameters.
    ///
    /// # Errors
    /// When a name or value means nothing; the reason names it.
    pub fn read(params: &Params) -> Result<Self, String> {
        const NAMES: [&str; 10] =
            ["fault", "method", "stream", "count", "skip", "chance", "ms", "bytes", "status", "executed"];
        if let Some(unknown) = params.names().find(|name| !NAMES.contains(name)) {
            return Err(format!("{unknown}: no such parameter of a fault"));
        }
        let name = params.get("fault").ok_or("fault: a name expected")?;
        let kind = Kind::named(name).ok_or_else(|| format!("fault={name}: no such fault"))?;
        let number = |name: &str, usual: i64| match params.get(name) {
            None => Ok(usual),
            Some(text) => text.parse().map_err(|_| format!("{name}={text}: a whole number expected")),
        };
        let whole = |name: &str, usual: i64| {
            u64::try_from(number(name, usual)?).map_err(|_| format!("{name}: it cannot be negative"))
        };
        let method = params
            .get("method")
            .map(|name| Method::by_name(name).ok_or_else(|| format!("method={name}: no such request")))
            .transpose()?;
        let executed = match params.get("executed") {
            None | Some("true") => true,
            Some("false") => false,
            Some(text) => return Err(format!("executed={text}: true or false expected")),
        };
        let count = params.get("count").map(|_| whole("count", 0)).transpose()?;
        Ok(Self {
            kind,
            method,
            stream: params.get("stream").map(str::to_owned),
            count,
            skip: whole("skip", 0)?,
            chance: u32::try_from(whole("chance", 1_000_000)?).map_err(|_| "chance: at most 1000000")?,
            span: Nanos(number("ms", 0)?.saturating_mul(1_000_000)),
            bytes: usize::try_from(whole("bytes", 0)?).unwrap_or(usize::MAX),
            status: u16::try_from(whole("status", 503)?).map_err(|_| "status: no HTTP status")?,
            executed,
            hits: 0,
            silent_since: None,
        })
    }

    /// Reads the same as it is written on the command line: `NAME,name=value,…`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_flag(flag: &str) -> Result<Self, String> {
        let query = format!("fault={}", flag.replace(',', "&"));
        let params = Params::of_form(&query, "").map_err(|failure| failure.message.into_owned())?;
        Self::read(&params)
    }

    fn concerns_stream(&self, stream: &str) -> bool {
        self.stream.as_ref().is_none_or(|wanted| stream.contains(wanted.as_str()))
    }
}

/// All faults, and the draws that decide about them.
#[derive(Debug)]
pub struct Faults {
    active: Vec<Fault>,
    draws: u64,
}

impl Faults {
    /// Those of the start; `seed` decides what happens by chance.
    #[must_use]
    pub const fn new(active: Vec<Fault>, seed: u64) -> Self {
        Self { active, draws: seed }
    }

    /// Adds one.
    pub fn add(&mut self, fault: Fault) {
        self.active.push(fault);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.active.clear();
    }

    /// A fault that happens to this request now.
    pub fn on_request(&mut self, method: Method) -> Option<Fault> {
        self.hit(|fault| fault.kind.is_of_requests() && fault.method.is_none_or(|only| only == method))
    }

    /// Whether a connection of the WebSocket API is closed now.
    pub fn on_api(&mut self) -> bool {
        self.hit(|fault| fault.kind == Kind::NoWebSocketApi).is_some()
    }

    /// A fault of the connection that happens with this request now.
    pub fn on_connection(&mut self, method: Method) -> Option<Fault> {
        self.hit(|fault| {
            matches!(fault.kind, Kind::HalfOpen | Kind::Disconnect) && fault.method == Some(method)
        })
    }

    /// A fault that happens to this frame now. `user` is the stream of user data.
    pub fn on_frame(&mut self, stream: &str, now: Nanos) -> Option<Fault> {
        if self.active.is_empty() {
            return None;
        }
        let user = stream == "user";
        let silence = |fault: &&mut Fault| fault.kind == Kind::SilentStream && fault.concerns_stream(stream);
        if let Some(silence) = self.active.iter_mut().find(silence) {
            let since = *silence.silent_since.get_or_insert(now);
            if silence.span <= Nanos::ZERO || now.0 - since.0 < silence.span.0 {
                silence.hits += 1;
                return Some(silence.clone());
            }
        }
        self.hit(|fault| {
            fault.concerns_stream(stream)
                && match fault.kind {
                    Kind::DuplicateReport | Kind::StaleReport => user,
                    Kind::SequenceGap => stream.contains("@depth") && !user,
                    Kind::HalfOpen | Kind::Disconnect => fault.method.is_none(),
                    Kind::DroppedFrame | Kind::DuplicateFrame | Kind::ReorderedFrame | Kind::DelayedFrame => {
                        true
                    }
                    _ => false,
                }
        })
    }

    fn hit(&mut self, concerns: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let Self { active, draws } = self;
        for fault in active.iter_mut().filter(|fault| fault.count != Some(0) && concerns(fault)) {
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if fault.chance < 1_000_000 && draw(draws) % 1_000_000 >= u64::from(fault.chance) {
                continue;
            }
            fault.count = fault.count.map(|count| count - 1);
            fault.hits += 1;
            return Some(fault.clone());
        }
        None
    }

    /// All of them as JSON, with how often each has happened.
    #[must_use]
    pub fn json(&self) -> String {
        let mut out = String::from("[");
        for (at, fault) in self.active.iter().enumerate() {
            let left = fault.count.map_or("null".to_owned(), |count| count.to_string());
            let method = fault.method.map_or("null".to_owned(), |method| text(method.name()).to_string());
            let stream = fault.stream.as_ref().map_or("null".to_owned(), |name| text(name).to_string());
            // Writing to a string does not fail.
            let _ = write!(
                out,
                "{}{{\"fault\":\"{}\",\"method\":{method},\"stream\":{stream},\"left\":{left},\"hits\":{}}}",
                if at > 0 { "," } else { "" },
                fault.kind.name(),
                fault.hits
            );
        }
        out.push(']');
        out
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub const fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_or_refused_by_name() {
        let fault = Fault::read_flag("lost-ack,method=order.place,count=2,skip=1").expect("a fault");
        assert_eq!(
            (fault.kind, fault.method, fault.count, fault.skip),
            (Kind::LostAck, Some(Method::OrderPlace), Some(2), 1)
        );
        assert_eq!(Fault::read_flag("F09").map(|fault| fault.kind), Ok(Kind::FillAfterCancel));
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Some(*kind));
        }
        for bad in [
            "nothing",
            "lost-ack,method=fly",
            "lost-ack,count=-1",
            "lost-ack,often=1",
            "timeout,executed=perhaps",
        ] {
            assert!(Fault::read_flag(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let pattern = |seed| -> Vec<bool> {
            let fault = Fault::read_flag("dropped-frame,chance=300000").expect("a fault");
            let mut faults = Faults::new(vec![fault], seed);
            (0..200).map(|_| faults.on_frame("btcusdt@trade", Nanos::ZERO).is_some()).collect()
        };
        assert_eq!(pattern(7), pattern(7));
        assert_ne!(pattern(7), pattern(8));
        let hits = pattern(7).iter().filter(|hit| **hit).count();
        assert!((30..90).contains(&hits), "{hits} of 200 at 30 %");
    }

    #[test]
    fn counts_and_filters_hold() {
        let mut faults = Faults::new(Vec::new(), 1);
        faults.add(Fault::read_flag("lost-ack,method=order.place,skip=1,count=1").expect("a fault"));
        let hit = |faults: &mut Faults, method| faults.on_request(method).is_some();
        assert!(!hit(&mut faults, Method::OrderCancel) && !hit(&mut faults, Method::OrderPlace));
        assert!(hit(&mut faults, Method::OrderPlace) && !hit(&mut faults, Method::OrderPlace));
        assert!(!faults.on_api());
        faults.add(Fault::read_flag("no-websocket-api,count=1").expect("a fault"));
        assert!(faults.on_api() && !faults.on_api() && faults.on_request(Method::OrderCancel).is_none());
        faults.add(Fault::read_flag("sequence-gap,stream=eth").expect("a fault"));
        assert!(faults.on_frame("btcusdt@depth@100ms", Nanos::ZERO).is_none());
        assert!(faults.on_frame("ethusdt@trade", Nanos::ZERO).is_none());
        assert!(faults.on_frame("ethusdt@depth@100ms", Nanos::ZERO).is_some());
        assert!(faults.json().contains("\"hits\":1"));
    }
}
