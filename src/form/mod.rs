//! Models as flat arrays of u32 and f32, the one form that both compute paths evaluate.
//! Knows nothing of files, of records, or of who evaluates it.

mod inputs;
mod layers;
mod trees;
mod value_function;
mod views;

pub use inputs::{Column, Inputs, Norm, Stage, Step};
pub use layers::{Activation, Layer, Layers};
pub use trees::{Node, Tree, TreeEnsemble};
pub use value_function::ValueFunction;
pub use views::{CategorySet, Fractions, View};

/// What turns margins into scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    Identity,
    /// Each margin for itself.
    Logistic,
    Softmax,
    Exponential,
}

/// A column of the records that a model explains.
#[derive(Clone, Debug, PartialEq)]
pub enum Feature {
    Number,
    /// Its n-th name counts as the number n, all other text as the number of names.
    Category(Vec<String>),
}

#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a model has one, and shares it")]
pub enum Body {
    Trees(TreeEnsemble),
    Layers(Layers),
}

/// A model: features → inputs → margins → scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    pub features: Vec<Feature>,
    pub inputs: Inputs,
    pub body: Body,
    pub transform: Transform,
}

impl Form {
    /// A model whose inputs are its features, all of them numbers.
    pub fn of_numbers(body: Body, transform: Transform) -> Self {
        let features = vec![Feature::Number; body.n_inputs()];
        Self { features, inputs: Inputs::default(), body, transform }
    }

    pub fn n_features(&self) -> usize {
        self.features.len()
    }

    /// Scores of a record: 1 for binary and regression models, else the number of classes.
    pub fn n_outputs(&self) -> usize {
        self.body.n_outputs()
    }

    /// Writes the margins `[n_rows × n_outputs]` of `rows` `[n_rows × n_features]`.
    pub fn margins(&self, rows: &[f32], out: &mut [f32]) {
        self.body.margins(&self.inputs.apply(rows, self.n_features()), out);
    }

    /// What one row costs, in steps down a tree or products, about.
    pub fn steps_per_row(&self) -> usize {
        match &self.body {
            Body::Trees(trees) => trees.depths.iter().map(|&depth| 1 + depth as usize).sum(),
            Body::Layers(layers) => layers.as_slice().iter().map(|layer| layer.weights.len()).sum(),
        }
    }
}

impl Body {
    pub fn n_inputs(&self) -> usize {
        match self {
            Self::Trees(trees) => trees.n_inputs,
            Self::Layers(layers) => layers.n_inputs(),
        }
    }

    /// Whether margins are sums of what conjunctions of players add.
    pub fn is_sum(&self) -> bool {
        match self {
            Self::Trees(_) => true,
            Self::Layers(layers) => layers.is_linear(),
        }
    }

    pub fn n_outputs(&self) -> usize {
        match self {
            Self::Trees(trees) => trees.n_outputs,
            Self::Layers(layers) => layers.n_outputs(),
        }
    }

    /// Writes the margins `[n_rows × n_outputs]` of `rows` `[n_rows × n_inputs]`; a row's do not depend on its neighbours.
    pub fn margins(&self, rows: &[f32], out: &mut [f32]) {
        match self {
            Self::Trees(trees) => trees.margins(rows, out),
            Self::Layers(layers) => layers.margins(rows, out),
        }
    }
}
