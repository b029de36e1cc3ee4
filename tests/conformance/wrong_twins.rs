//! Every law fails on an implementation that was made wrong on purpose: a law that cannot fail proves nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use explaind::compute::cpu::Instructions;
use explaind::compute::{Cpu, Device, DeviceError, Games};
use explaind::config::Kernel;
use explaind::shap::{PANEL_WIDTH, Panels};
use libtest_mimic::Trial;

use crate::games::Game;
use crate::laws;
use crate::paths::{Path, Pipeline, Setting};
use crate::trial;

/// What a wrong twin does to the attributions of game `idx`.
type Spoil = fn(idx: usize, phi: &mut [f64]);

/// In the order of the laws they break.
const SPOILS: [Spoil; 7] = [loses_some, mixes_players, leaks, is_not_linear, is_shifted, sees_neighbours, drifts];

fn loses_some(_: usize, phi: &mut [f64]) {
    phi[0] -= 1e-7 * phi[0].abs().max(1.0);
}

fn mixes_players(_: usize, phi: &mut [f64]) {
    phi[1..].rotate_left(1);
}

fn leaks(_: usize, phi: &mut [f64]) {
    let leak = phi[0] * 1e-5;
    phi[0] -= leak;
    phi[phi.len() - 1] += leak;
}

fn is_not_linear(_: usize, phi: &mut [f64]) {
    phi[0] += 0.01 * phi[0] * phi[0];
}

fn is_shifted(_: usize, phi: &mut [f64]) {
    let n = phi.len();
    phi[0] += 1e-6;
    phi[n - 1] -= 1e-6;
}

fn sees_neighbours(idx: usize, phi: &mut [f64]) {
    phi[0] += idx as f64 * f64::EPSILON * phi[0];
}

fn drifts(_: usize, phi: &mut [f64]) {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    phi[0] *= 1.0 + f64::from(CALLS.fetch_add(1, Ordering::Relaxed)) * f64::EPSILON;
}

struct Spoiled {
    path: Arc<Pipeline>,
    spoil: Spoil,
}

impl Path for Spoiled {
    fn attributions(&self, setting: Setting, games: &[Game]) -> Vec<Vec<f64>> {
        let mut all = self.path.attributions(setting, games);
        all.iter_mut().enumerate().for_each(|(idx, phi)| (self.spoil)(idx, phi));
        all
    }
}

/// Answers with the squared kernel whatever was asked.
struct WrongKernel(Arc<Pipeline>);

impl Path for WrongKernel {
    fn attributions(&self, setting: Setting, games: &[Game]) -> Vec<Vec<f64>> {
        self.0.attributions(Setting { kernel: Kernel::Clarify, ..setting }, games)
    }
}

/// What a wrong device does to the matrices before it multiplies them.
type Mistake = fn(&mut Panels<f32>, &mut Panels<f32>);

/// Mistakes that a kernel can make and that the restored sum would hide.
const MISTAKES: [(&str, Mistake); 4] = [
    ("drops the last, partial block of rows", |operator, _| zero(operator, |row, n_rows| row >= n_rows / 32 * 32)),
    ("drops the first row", |operator, _| zero(operator, |row, _| row == 0)),
    ("reads a column of the lane beside it", |_, columns| columns.data.rotate_left(1)),
    ("forgets the players after the first panel", |operator, _| {
        let panel_len = operator.n_rows * PANEL_WIDTH;
        operator.data[panel_len..].fill(0.0);
    }),
];

fn zero(panels: &mut Panels<f32>, is_lost: fn(usize, usize) -> bool) {
    let n_rows = panels.n_rows;
    for (idx, lanes) in panels.data.chunks_exact_mut(PANEL_WIDTH).enumerate() {
        if is_lost(idx % n_rows, n_rows) {
            lanes.fill(0.0);
        }
    }
}

struct WrongDevice(Cpu, Mistake);

impl Device for WrongDevice {
    fn name(&self) -> &str {
        "wrong"
    }

    fn attribute(
        &mut self,
        operator_id: u64,
        operator: &Panels<f32>,
        columns: &Panels<f32>,
    ) -> Result<Vec<f32>, DeviceError> {
        let (mut operator, mut columns) = (operator.clone(), columns.clone());
        (self.1)(&mut operator, &mut columns);
        self.0.attribute(operator_id, &operator, &columns)
    }

    fn explain(&mut self, games: Games) -> Result<Vec<f32>, DeviceError> {
        self.0.explain(games)
    }
}

fn wrong_devices() -> impl Iterator<Item = Trial> {
    MISTAKES.into_iter().map(|(name, mistake)| {
        trial(format!("wrong device: one that {name} is caught"), move || {
            let wrong = Pipeline::on_device(move || Box::new(WrongDevice(Cpu::detect(), mistake)));
            must_fail(laws::ALL[4].1, &wrong)
        })
    })
}

pub fn trials() -> Vec<Trial> {
    let path = Arc::new(Pipeline::on_cpu(Instructions::detect()));
    let mut trials: Vec<Trial> = laws::ALL
        .into_iter()
        .zip(SPOILS)
        .map(|((name, law), spoil)| {
            let wrong = Spoiled { path: Arc::clone(&path), spoil };
            trial(format!("wrong twin: {name}, and this one is caught"), move || must_fail(law, &wrong))
        })
        .collect();
    let by_definition = laws::ALL[4].1;
    let wrong_kernel = WrongKernel(path);
    trials.push(trial("wrong twin: the squared kernel is no Shapley value", move || {
        must_fail(by_definition, &wrong_kernel)
    }));
    trials.extend(wrong_devices());
    trials
}

fn must_fail(law: laws::Law, wrong: &dyn Path) -> crate::Check {
    match law(wrong) {
        Err(_) => Ok(()),
        Ok(()) => Err("the law holds on a wrong twin".to_owned()),
    }
}
