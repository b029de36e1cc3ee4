//! Dense layers as flat arrays, and their margins for many rows: one layer is a linear model, more are an MLP.
//! Knows nothing of the file they came from.

/// What a layer does to each of its sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    Identity,
    Relu,
    Tanh,
    Logistic,
}

impl Activation {
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Self::Identity => x,
            Self::Relu => x.max(0.0),
            Self::Tanh => x.tanh(),
            Self::Logistic => 1.0 / (1.0 + (-x).exp()),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// `[n_outputs × n_inputs]`, row-major.
    pub weights: Vec<f32>,
    /// `[n_outputs]`.
    pub bias: Vec<f32>,
    pub activation: Activation,
}

impl Layer {
    pub fn n_outputs(&self) -> usize {
        self.bias.len()
    }

    pub fn n_inputs(&self) -> usize {
        self.weights.len() / self.bias.len()
    }

    fn sums(&self, row: &[f64]) -> impl Iterator<Item = f64> {
        self.weights.chunks_exact(row.len()).zip(&self.bias).map(move |(weights, &bias)| {
            let products = weights.iter().zip(row).map(|(&weight, x)| f64::from(weight) * x);
            f64::from(bias) + products.sum::<f64>()
        })
    }

    fn apply(&self, row: &[f64]) -> Vec<f64> {
        self.sums(row).map(|sum| self.activation.apply(sum)).collect()
    }
}

/// At least one; each takes what the one before gives. The last gives margins.
#[derive(Clone, Debug, PartialEq)]
pub struct Layers(Vec<Layer>);

impl Layers {
    /// Panics when there is no layer, or layers do not fit each other.
    pub fn new(layers: Vec<Layer>) -> Self {
        assert!(layers.iter().all(|layer| !layer.bias.is_empty()), "a layer without outputs. This is a bug.");
        let fits = |pair: &[Layer]| pair[0].n_outputs() == pair[1].n_inputs();
        assert!(!layers.is_empty() && layers.windows(2).all(fits), "layers do not fit. This is a bug.");
        Self(layers)
    }

    pub fn as_slice(&self) -> &[Layer] {
        &self.0
    }

    pub fn n_inputs(&self) -> usize {
        self.0[0].n_inputs()
    }

    pub fn n_outputs(&self) -> usize {
        self.0[self.0.len() - 1].n_outputs()
    }

    /// Whether margins are linear in the inputs.
    pub fn is_linear(&self) -> bool {
        matches!(self.0.as_slice(), [Layer { activation: Activation::Identity, .. }])
    }

    /// What the first layer's units get from a row `[n_inputs]`, before their activation.
    pub fn first_sums(&self, row: &[f32]) -> Vec<f32> {
        self.0[0].sums(&widened(row)).map(|sum| sum as f32).collect()
    }

    /// Writes the margins `[n_rows × n_outputs]` of `rows` `[n_rows × n_inputs]`, summed in float64 and rounded once.
    pub fn margins(&self, rows: &[f32], out: &mut [f32]) {
        for (row, out) in rows.chunks_exact(self.n_inputs()).zip(out.chunks_exact_mut(self.n_outputs())) {
            let margins = self.0.iter().fold(widened(row), |row, layer| layer.apply(&row));
            out.iter_mut().zip(margins).for_each(|(out, margin)| *out = margin as f32);
        }
    }
}

fn widened(row: &[f32]) -> Vec<f64> {
    row.iter().map(|&x| f64::from(x)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(weights: &[f32], bias: &[f32], activation: Activation) -> Layer {
        Layer { weights: weights.to_vec(), bias: bias.to_vec(), activation }
    }

    #[test]
    fn layers_follow_each_other() {
        let first = layer(&[1.0, -1.0, 2.0, 0.5], &[0.0, 1.0], Activation::Relu);
        let layers = Layers::new(vec![first, layer(&[3.0, -1.0], &[0.5], Activation::Identity)]);
        let mut out = [0.0; 2];
        layers.margins(&[1.0, 2.0, 3.0, 1.0], &mut out);
        assert_eq!(out, [-3.5, -1.0]);
        assert!(!layers.is_linear());
        assert!(Layers::new(vec![layer(&[1.0], &[0.0], Activation::Identity)]).is_linear());
    }
}
