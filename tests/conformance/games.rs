//! Games with known properties, and Shapley values by definition.

use std::sync::Arc;

/// v(coalition) for a slice that says who is present; v(nobody) = 0.
pub type Game = Arc<dyn Fn(&[bool]) -> f64 + Send + Sync>;

/// Small pseudo-random numbers in −1..1, the same on every machine (SplitMix64).
pub fn noise(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

fn key(present: &[bool]) -> u64 {
    present.iter().fold(1, |key: u64, &bit| key.wrapping_mul(0x100_0000_01B3).wrapping_add(u64::from(bit)))
}

/// Any value for any coalition: nothing but the definition holds.
pub fn random(seed: u64) -> Game {
    Arc::new(move |present| match present.contains(&true) {
        true => noise(seed ^ key(present)),
        false => 0.0,
    })
}

/// Weights and pairwise interactions. Paired designs recover its Shapley values exactly, sampled or not:
/// v(z) − v(complement) is linear in z.
#[derive(Clone)]
pub struct Quadratic {
    pub weights: Vec<f64>,
    pub pairs: Vec<(usize, usize, f64)>,
}

impl Quadratic {
    /// `null` players get neither weight nor interaction.
    pub fn random(n_players: usize, seed: u64, null: &[usize]) -> Self {
        let is_null = |player: &usize| null.contains(player);
        let weight = |player| if is_null(&player) { 0.0 } else { noise(seed + player as u64) };
        let pair = |first: usize| {
            let second = (first * 7 + 3) % n_players;
            let plays = first != second && !is_null(&first) && !is_null(&second);
            plays.then(|| (first, second, noise(seed ^ (first as u64 + 1_000))))
        };
        Self { weights: (0..n_players).map(weight).collect(), pairs: (0..n_players).filter_map(pair).collect() }
    }

    pub fn shapley(&self) -> Vec<f64> {
        let mut phi = self.weights.clone();
        for &(first, second, interaction) in &self.pairs {
            phi[first] += interaction / 2.0;
            phi[second] += interaction / 2.0;
        }
        phi
    }

    pub fn swapped(&self, a: usize, b: usize) -> Self {
        let rename = |player| {
            if player == a {
                b
            } else if player == b {
                a
            } else {
                player
            }
        };
        let mut weights = self.weights.clone();
        weights.swap(a, b);
        let pairs = self.pairs.iter().map(|&(first, second, v)| (rename(first), rename(second), v));
        Self { weights, pairs: pairs.collect() }
    }

    pub fn game(&self) -> Game {
        let own = self.clone();
        Arc::new(move |present| {
            let weights = own.weights.iter().zip(present).filter(|&(_, &here)| here).map(|(weight, _)| weight);
            let pairs = own.pairs.iter().filter(|&&(a, b, _)| present[a] && present[b]).map(|(_, _, v)| v);
            weights.sum::<f64>() + pairs.sum::<f64>()
        })
    }
}

/// φ_i = Σ_S |S|!(M−|S|−1)!/M! · (v(S∪i) − v(S)), over all coalitions (Shapley 1953).
pub fn shapley_by_definition(n_players: usize, game: &Game) -> Vec<f64> {
    let factorial = |n: usize| (1..=n).map(|i| i as f64).product::<f64>();
    let members = |mask: usize| (0..n_players).map(|player| mask >> player & 1 == 1).collect::<Vec<bool>>();
    let values: Vec<f64> = (0..1_usize << n_players).map(|mask| game(&members(mask))).collect();
    let share = |size: usize| factorial(size) * factorial(n_players - size - 1) / factorial(n_players);
    let gain = |player: usize, mask: usize| {
        share(mask.count_ones() as usize) * (values[mask | 1 << player] - values[mask])
    };
    let absent = |player: usize| (0..values.len()).filter(move |mask| mask >> player & 1 == 0);
    (0..n_players).map(|player| absent(player).map(|mask| gain(player, mask)).sum()).collect()
}

/// Largest |a − b|, as a share of the largest |b|; an error where shapes differ or numbers are not finite.
pub fn distance(got: &[f64], want: &[f64]) -> Result<f64, String> {
    if got.len() != want.len() || !got.iter().chain(want).all(|x| x.is_finite()) {
        return Err(format!("{got:?} cannot be compared with {want:?}"));
    }
    let scale = want.iter().fold(0.0_f64, |scale, x| scale.max(x.abs()));
    let apart = got.iter().zip(want).fold(0.0_f64, |apart, (a, b)| apart.max((a - b).abs()));
    Ok(if apart == 0.0 { 0.0 } else { apart / scale.max(f64::MIN_POSITIVE) })
}

/// Equal to `tolerance`, a share of the largest number. A tolerance that would pass anything is refused.
pub fn near(what: &str, got: &[f64], want: &[f64], tolerance: f64) -> Result<(), String> {
    if !(0.0..1e-3).contains(&tolerance) {
        return Err(format!("{what}: a tolerance of {tolerance} cannot fail"));
    }
    let apart = distance(got, want)?;
    if apart <= tolerance { Ok(()) } else { Err(format!("{what}: {apart:.3e} apart, more than {tolerance:.1e}")) }
}
