//! Gauss-Legendre quadrature: a smooth function and an interval → its integral.

/// Integrates polynomials up to degree 2·NODES − 1 exactly.
const NODES: usize = 32;

/// Nodes and weights on [−1, 1].
pub(super) struct Quadrature([(f64, f64); NODES]);

impl Quadrature {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(node))
    }

    /// ∫ f from 0 to `end`.
    pub(super) fn integral(&self, end: f64, f: impl Fn(f64) -> f64) -> f64 {
        let half = end / 2.0;
        half * self.0.iter().map(|(x, weight)| weight * f(half * (1.0 + x))).sum::<f64>()
    }
}

/// Root `idx` of the Legendre polynomial P of degree NODES with its weight 2/((1 − x²)·P′(x)²), by Newton's method.
fn node(idx: usize) -> (f64, f64) {
    /// Digits double with each step from Tricomi's estimate, which has three.
    const STEPS: usize = 5;
    let angle = std::f64::consts::PI * (idx as f64 + 0.75) / (NODES as f64 + 0.5);
    let mut x = angle.cos();
    for _ in 0..STEPS {
        let (value, slope) = legendre(x);
        x -= value / slope;
    }
    let (_, slope) = legendre(x);
    (x, 2.0 / ((1.0 - x * x) * slope * slope))
}

/// P(x) and P′(x), by Bonnet's recursion.
fn legendre(x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for degree in 2..=NODES {
        let n = degree as f64;
        (before, value) = (value, ((2.0 * n - 1.0) * x * value - (n - 1.0) * before) / n);
    }
    (value, NODES as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_and_exponentials_are_integrated_to_rounding() {
        let quadrature = Quadrature::new();
        for degree in [0, 1, 7, 40, 2 * NODES as i32 - 1] {
            let exact = 0.5_f64.powi(degree + 1) / f64::from(degree + 1);
            let relative = quadrature.integral(0.5, |t| t.powi(degree)) / exact - 1.0;
            assert!(relative.abs() < 1e-13, "degree {degree}: {relative:e}");
        }
        assert!((quadrature.integral(1.0, |t| (3.0 * t).exp()) - 3_f64.exp_m1() / 3.0).abs() < 1e-14);
    }
}
