//! Games of models in the process: values without rows equal those of rows, closed forms equal all coalitions, and neither
//! neighbours nor instruction sets change a bit.

use std::sync::Arc;

use explaind::compute::cpu::scores::Rule;
use explaind::compute::cpu::{Cpu, Instructions, double, exact, games};
use explaind::compute::{Device, Explicand, Games};
use explaind::config::Kernel;
use explaind::form::ValueFunction;
use explaind::shap::{Design, Link, Operator, differences};
use libtest_mimic::Trial;
use ndarray::Array2;

use crate::games::noise;
use crate::models::{self, N_FEATURES};
use crate::paths::LIMITS;
use crate::{Check, trial};

/// Largest difference of float32 values, in shares of the largest value.
const SINGLE: f64 = 2e-6;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("functions: values without rows equal those of rows", || every(values_equal_those_of_rows)),
        trial("functions: float32 columns equal the differences of float64 values", || every(columns_equal)),
        trial("functions: every instruction set gives the same bits", || every(same_bits)),
        trial("functions: a record alone gets what it gets among others", || every(alone_as_among_others)),
        trial("functions: closed forms are Shapley values by definition", || every(closed_forms)),
        trial("functions: a bushy tree is walked row by row", bushy),
    ]
}

/// Every model with some baselines and links.
fn every(check: fn(&ValueFunction) -> Check) -> Check {
    for (name, form) in models::all() {
        let form = Arc::new(form);
        for n_rows in [1, 3, 17] {
            for link in [Link::Identity, Link::Logit] {
                let function = ValueFunction::new(Arc::clone(&form), models::rows(n_rows, 5).into_shared(), link);
                check(&function).map_err(|error| format!("{name}, {n_rows} baseline rows, {link:?}: {error}"))?;
            }
        }
    }
    Ok(())
}

fn operator(n_players: usize, number_of_samples: Option<u64>) -> Operator {
    Operator::of(Design::new(n_players, number_of_samples, 1, Kernel::Shapley, LIMITS).expect("within the limits"))
}

/// A record of some features that play; the others keep the first baseline row's values.
fn explicand(function: &ValueFunction, n_players: usize, salt: u64) -> Explicand {
    let mut features = function.baseline.row(0).to_vec();
    let other = models::rows(1, 100 + salt);
    features[..n_players].iter_mut().zip(&other).for_each(|(feature, &other)| *feature = other);
    let deltas = (0..function.form.n_outputs()).map(|output| noise(salt + output as u64)).collect();
    Explicand { features, players: (0..n_players as u32).collect(), deltas }
}

/// v(S) by definition: a row for every baseline row, with the record's features where their players are present.
fn value_of_rows(function: &ValueFunction, explicand: &Explicand, is_present: impl Fn(usize) -> bool) -> Vec<f64> {
    let mut rows = function.baseline.to_owned();
    for (player, &feature) in explicand.players.iter().enumerate() {
        if is_present(player) {
            rows.column_mut(feature as usize).fill(explicand.features[feature as usize]);
        }
    }
    models::value(function, &rows)
}

fn largest(values: &Array2<f64>) -> f64 {
    values.iter().fold(1e-3, |largest, value| f64::max(largest, value.abs()))
}

fn values_equal_those_of_rows(function: &ValueFunction) -> Check {
    for (n_players, number_of_samples) in [(N_FEATURES, Some(300)), (5, None), (1, None), (0, None)] {
        let operator = operator(n_players, number_of_samples);
        let explicand = explicand(function, n_players, 7);
        let (values, _) = double::values(function, &operator.columns, &explicand);
        if values.nrows() != operator.columns.n_coalitions {
            return Err(format!("{} values of {n_players} players", values.nrows()));
        }
        let bound = SINGLE * largest(&values);
        for (coalition, row) in values.rows().into_iter().enumerate() {
            let want =
                value_of_rows(function, &explicand, |player| operator.columns.is_present(coalition, player));
            for (got, want) in row.iter().zip(&want) {
                if (got - want).abs() > bound {
                    return Err(format!("coalition {coalition} of {n_players} players: {got}, not {want}"));
                }
            }
        }
    }
    Ok(())
}

/// Without what float32 is not enough for.
fn columns_of(instructions: Instructions, function: &ValueFunction, operator: &Operator) -> Option<Vec<Vec<f32>>> {
    let has_columns = Rule::of(function).is_some() && function.input_features.is_some();
    has_columns.then(|| games::columns(instructions, function, operator, &explicand(function, N_FEATURES, 7)))
}

