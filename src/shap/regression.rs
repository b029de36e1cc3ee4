//! Around the product: values → what the operator multiplies, and its result → attributions that add up.

use super::coalitions::Coalitions;

/// What the operator multiplies, one element per pair: v(z) − v(complement) − Δ·(2|z| − M)/M, in float64.
/// `values` holds the pairs' representatives, then their complements: `[2 × n_pairs]`.
pub fn differences(coalitions: &Coalitions, values: &[f64], delta: f64) -> Vec<f64> {
    let (present, absent) = values.split_at(coalitions.n_pairs());
    let m = coalitions.n_players;
    let trends: Vec<f64> = (0..=m).map(|size| delta * (2.0 * size as f64 - m as f64) / m as f64).collect();
    let pairs = present.iter().zip(absent).zip(coalitions.sizes());
    pairs.map(|((present, absent), &size)| present - absent - trends[size as usize]).collect()
}

/// A column in float32, divided by a power of two, and that power: neither large nor tiny values leave float32's
/// range, and nothing is rounded but the elements.
pub fn scaled(column: &[f64]) -> (Vec<f32>, f64) {
    let largest = largest_magnitude(column);
    let scale = if largest > 0.0 { largest.log2().floor().clamp(-1000.0, 1000.0).exp2() } else { 1.0 };
    let inverse = 1.0 / scale;
    (column.iter().map(|&element| (element * inverse) as f32).collect(), scale)
}

/// The product of a scaled column, on the scale of the values.
pub fn unscaled(product: &[f32], scale: f64) -> Vec<f64> {
    product.iter().map(|&element| f64::from(element) * scale).collect()
}

/// NaN counts as nothing. Lanes, so that one comparison need not wait for the one before.
fn largest_magnitude(column: &[f64]) -> f64 {
    let larger = |largest: f64, element: f64| if element.abs() > largest { element.abs() } else { largest };
    let (rows, rest) = column.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for row in rows {
        for (lane, &element) in lanes.iter_mut().zip(row) {
            *lane = larger(*lane, element);
        }
    }
    lanes.iter().chain(rest).copied().fold(0.0, larger)
}

/// φ = Δ/M + product, with the sum restored.
pub fn attributions(product: &[f64], delta: f64) -> Vec<f64> {
    let m = product.len() as f64;
    adding_up(product.iter().map(|&element| delta / m + element).collect(), delta)
}

/// What rounding took from the sum is given back evenly: Σφ = Δ.
pub fn adding_up(mut phi: Vec<f64>, delta: f64) -> Vec<f64> {
    let missing = (delta - phi.iter().sum::<f64>()) / phi.len() as f64;
    phi.iter_mut().for_each(|attribution| *attribution += missing);
    phi
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_keeps_tiny_and_huge_columns() {
        for largest in [1e-300, 1e-40, 1.0, 3e30, 1e300] {
            let (column, scale) = scaled(&[largest, -largest / 3.0, 0.0]);
            let back = unscaled(&column, scale);
            assert!((back[0] / largest - 1.0).abs() < 1e-7, "{largest}: {back:?}");
            assert!((back[1] / largest + 1.0 / 3.0).abs() < 1e-7, "{largest}: {back:?}");
        }
        assert_eq!(scaled(&[0.0, 0.0]).1, 1.0);
    }

    #[test]
    fn attributions_add_up_whatever_the_product_lost() {
        let phi = attributions(&[0.1, -0.3, 0.7], 2.0);
        assert!((phi.iter().sum::<f64>() - 2.0).abs() < 1e-15);
    }
}
