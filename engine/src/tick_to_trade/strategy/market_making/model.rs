//! The two formulas of M. Avellaneda and S. Stoikov, *High-frequency trading in a limit order book*, Quantitative
//! Finance 8(3), 2008, 217–224: reservation price `r = s − q γ σ² (T − t)` and total spread
//! `γ σ² (T − t) + (2/γ) ln(1 + γ/κ)`.
//!
//! A market that never closes has no `T`: `T − t` is held at a horizon `τ`, as if the inventory had to be gone that
//! far from now, always. (That is the finite formula with a rolling horizon, not the paper's own infinite-horizon
//! variant, which needs a bound on the inventory instead.)
//!
//! The paper's units are free. Here a price is in basis points of the mid price and `q` counts orders, so that one set
//! of parameters means the same on every instrument, spot, linear or inverse.
#![allow(clippy::float_arithmetic)]

/// How far the reservation price is from the mid with `inventory` orders held: `−q γ σ² τ`, in basis points.
#[must_use]
pub fn skew(inventory: f64, gamma: f64, variance: f64, horizon: f64) -> f64 {
    -inventory * gamma * variance * horizon
}

/// Half of the spread around the reservation price: `γ σ² τ / 2 + ln(1 + γ/κ) / γ`, in basis points.
#[must_use]
pub fn half_spread(gamma: f64, kappa: f64, variance: f64, horizon: f64) -> f64 {
    // `log1p` keeps its precision where γ is small against κ; the term tends to 1/κ.
    gamma * variance * horizon / 2.0 + libm::log1p(gamma / kappa) / gamma
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formulas_give_the_values_worked_out_by_hand() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        // -2 * 0.1 * 4 * 5 and 0.1 * 4 * 5 / 2 + ln(1.2) / 0.1.
        close(skew(2.0, 0.1, 4.0, 5.0), -4.0);
        close(half_spread(0.1, 0.5, 4.0, 5.0), 1.0 + 1.823_215_567_939_546);
        // The paper's own parameters: gamma 0.1, kappa 1.5, sigma 2, T - t 1 give a spread of 1.4908 in all.
        close(2.0 * half_spread(0.1, 1.5, 4.0, 1.0), 0.4 + 20.0 * 0.064_538_521_137_571_2);
        // As gamma falls, the half spread tends to 1 / kappa.
        assert!((half_spread(1e-9, 0.5, 4.0, 5.0) - 2.0).abs() < 1e-6);
    }

    #[test]
    fn the_spread_grows_with_volatility_and_risk_aversion() {
        for (gamma, variance) in [(0.1, 4.0), (1.0, 4.0), (0.1, 40.0)] {
            let base = half_spread(gamma, 2.0, variance, 10.0);
            assert!(half_spread(gamma * 1.5, 2.0, variance, 10.0) > base);
            assert!(half_spread(gamma, 2.0, variance * 1.5, 10.0) > base);
            assert!(
                half_spread(gamma, 3.0, variance, 10.0) < base,
                "fills that thin out faster bring quotes in"
            );
        }
    }
}
