//! The laws of attributions. Each is a function of a path, so that it can also be shown to fail on a wrong one.

use std::sync::Arc;

use libtest_mimic::Trial;

use explaind::config::{Kernel, SampledEstimator};

use crate::games::{Game, Quadratic, near, random, shapley_by_definition};
use crate::paths::{Path, Setting, SharedPath};
use crate::{Check, trial};

pub type Law = fn(&dyn Path) -> Check;

pub const ALL: [(&str, Law); 7] = [
    ("attributions sum to the prediction", sums),
    ("swapping players swaps attributions", swaps),
    ("a null player gets zero", null_player),
    ("attributions are linear in the values", linear),
    ("a listing equals Shapley values by definition", definition),
    ("a batch of many equals many batches of one", batches),
    ("the same input gives the same bits", repeats),
];

pub fn trials(path_name: &str, path: &Option<SharedPath>) -> Vec<Trial> {
    let one = |&(name, law): &(&str, Law)| {
        let (name, ignored) = (format!("{path_name}: {name}"), path.is_none());
        let path = path.clone();
        trial(name, move || law(path.expect("ignored without a path").as_ref())).with_ignored_flag(ignored)
    };
    ALL.iter().map(one).collect()
}

/// Designs and how exact quadratic games come out of them: listings in float64, samples in float32.
fn settings() -> [(Setting, f64); 7] {
    [
        (Setting::new(2, None), 1e-9),
        (Setting::new(7, None), 1e-9),
        (Setting::new(11, None), 1e-9),
        (Setting::new(13, None), 1e-6),
        (Setting::new(30, None), 1e-6),
        (Setting::trend(13, None), 1e-6),
        (Setting::trend(30, None), 1e-6),
    ]
}

fn one(path: &dyn Path, setting: Setting, game: Game) -> Vec<f64> {
    path.attributions(setting, &[game]).remove(0)
}

fn sums(path: &dyn Path) -> Check {
    let tiny = [1, 2, 3, 9, 40].map(|samples| Setting::new(20, Some(samples)));
    let tiny_trend = [1, 2, 3, 9, 40].map(|samples| Setting::trend(20, Some(samples)));
    let single = Setting::new(1, None);
    for setting in settings().into_iter().map(|(setting, _)| setting).chain(tiny).chain(tiny_trend).chain([single])
    {
        let clarify = Setting { kernel: Kernel::Clarify, estimator: SampledEstimator::KernelShap, ..setting };
        for setting in [setting, clarify] {
            let game = random(setting.n_players as u64);
            let total = game(&vec![true; setting.n_players]);
            let sum = one(path, setting, game).iter().sum();
            near(&format!("the sum under {setting:?}"), &[sum], &[total], 1e-9)?;
        }
    }
    Ok(())
}

fn swaps(path: &dyn Path) -> Check {
    for (setting, tolerance) in settings() {
        let game = Quadratic::random(setting.n_players, 5, &[]);
        let mut swapped = one(path, setting, game.game());
        swapped.swap(0, 1);
        let of_swapped = one(path, setting, game.swapped(0, 1).game());
        near(&format!("{setting:?}"), &of_swapped, &swapped, 2.0 * tolerance)?;
    }
    let setting = Setting::new(6, None);
    let game = random(3);
    let mut swapped = one(path, setting, Arc::clone(&game));
    swapped.swap(0, 1);
    let renamed: Game = Arc::new(move |present| {
        let mut present = present.to_vec();
        present.swap(0, 1);
        game(&present)
    });
    near("any game, listed", &one(path, setting, renamed), &swapped, 1e-9)
}

fn null_player(path: &dyn Path) -> Check {
    for (setting, tolerance) in settings() {
        let null = setting.n_players - 1;
        let phi = one(path, setting, Quadratic::random(setting.n_players, 9, &[null]).game());
        let largest = phi.iter().fold(0.0_f64, |largest, attribution| largest.max(attribution.abs()));
        if phi[null].abs() > tolerance * largest {
            return Err(format!("{setting:?}: a null player got {:.3e} of {largest:.3e}", phi[null]));
        }
    }
    Ok(())
}

fn linear(path: &dyn Path) -> Check {
    for (setting, tolerance) in settings() {
        let (first, second) = (random(21), random(22));
        let games = (Arc::clone(&first), Arc::clone(&second));
        let sum: Game = Arc::new(move |present| 2.0 * games.0(present) - 3.0 * games.1(present));
        let (first, second) = (one(path, setting, first), one(path, setting, second));
        let of_parts: Vec<f64> = first.iter().zip(&second).map(|(a, b)| 2.0 * a - 3.0 * b).collect();
        // Both sides carry the rounding of differences of order 1, the attributions may be much smaller.
        near(&format!("{setting:?}"), &one(path, setting, sum), &of_parts, 3.0 * tolerance)?;
    }
    Ok(())
}

fn definition(path: &dyn Path) -> Check {
    for n_players in 1..=10 {
        let game = random(100 + n_players as u64);
        let shapley = shapley_by_definition(n_players, &game);
        near(&format!("{n_players} players"), &one(path, Setting::new(n_players, None), game), &shapley, 1e-9)?;
    }
    let game = Quadratic::random(40, 7, &[]);
    // Fewer pairs than twice the players stay in float64.
    for (setting, tolerance) in [
        (Setting::new(40, None), 1e-6),
        (Setting::trend(40, None), 1e-6),
        (Setting::new(40, Some(120)), 1e-9),
        (Setting::trend(40, Some(120)), 1e-9),
    ] {
        let phi = one(path, setting, game.game());
        near(&format!("pairwise interactions under {setting:?}"), &phi, &game.shapley(), tolerance)?;
    }
    Ok(())
}

fn batches(path: &dyn Path) -> Check {
    for (n_players, n_games) in [(5, 9), (13, 3), (30, 70)] {
        let setting = Setting::new(n_players, None);
        let games: Vec<Game> = (0..n_games).map(|seed| random(seed + 50)).collect();
        let together = path.attributions(setting, &games);
        for (idx, game) in games.iter().enumerate() {
            if one(path, setting, Arc::clone(game)) != together[idx] {
                return Err(format!("{setting:?}: game {idx} of {n_games} differs from itself alone"));
            }
        }
    }
    Ok(())
}

fn repeats(path: &dyn Path) -> Check {
    let setting = Setting::new(30, None);
    let games: Vec<Game> = (0..5).map(random).collect();
    let first = path.attributions(setting, &games);
    match (0..20).all(|_| path.attributions(setting, &games) == first) {
        true => Ok(()),
        false => Err("the same games gave other bits".to_owned()),
    }
}
