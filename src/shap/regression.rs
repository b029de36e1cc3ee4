//! Around the product: values → what the operator multiplies, and its result → attributions that add up.

use super::coalitions::Coalitions;

/// What the operator multiplies, one element per pair: v(z) − v(complement) − Δ·(2|z| − M)/M, in float64.
/// `values` holds the pairs' representatives, then their complements: `[2 × n_pairs]`.
pub fn differences(coalitions: &Coalitions, values: &[f64], delta: f64) -> Vec<f64> {
    let (present, absent) = values.split_at(coalitions.n_pairs());
    let m = coalitions.n_players as f64;
    let trend = |pair_idx| delta * (2.0 * coalitions.size(pair_idx) as f64 - m) / m;
    let pairs = present.iter().zip(absent).enumerate();
    pairs.map(|(pair_idx, (present, absent))| present - absent - trend(pair_idx)).collect()
}

/// A column in float32 under a power of two, so that neither large nor tiny values leave float32's range.
pub struct Scaled {
    pub column: Vec<f32>,
    pub scale: f64,
}

impl Scaled {
    /// The scale is exact: it only moves exponents.
    pub fn of(column: &[f64]) -> Self {
        let largest = column.iter().fold(0.0_f64, |largest, element| largest.max(element.abs()));
        let scale = if largest > 0.0 { largest.log2().floor().clamp(-1000.0, 1000.0).exp2() } else { 1.0 };
        Self { column: column.iter().map(|&element| (element / scale) as f32).collect(), scale }
    }

    /// The product of the scaled column, on the scale of the values.
    pub fn restore(&self, product: &[f32]) -> Vec<f64> {
        product.iter().map(|&element| f64::from(element) * self.scale).collect()
    }
}

/// φ = Δ/M + product, with what rounding took from the sum given back evenly: Σφ = Δ.
pub fn attributions(product: &[f64], delta: f64) -> Vec<f64> {
    let m = product.len() as f64;
    let mut phi: Vec<f64> = product.iter().map(|&element| delta / m + element).collect();
    let missing = (delta - phi.iter().sum::<f64>()) / m;
    phi.iter_mut().for_each(|attribution| *attribution += missing);
    phi
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_keeps_tiny_and_huge_columns() {
        for largest in [1e-300, 1e-40, 1.0, 3e30, 1e300] {
            let scaled = Scaled::of(&[largest, -largest / 3.0, 0.0]);
            let back = scaled.restore(&scaled.column);
            assert!((back[0] / largest - 1.0).abs() < 1e-7, "{largest}: {back:?}");
            assert!((back[1] / largest + 1.0 / 3.0).abs() < 1e-7, "{largest}: {back:?}");
        }
        assert_eq!(Scaled::of(&[0.0, 0.0]).scale, 1.0);
    }

    #[test]
    fn attributions_add_up_whatever_the_product_lost() {
        let phi = attributions(&[0.1, -0.3, 0.7], 2.0);
        assert!((phi.iter().sum::<f64>() - 2.0).abs() < 1e-15);
    }
}
