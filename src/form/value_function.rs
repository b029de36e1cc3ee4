//! What a coalition is worth, for any record: a model, its baseline and the link, prepared once for all games.
//! Knows nothing of which coalitions are asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{ArcArray2, ArrayView1};

use super::{Body, Form, TreeEnsemble};
use crate::shap::Link;

/// v(S) of a record: the link of the model's mean score over rows that have the record's features where a player of S
/// owns them, and a baseline row's elsewhere.
#[derive(Debug)]
pub struct ValueFunction {
    /// Never used twice in a process: what a device knows it by.
    pub id: u64,
    pub form: Arc<Form>,
    /// `[n_baseline_rows × n_features]`, at least one row.
    pub baseline: ArcArray2<f32>,
    pub link: Link,
    /// `[n_inputs]`, the feature that each input comes from; none where inputs mix features, so that each coalition needs
    /// a row of its own.
    pub input_features: Option<Vec<u32>>,
    /// `[n_baseline_rows × n_inputs]`
    pub baseline_inputs: Vec<f32>,
    /// `[n_baseline_rows × n_outputs]`
    pub baseline_margins: Vec<f32>,
    /// `[n_baseline_rows × n_keys]`, as splits see them; empty without trees.
    pub baseline_keys: Vec<u32>,
    /// `[n_baseline_rows × n_trees]`, where they end; empty without trees.
    pub baseline_leaves: Vec<u32>,
    /// `[n_baseline_rows × n_units]`, of the first layer; empty without layers.
    pub baseline_sums: Vec<f32>,
    /// What one row costs, in steps down a tree or products, about.
    pub steps_per_row: usize,
    /// `[n_features]`, whether a feature differs among the baseline rows.
    varies: Vec<bool>,
}

impl ValueFunction {
    /// `baseline` is `[n_baseline_rows × n_features]`, at least one row. Panics on another shape.
    pub fn new(form: Arc<Form>, baseline: ArcArray2<f32>, link: Link) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        assert!(baseline.nrows() > 0 && baseline.ncols() == form.n_features(), "no such baseline. This is a bug.");
        let rows: Vec<f32> = baseline.iter().copied().collect();
        let baseline_inputs = form.inputs.apply(&rows, form.n_features()).into_owned();
        let mut baseline_margins = vec![0.0; baseline.nrows() * form.n_outputs()];
        form.body.margins(&baseline_inputs, &mut baseline_margins);
        let prepared = Prepared::of(&form.body, &baseline_inputs);
        let varies = |column: ArrayView1<f32>| column.iter().any(|&number| !is_same(number, column[0]));
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            input_features: form.inputs.features(form.n_features()),
            steps_per_row: form.steps_per_row(),
            varies: baseline.columns().into_iter().map(varies).collect(),
            form,
            baseline,
            link,
            baseline_inputs,
            baseline_margins,
            baseline_keys: prepared.keys,
            baseline_leaves: prepared.leaves,
            baseline_sums: prepared.sums,
        }
    }

    pub fn n_baseline_rows(&self) -> usize {
        self.baseline.nrows()
    }

    /// `[n_outputs]`
    pub fn baseline_margins(&self, baseline_row: usize) -> &[f32] {
        self.of_row(&self.baseline_margins, baseline_row)
    }

    /// `[n_keys]`
    pub fn baseline_keys(&self, baseline_row: usize) -> &[u32] {
        self.of_row(&self.baseline_keys, baseline_row)
    }

    /// `[n_trees]`
    pub fn baseline_leaves(&self, baseline_row: usize) -> &[u32] {
        self.of_row(&self.baseline_leaves, baseline_row)
    }

    /// `[n_units]`
    pub fn baseline_sums(&self, baseline_row: usize) -> &[f32] {
        self.of_row(&self.baseline_sums, baseline_row)
    }

    fn of_row<'a, T>(&self, rows: &'a [T], baseline_row: usize) -> &'a [T] {
        let width = rows.len() / self.n_baseline_rows();
        &rows[baseline_row * width..][..width]
    }

    /// The features of a record, `[n_features]`, that differ from some baseline row: only they can change the value.
    pub fn differing(&self, record: ArrayView1<f32>) -> Vec<u32> {
        let differs = |&feature: &u32| {
            let feature = feature as usize;
            self.varies[feature] || !is_same(record[feature], self.baseline[[0, feature]])
        };
        (0..record.len() as u32).filter(differs).collect()
    }
}

/// Baseline rows as the games of their model need them.
#[derive(Default)]
struct Prepared {
    keys: Vec<u32>,
    leaves: Vec<u32>,
    sums: Vec<f32>,
}

impl Prepared {
    /// `inputs` is `[n_baseline_rows × n_inputs]`.
    fn of(body: &Body, inputs: &[f32]) -> Self {
        let mut prepared = Self::default();
        let rows = inputs.chunks_exact(body.n_inputs());
        match body {
            Body::Trees(trees) => {
                rows.for_each(|row| trees.push_keys(row, &mut prepared.keys));
                let leaves = prepared.keys.chunks_exact(trees.n_keys()).flat_map(|keys| leaves(trees, keys));
                prepared.leaves = leaves.collect();
            }
            Body::Layers(layers) => prepared.sums = rows.flat_map(|row| layers.first_sums(row)).collect(),
        }
        prepared
    }
}

/// The leaf of each tree that a row of keys comes to.
fn leaves<'a>(trees: &'a TreeEnsemble, keys: &'a [u32]) -> impl Iterator<Item = u32> + 'a {
    (0..trees.n_trees()).map(|t| trees.tree(t).leaf(keys))
}

/// Missing values are the same.
fn is_same(a: f32, b: f32) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}
