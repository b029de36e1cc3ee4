//! Raw features → the inputs of a model: impute, scale, one-hot, look up, pick, normalise.
//! Knows how a row changes; nothing of models, or of where the numbers came from.

use std::borrow::Cow;

/// From the columns of a record to those that the model was trained on. No stages: they are the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    pub stages: Vec<Stage>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Each column of the result from one column of what came before.
    Columns(Vec<Column>),
    /// A row over its norm; where that is 0, the row stays.
    Normalise(Norm),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// The largest number, as ONNX has it, whatever its sign.
    Max,
    L1,
    L2,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Of the row that comes in.
    pub source: u32,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// `missing` (which may be NaN) becomes `with`.
    Impute { missing: f32, with: f32 },
    /// `(x − offset) · scale`.
    Scale { offset: f32, scale: f32 },
    /// What stands after the point is cut off.
    Truncate,
    /// 1 where x equals the number, else 0.
    Equals(f32),
    /// The value beside the equal key, else `otherwise`.
    LookUp { keys: Vec<f32>, values: Vec<f32>, otherwise: f32 },
}

impl Step {
    fn apply(&self, x: f32) -> f32 {
        match self {
            Self::Impute { missing, with } if x == *missing || (x.is_nan() && missing.is_nan()) => *with,
            Self::Impute { .. } => x,
            Self::Scale { offset, scale } => (x - offset) * scale,
            Self::Truncate => x.trunc(),
            Self::Equals(number) => f32::from(u8::from(x == *number)),
            Self::LookUp { keys, values, otherwise } => {
                keys.iter().zip(values).find(|&(&key, _)| key == x).map_or(*otherwise, |(_, &value)| value)
            }
        }
    }
}

impl Inputs {
    /// Columns of the result, from `n_features`.
    pub fn n_inputs(&self, n_features: usize) -> usize {
        let columns = self.stages.iter().rev().find_map(|stage| match stage {
            Stage::Columns(columns) => Some(columns.len()),
            Stage::Normalise(_) => None,
        });
        columns.unwrap_or(n_features)
    }

    /// `[n_inputs]`, the one feature that each input comes from; none where an input mixes several.
    pub fn features(&self, n_features: usize) -> Option<Vec<u32>> {
        let mut features: Vec<u32> = (0..n_features as u32).collect();
        for stage in &self.stages {
            match stage {
                Stage::Columns(columns) => {
                    features = columns.iter().map(|column| features[column.source as usize]).collect();
                }
                Stage::Normalise(_) if features.iter().all(|feature| *feature == features[0]) => {}
                Stage::Normalise(_) => return None,
            }
        }
        Some(features)
    }

    /// `[n_rows × n_features]` → `[n_rows × n_inputs]`.
    pub fn apply<'a>(&self, rows: &'a [f32], n_features: usize) -> Cow<'a, [f32]> {
        let mut width = n_features;
        self.stages.iter().fold(Cow::Borrowed(rows), |rows, stage| {
            let next = rows.chunks_exact(width).flat_map(|row| stage.apply(row)).collect();
            width = stage.width(width);
            Cow::Owned(next)
        })
    }
}

impl Stage {
    fn width(&self, before: usize) -> usize {
        match self {
            Self::Columns(columns) => columns.len(),
            Self::Normalise(_) => before,
        }
    }

    fn apply(&self, row: &[f32]) -> Vec<f32> {
        match self {
            Self::Columns(columns) => columns.iter().map(|column| column.apply(row)).collect(),
            Self::Normalise(norm) => {
                let norm = norm.of(row);
                row.iter().map(|x| if norm == 0.0 { *x } else { x / norm }).collect()
            }
        }
    }
}

impl Column {
    fn apply(&self, row: &[f32]) -> f32 {
        self.steps.iter().fold(row[self.source as usize], |x, step| step.apply(x))
    }
}

impl Norm {
    fn of(self, row: &[f32]) -> f32 {
        match self {
            Self::Max => row.iter().copied().fold(f32::NEG_INFINITY, f32::max),
            Self::L1 => row.iter().map(|x| x.abs()).sum(),
            Self::L2 => row.iter().map(|x| x * x).sum::<f32>().sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(source: u32, steps: Vec<Step>) -> Column {
        Column { source, steps }
    }

    #[test]
    fn a_row_goes_through_all_stages() {
        let impute = Step::Impute { missing: f32::NAN, with: 3.0 };
        let look_up = Step::LookUp { keys: vec![1.0, 2.0], values: vec![10.0, 20.0], otherwise: -1.0 };
        let first = vec![
            column(1, vec![impute, Step::Truncate, Step::Scale { offset: 1.0, scale: 2.0 }]),
            column(0, vec![Step::Equals(2.0)]),
            column(0, vec![look_up]),
        ];
        let inputs = Inputs {
            stages: vec![Stage::Columns(first), Stage::Columns(vec![column(2, vec![]), column(0, vec![])])],
        };
        assert_eq!(inputs.n_inputs(2), 2);
        assert_eq!(*inputs.apply(&[2.0, f32::NAN, 7.0, -0.5], 2), [20.0, 4.0, -1.0, -2.0]);
        assert_eq!(inputs.features(2), Some(vec![0, 1]));
    }

    #[test]
    fn norms_mix_features() {
        let normalise = |norm| Inputs { stages: vec![Stage::Normalise(norm)] };
        assert_eq!(*normalise(Norm::L2).apply(&[3.0, -4.0, 0.0, 0.0], 2), [0.6, -0.8, 0.0, 0.0]);
        assert_eq!(*normalise(Norm::L1).apply(&[3.0, -1.0], 2), [0.75, -0.25]);
        assert_eq!(*normalise(Norm::Max).apply(&[3.0, -4.0, -2.0, -1.0], 2), [1.0, -4.0 / 3.0, 2.0, 1.0]);
        assert_eq!(*normalise(Norm::Max).apply(&[0.0, -4.0], 2), [0.0, -4.0]);
        assert_eq!((normalise(Norm::L1).features(2), normalise(Norm::L1).features(1)), (None, Some(vec![0])));
        assert_eq!(Inputs::default().features(2), Some(vec![0, 1]));
    }
}
