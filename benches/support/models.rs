//! The models of benches/peers/make_models.py, made where they are missing → forms with rows, and records as games.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use explaind::compute::Explicand;
use explaind::config::Kernel;
use explaind::form::{Activation, Body, Form, Layer, Layers, Transform, ValueFunction};
use explaind::model::embedded::xgboost;
use explaind::shap::{Design, DesignLimits, Link, Operator};
use ndarray::{Array2, s};
use serde::Deserialize;

/// Rows of each file before its records: the mean of all, then these.
pub const BASELINE_ROWS: usize = 100;

#[derive(Clone)]
pub struct Model {
    pub name: &'static str,
    pub form: Arc<Form>,
    /// `[1 + BASELINE_ROWS + n_records × n_features]`
    pub rows: Array2<f32>,
}

/// Where models, rows and results are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/engine")
}

/// Runs the script that makes the models, unless this version of it has.
pub fn make_models(python: &Path) -> Result<(), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/make_models.py");
    let (folder, copy) = (folder(), folder().join("made_by.py"));
    let wanted = std::fs::read(&script).map_err(|error| format!("{}: {error}", script.display()))?;
    if std::fs::read(&copy).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    println!("Models are made in {}", folder.display());
    let status = Command::new(python).arg(&script).arg(&folder).env("OMP_NUM_THREADS", "1").status();
    match status {
        Ok(status) if status.success() => std::fs::write(&copy, wanted).map_err(|error| error.to_string()),
        Ok(status) => Err(format!("{}: {status}", script.display())),
        Err(error) => Err(format!("{}: {error}", python.display())),
    }
}

impl Model {
    pub fn read(name: &'static str) -> Self {
        let read = |extension: &str| {
            let path = folder().join(format!("{name}.{extension}"));
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let form = match name {
            "linear" | "mlp" => layers(&read("json")),
            _ => xgboost::load(&read("json")).expect("the script's models can be read"),
        };
        let text = String::from_utf8(read("csv")).expect("is text");
        let cells = text.lines().flat_map(|line| line.split(',')).map(|cell| cell.parse().expect("is a number"));
        let cells: Vec<f32> = cells.collect();
        let rows = Array2::from_shape_vec((text.lines().count(), form.n_features()), cells).expect("is a table");
        Self { name, form: Arc::new(form), rows }
    }

    /// One baseline row is the mean of all rows.
    pub fn function(&self, n_baseline_rows: usize, link: Link) -> ValueFunction {
        let first = usize::from(n_baseline_rows > 1);
        let baseline = self.rows.slice(s![first..first + n_baseline_rows, ..]).to_owned();
        ValueFunction::new(Arc::clone(&self.form), baseline.into_shared(), link)
    }

    /// All features are players; so many samples, or 2M + 2048.
    pub fn operator(&self) -> Operator {
        let limits = DesignLimits { players_max: usize::MAX, operator_bytes_max: usize::MAX };
        let design = Design::new(self.form.n_features(), None, 0, Kernel::Shapley, limits);
        Operator::of(design.expect("no limit is set"))
    }

    /// `[n_records × n_features]`, a copy.
    pub fn records(&self, n_records: usize) -> Array2<f32> {
        let first = 1 + BASELINE_ROWS;
        self.rows.slice(s![first..first + n_records, ..]).to_owned()
    }
}

/// Records as games: the model's score for each, and what it is beyond the mean score of the baseline rows.
pub fn explicands(function: &ValueFunction, records: &Array2<f32>) -> Vec<Explicand> {
    let (form, n_outputs) = (&function.form, function.form.n_outputs());
    let mut margins = vec![0.0; records.nrows() * n_outputs];
    form.margins(records.as_slice().expect("rows are whole"), &mut margins);
    let mut nobody = vec![0.0; n_outputs];
    for margins in function.baseline_margins.chunks_exact(n_outputs) {
        nobody.iter_mut().zip(scores(function, margins)).for_each(|(sum, score)| *sum += score);
    }
    let n_rows = function.n_baseline_rows() as f64;
    let pose = |(record, margins): (ndarray::ArrayView1<f32>, &[f32])| Explicand {
        features: record.to_vec(),
        players: (0..form.n_features() as u32).collect(),
        deltas: scores(function, margins).iter().zip(&nobody).map(|(score, sum)| score - sum / n_rows).collect(),
    };
    records.rows().into_iter().zip(margins.chunks_exact(n_outputs)).map(pose).collect()
}

fn scores(function: &ValueFunction, margins: &[f32]) -> Vec<f64> {
    let margins = margins.iter().map(|&margin| f64::from(margin));
    match (function.link, function.form.transform) {
        (Link::Identity, Transform::Logistic) => margins.map(|margin| 1.0 / (1.0 + (-margin).exp())).collect(),
        (Link::Identity, Transform::Softmax) => {
            let weights: Vec<f64> = margins.map(f64::exp).collect();
            let total: f64 = weights.iter().sum();
            weights.iter().map(|weight| weight / total).collect()
        }
        // The logit of one baseline row's sigmoid is the margin.
        (Link::Identity, Transform::Identity) | (Link::Logit, Transform::Logistic) => margins.collect(),
        other => panic!("no benchmark has {other:?}"),
    }
}

#[derive(Deserialize)]
struct Weights {
    weights: Vec<Vec<f32>>,
    biases: Vec<f32>,
}

/// ReLU between layers, and a probability at the end.
fn layers(json: &[u8]) -> Form {
    let layers: Vec<Weights> = serde_json::from_slice(json).expect("the script writes layers");
    let last = layers.len() - 1;
    let layer = |(idx, Weights { weights, biases }): (usize, Weights)| Layer {
        weights: weights.concat(),
        bias: biases,
        activation: if idx < last { Activation::Relu } else { Activation::Identity },
    };
    let layers = Layers::new(layers.into_iter().enumerate().map(layer).collect());
    Form::of_numbers(Body::Layers(layers), Transform::Logistic)
}
