//! Counts of HTTP requests, with bounded labels.

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

/// Methods that are told apart; any other is `other`.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Upper bounds of a request's duration, in seconds.
const BOUNDS: [f64; 12] = [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.5, 1.0];

/// Counters of one service's requests.
#[derive(Clone)]
pub struct Requests {
    service: String,
    total: IntCounterVec,
    durations: HistogramVec,
}

impl Requests {
    /// Counters of `service`, in `registry`. Status 500 and the durations are there from the start for every path of
    /// `paths`, so that a query for either never comes back empty.
    ///
    /// # Errors
    /// When the registry has them already.
    pub fn new(service: &str, paths: &[&str], registry: &Registry) -> Result<Self, prometheus::Error> {
        let labels = ["service", "method", "path", "status"];
        let total = IntCounterVec::new(Opts::new("http_requests_total", "HTTP requests answered."), &labels)?;
        let options = HistogramOpts::new("http_request_duration_seconds", "Time to answer an HTTP request.");
        let durations = HistogramVec::new(options.buckets(BOUNDS.into()), &labels[..3])?;
        registry.register(Box::new(total.clone()))?;
        registry.register(Box::new(durations.clone()))?;
        for path in paths {
            total.with_label_values(&[service, "GET", path, "500"]);
            durations.with_label_values(&[service, "GET", path]);
        }
        Ok(Self { service: service.to_owned(), total, durations })
    }

    /// Counts a request to the route `path`, answered with `status` after `seconds`.
    pub fn count(&self, method: &str, path: &str, status: u16, seconds: f64) {
        let method = METHODS.iter().find(|known| **known == method).copied().unwrap_or("other");
        self.total
            .with_label_values(&[self.service.as_str(), method, path, status.to_string().as_str()])
            .inc();
        self.durations.with_label_values(&[self.service.as_str(), method, path]).observe(seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::TextEncoder;

    #[test]
    fn errors_and_durations_are_there_before_the_first() {
        let registry = Registry::new();
        let requests = Requests::new("market_data", &["/health"], &registry).expect("registered");
        let text = || TextEncoder::new().encode_to_string(&registry.gather()).expect("text");
        let none = text();
        let request = "{method=\"GET\",path=\"/health\",service=\"market_data\"";
        for (name, rest) in [("count", "} 0"), ("sum", "} 0"), ("bucket", ",le=\"+Inf\"} 0")] {
            let line = format!("http_request_duration_seconds_{name}{request}{rest}");
            assert!(none.lines().any(|found| found == line), "{line} in {none}");
        }
        requests.count("BREW", "/health", 405, 0.002);
        let text = text();
        let errors =
            "http_requests_total{method=\"GET\",path=\"/health\",service=\"market_data\",status=\"500\"} 0";
        assert!(text.contains(errors), "{text}");
        assert!(text.contains("method=\"other\",path=\"/health\",service=\"market_data\",status=\"405\"} 1"));
    }
}
