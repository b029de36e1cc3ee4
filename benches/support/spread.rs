//! Seconds of many calls → median and quartiles.

/// Seconds of one call: quartiles over all calls.
#[derive(Clone, Copy)]
pub struct Spread {
    pub lower_s: f64,
    pub median_s: f64,
    pub upper_s: f64,
    pub n_calls: usize,
}

impl Spread {
    pub fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let at = |share: f64| seconds[((seconds.len() - 1) as f64 * share).round() as usize];
        Self { lower_s: at(0.25), median_s: at(0.5), upper_s: at(0.75), n_calls: seconds.len() }
    }
}