fn columns_equal(function: &ValueFunction) -> Check {
    let operator = operator(N_FEATURES, Some(300));
    let Some(columns) = columns_of(Instructions::detect(), function, &operator) else { return Ok(()) };
    let explicand = explicand(function, N_FEATURES, 7);
    let (values, _) = double::values(function, &operator.columns, &explicand);
    let bound = 2.0 * SINGLE * largest(&values);
    for (output, column) in columns.iter().enumerate() {
        let values = values.column(output).to_vec();
        let want = differences(&operator.coalitions, &values, explicand.deltas[output]);
        for (pair, (&got, want)) in column.iter().zip(&want).enumerate() {
            if (f64::from(got) - want).abs() > bound {
                return Err(format!("pair {pair}: {got}, not {want}"));
            }
        }
    }
    Ok(())
}

fn same_bits(function: &ValueFunction) -> Check {
    let operator = operator(N_FEATURES, Some(300));
    let bits = |instructions| {
        let columns = columns_of(instructions, function, &operator).unwrap_or_default();
        columns.into_iter().flatten().map(f32::to_bits).collect::<Vec<u32>>()
    };
    let available = Instructions::available();
    match available.iter().find(|&&instructions| bits(instructions) != bits(available[0])) {
        Some(other) => Err(format!("{other:?} differs from {:?}", available[0])),
        None => Ok(()),
    }
}

fn alone_as_among_others(function: &ValueFunction) -> Check {
    let operator = operator(N_FEATURES, Some(300));
    if columns_of(Instructions::detect(), function, &operator).is_none() {
        return Ok(());
    }
    let explicands: Vec<Explicand> = (0..37).map(|salt| explicand(function, N_FEATURES, salt)).collect();
    let explain = |explicands: &[&Explicand]| {
        Cpu::detect().explain(Games { function, operator: &operator, explicands }).expect("never refuses")
    };
    let together = explain(&explicands.iter().collect::<Vec<_>>());
    let apart: Vec<f32> = explicands.iter().flat_map(|explicand| explain(&[explicand])).collect();
    if together == apart { Ok(()) } else { Err("neighbours change a record's attributions".to_owned()) }
}

fn closed_forms(function: &ValueFunction) -> Check {
    const N_PLAYERS: usize = 7;
    if !exact::applies(function) {
        return Ok(());
    }
    let explicand = explicand(function, N_PLAYERS, 7);
    let got = exact::attributions(function, &explicand);
    for output in 0..function.form.n_outputs() {
        let want = shapley(function, &explicand, output);
        let scale = want.iter().fold(1e-3, |largest, phi| f64::max(largest, phi.abs()));
        for (player, want) in want.iter().enumerate() {
            let got = got[[player, output]];
            if (got - want).abs() > 1e-9 * scale {
                return Err(format!("player {player}, output {output}: {got}, not {want}"));
            }
        }
    }
    Ok(())
}

/// By definition, from the values of all coalitions.
fn shapley(function: &ValueFunction, explicand: &Explicand, output: usize) -> Vec<f64> {
    let n = explicand.players.len();
    let value = |set: usize| value_of_rows(function, explicand, |player| set >> player & 1 == 1)[output];
    let values: Vec<f64> = (0..1 << n).map(value).collect();
    let factorial = |n: usize| (1..=n).map(|i| i as f64).product::<f64>();
    let weight = |size: usize| factorial(size) * factorial(n - 1 - size) / factorial(n);
    let of_player = |player: usize| {
        let without = (0..1_usize << n).filter(|set| set >> player & 1 == 0);
        without.map(|set| weight(set.count_ones() as usize) * (values[set | 1 << player] - values[set])).sum()
    };
    (0..n).map(of_player).collect()
}

/// More live leaves than the limit: the same values, and no harm in the number of players.
fn bushy() -> Check {
    let form = Arc::new(models::bushy());
    for n_rows in [1, 3] {
        let function =
            ValueFunction::new(Arc::clone(&form), models::rows(n_rows, 5).into_shared(), Link::Identity);
        for check in [values_equal_those_of_rows, columns_equal, same_bits, alone_as_among_others] {
            check(&function)?;
        }
    }
    Ok(())
}
