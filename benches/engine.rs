//! scratch
use explaind::compute::Explicand;
use explaind::compute::cpu::{Instructions, attribute::attribute, games};
use explaind::config::Kernel;
use explaind::form::ValueFunction;
use explaind::model::embedded::xgboost;
use explaind::shap::{Design, DesignLimits, Link, Matrix, Operator, Panels};
use ndarray::Array2;
use std::time::Instant;
fn main() {
    for (model, rows, n_base) in [("bc", "bc", 1), ("fr100", "fr", 1), ("fr500", "fr", 1), ("bc", "bc", 100)] {
        let form = xgboost::load(&std::fs::read(format!("target/engine/{model}.json")).unwrap()).unwrap();
        let text = std::fs::read_to_string(format!("target/engine/{rows}.csv")).unwrap();
        let data: Vec<f32> = text
            .lines()
            .flat_map(|l| l.split(',').map(|c| c.parse::<f32>().unwrap()).collect::<Vec<_>>())
            .collect();
        let all = Array2::from_shape_vec((data.len() / 30, 30), data).unwrap();
        let base = if n_base == 1 {
            all.mean_axis(ndarray::Axis(0)).unwrap().insert_axis(ndarray::Axis(0))
        } else {
            all.slice(ndarray::s![..n_base, ..]).to_owned()
        };
        let function = ValueFunction::new(std::sync::Arc::new(form), base.into_shared(), Link::Identity);
        let limits = DesignLimits { players_max: 512, operator_bytes_max: usize::MAX };
        let operator = Operator::of(Design::new(30, Some(2108), 0, Kernel::Shapley, limits).unwrap());
        let Matrix::Single(matrix) = &operator.matrix else { panic!() };
        let explicands: Vec<Explicand> = (0..256)
            .map(|i| Explicand { features: all.row(i).to_vec(), players: (0..30).collect(), deltas: vec![0.1] })
            .collect();
        for ins in Instructions::available() {
            for n in [1usize, 256] {
                if n_base > 1 && n == 256 {
                    continue;
                }
                let mut best = f64::MAX;
                let mut best_a = f64::MAX;
                for _ in 0..if n == 1 { 200 } else { 5 } {
                    let t = Instant::now();
                    let columns: Vec<Vec<f32>> = explicands[..n]
                        .iter()
                        .flat_map(|e| games::columns(ins, &function, &operator, e))
                        .collect();
                    let v = t.elapsed().as_secs_f64();
                    let phi = attribute(ins, matrix, &Panels::from_columns(operator.design.n_pairs, &columns));
                    std::hint::black_box(phi);
                    best = best.min(v / n as f64);
                    best_a = best_a.min((t.elapsed().as_secs_f64() - v) / n as f64);
                }
                println!(
                    "{model} base {n_base} {ins:?} n {n}: values {:.1} us attribute {:.1} us",
                    best * 1e6,
                    best_a * 1e6
                );
            }
        }
    }
}
