//! Answers that are known from elsewhere: the game in which players 1, 2 and 3 win together, under both kernels.

use std::sync::Arc;

use explaind::compute::cpu::Instructions;
use explaind::config::Kernel;
use libtest_mimic::Trial;

use crate::games::{Game, Quadratic, near};
use crate::paths::{Path, Pipeline, Setting};
use crate::{Check, trial};

/// Players, then the attribution of a member and of an outsider under the squared kernel.
const CLARIFY: [(usize, f64, f64); 5] = [
    (3, 1.0 / 3.0, 0.0),
    (4, 7.0 / 20.0, -1.0 / 20.0),
    (5, 11.0 / 30.0, -1.0 / 20.0),
    (6, 49.0 / 128.0, -19.0 / 384.0),
    (7, 181.0 / 455.0, -22.0 / 455.0),
];

pub fn trials() -> Vec<Trial> {
    let path = Arc::new(Pipeline::on_cpu(Instructions::detect()));
    let (first, second) = (Arc::clone(&path), path);
    vec![
        trial("kernel shapley and clarify reproduce the known answers", move || known(first.as_ref())),
        trial("kernel clarify stays exact up to 256 players", move || many_players(second.as_ref())),
    ]
}

fn known(path: &dyn Path) -> Check {
    let game: Game = Arc::new(|present| f64::from(u8::from(present[..3].iter().all(|&here| here))));
    for (n_players, member, outsider) in CLARIFY {
        let expect =
            |member, outsider| (0..n_players).map(move |p| if p < 3 { member } else { outsider }).collect();
        let answers: [(Kernel, Vec<f64>); 2] =
            [(Kernel::Clarify, expect(member, outsider)), (Kernel::Shapley, expect(1.0 / 3.0, 0.0))];
        for (kernel, want) in answers {
            let setting = Setting { kernel, ..Setting::new(n_players, None) };
            let got = path.attributions(setting, &[Arc::clone(&game)]).remove(0);
            near(&format!("{setting:?}"), &got, &want, 1e-12)?;
        }
    }
    Ok(())
}

/// Every symmetric weighting gives Shapley values where no more than two players interact.
fn many_players(path: &dyn Path) -> Check {
    for n_players in [16, 48, 64, 128, 200, 256] {
        for number_of_samples in [None, Some(2 * n_players as u64), Some(6000)] {
            let setting = Setting { kernel: Kernel::Clarify, ..Setting::new(n_players, number_of_samples) };
            let game = Quadratic::random(n_players, 3, &[]);
            let got = path.attributions(setting, &[game.game()]).remove(0);
            near(&format!("{setting:?}"), &got, &game.shapley(), 1e-6)?;
        }
    }
    Ok(())
}
