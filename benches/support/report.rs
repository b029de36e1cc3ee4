//! Numbers as text, results as JSON.

use serde_json::{Value, json};

use super::spread::Spread;
use super::timing::Outcome;

pub use super::json::write_json;

/// Three significant digits under a letter: 1.23 k, 45.6 M.
pub fn short(number: f64) -> String {
    let (scaled, letter) = match number {
        n if n >= 1e9 => (n / 1e9, " G"),
        n if n >= 1e6 => (n / 1e6, " M"),
        n if n >= 1e3 => (n / 1e3, " k"),
        n => (n, ""),
    };
    let decimals = if scaled >= 99.95 {
        0
    } else if scaled >= 9.995 {
        1
    } else {
        2
    };
    format!("{scaled:.decimals$}{letter}")
}

/// Median and quartiles of the records per second, or why there are none.
pub fn records_per_s(outcome: &Outcome, n_records: usize) -> String {
    let rate = |seconds: f64| short(n_records as f64 / seconds);
    match outcome {
        Outcome::Measured(spread) => {
            format!("{} ({} to {})", rate(spread.median_s), rate(spread.upper_s), rate(spread.lower_s))
        }
        Outcome::Skipped { estimate_s } => format!("skipped: {estimate_s:.1} s a call"),
        Outcome::Failed(error) => format!("failed: {error}"),
    }
}

pub fn giga_per_s(outcome: &Outcome, amount: f64) -> String {
    outcome.spread().map_or_else(String::new, |spread| format!("{:.2}", amount / spread.median_s / 1e9))
}

pub fn outcome_json(outcome: &Outcome, n_records: usize, flop: f64, bytes: f64) -> Value {
    match outcome {
        Outcome::Measured(Spread { lower_s, median_s, upper_s, n_calls }) => json!({
            "records_per_s": n_records as f64 / median_s,
            "records_per_s_quartiles": [n_records as f64 / upper_s, n_records as f64 / lower_s],
            "gflop_per_s": flop / median_s / 1e9,
            "gb_per_s": bytes / median_s / 1e9,
            "calls": n_calls,
        }),
        Outcome::Skipped { estimate_s } => json!({ "skipped": true, "call_s_estimate": estimate_s }),
        Outcome::Failed(error) => json!({ "failed": error }),
    }
}
