//! The few URLs that are dialled: scheme, host, port and path.

use std::fmt;
use std::str::FromStr;

/// A place to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether TLS is spoken there (`wss`, `https`).
    pub secure: bool,
    /// Whether a WebSocket is asked for (`ws`, `wss`).
    pub websocket: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port, the scheme's own where none was given.
    pub port: u16,
    /// Path and query; empty or beginning with `/`.
    pub path: String,
}

impl Url {
    /// The same place with another path behind what it has.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        Self { path: format!("{}{path}", self.path.trim_end_matches('/')), ..self.clone() }
    }

    /// Host and port as they stand in a `Host` header.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.secure) { host } else { format!("{host}:{}", self.port) }
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |why: &str| Err(format!("{text:?} is no URL: {why}"));
        let Some((scheme, rest)) = text.split_once("://") else { return refuse("it has no scheme") };
        let (secure, websocket) = match scheme {
            "ws" => (false, true),
            "wss" => (true, true),
            "http" => (false, false),
            "https" => (true, false),
            _ => return refuse("the scheme is none of ws, wss, http, https"),
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => match port.parse() {
                Ok(port) if port != 0 => (host, port),
                _ => return refuse("the port is none"),
            },
            _ => (authority, default_port(secure)),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(['@', ' ', '?', '#']) || path.contains([' ', '#']) {
            return refuse("the host is none");
        }
        Ok(Self { secure, websocket, host: host.to_owned(), port, path: path.to_owned() })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.websocket, self.secure) {
            (true, true) => "wss",
            (true, false) => "ws",
            (false, true) => "https",
            (false, false) => "http",
        };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_read_back() {
        for text in [
            "wss://stream.binance.com:9443/stream",
            "ws://127.0.0.1:5560/ws-api/v3",
            "https://api.binance.com",
            "http://[::1]:8080/x?y=1",
        ] {
            assert_eq!(text.parse::<Url>().expect("a URL").to_string(), text);
        }
        let url: Url = "wss://host:443/a/".parse().expect("a URL");
        assert_eq!((url.to_string().as_str(), url.secure), ("wss://host/a/", true));
        assert_eq!(url.join("/b?c").to_string(), "wss://host/a/b?c");
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_by_name() {
        for bad in
            ["", "host:80", "ftp://x", "ws://", "ws://:80", "ws://h:0", "ws://h:x", "ws://u@h", "ws://h/a b"]
        {
            let error = bad.parse::<Url>().expect_err("refused");
            assert!(error.starts_with(&format!("{bad:?} is no URL")), "{error}");
        }
    }
}
