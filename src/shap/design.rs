//! Which game design a record gets: how many coalitions, listed or sampled, and how many of each size.

use super::kernel::{binomial, ln_binomial, ln_weight};
use super::{operator, trend};
use crate::config::{Kernel, SampledEstimator};

/// Samples beyond 2M when NumberOfSamples is not given (SageMaker documentation, "Synthetic dataset").
const DEFAULT_EXTRA_SAMPLES: u64 = 2048;

/// Games that get the estimator `trend` where none is named: an operator of as many players is solved in some 30 ms with the
/// default samples, one of as many samples in some 150 ms.
const AUTO_TREND_PLAYERS_MAX: usize = 128;
const AUTO_TREND_SAMPLES_MAX: u64 = 4096;

/// How attributions are estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Estimator {
    /// All coalitions are listed: exact for the kernel.
    Enumerated,
    /// Paired coalitions without repeats, constrained weighted least squares.
    KernelShap,
    /// The same coalitions, with a smooth prior on what is not additive.
    Trend,
}

impl Estimator {
    pub fn name(self) -> &'static str {
        match self {
            Self::Enumerated => "enumerated",
            Self::KernelShap => "kernel-shap",
            Self::Trend => "trend",
        }
    }
}

/// Which values are estimated, and how where not all coalitions are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Method {
    pub kernel: Kernel,
    pub estimator: SampledEstimator,
}

impl From<Kernel> for Method {
    fn from(kernel: Kernel) -> Self {
        Self { kernel, estimator: SampledEstimator::KernelShap }
    }
}

impl Method {
    fn estimator(self, n_players: usize, n_samples: u64) -> Estimator {
        let is_soon_solved = n_players <= AUTO_TREND_PLAYERS_MAX && n_samples <= AUTO_TREND_SAMPLES_MAX;
        match self.estimator {
            SampledEstimator::Auto if self.kernel == Kernel::Shapley && is_soon_solved => Estimator::Trend,
            SampledEstimator::Auto | SampledEstimator::KernelShap => Estimator::KernelShap,
            SampledEstimator::Trend => Estimator::Trend,
        }
    }
}

/// Everything that decides coalitions and operator; equal designs have equal operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Design {
    pub n_players: usize,
    /// Pairs of a coalition and its complement.
    pub n_pairs: usize,
    pub seed: i64,
    pub kernel: Kernel,
    pub estimator: Estimator,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DesignError {
    #[error("{n_players} players are more than the limit of {limit} players")]
    TooManyPlayers { n_players: usize, limit: usize },
    #[error(
        "{n_players} players with {n_samples} samples need an operator of {bytes} bytes; the limit is {limit} bytes"
    )]
    TooLarge { n_players: usize, n_samples: u64, bytes: usize, limit: usize },
    #[error("the estimator trend takes at most {limit} samples, {n_samples} are asked for")]
    TooManySamples { n_samples: u64, limit: u64 },
    #[error("the estimator trend is made for the kernel shapley, not for the kernel {}", .0.name())]
    TrendKernel(Kernel),
}

/// What a design may cost.
#[derive(Clone, Copy, Debug)]
pub struct DesignLimits {
    pub players_max: usize,
    /// One operator, in bytes.
    pub operator_bytes_max: usize,
}

impl Design {
    /// n_samples = min(`number_of_samples` or 2M + 2048, 2^M − 2), one less when odd: coalitions come in pairs.
    /// A kernel alone is that of estimator `kernel-shap`.
    pub fn new(
        n_players: usize,
        number_of_samples: Option<u64>,
        seed: i64,
        method: impl Into<Method>,
        limits: DesignLimits,
    ) -> Result<Self, DesignError> {
        let DesignLimits { players_max, operator_bytes_max } = limits;
        let method = method.into();
        let kernel = method.kernel;
        if method.estimator == SampledEstimator::Trend && kernel != Kernel::Shapley {
            return Err(DesignError::TrendKernel(kernel));
        }
        if n_players > players_max {
            return Err(DesignError::TooManyPlayers { n_players, limit: players_max });
        }
        let n_all = if n_players < 64 { (1_u64 << n_players).saturating_sub(2) } else { u64::MAX };
        let wanted = number_of_samples.unwrap_or(2 * n_players as u64 + DEFAULT_EXTRA_SAMPLES);
        let n_samples = wanted.min(n_all);
        let enumerated = wanted >= n_all;
        let mut design = Self {
            n_players,
            n_pairs: usize::try_from(n_samples / 2).unwrap_or(usize::MAX),
            // A listing draws nothing, so every seed shares one operator.
            seed: if enumerated { 0 } else { seed },
            kernel,
            estimator: if enumerated { Estimator::Enumerated } else { method.estimator(n_players, n_samples) },
        };
        if method.estimator == SampledEstimator::Auto && design.building_bytes() > operator_bytes_max {
            design.estimator = if enumerated { Estimator::Enumerated } else { Estimator::KernelShap };
        }
        if design.estimator == Estimator::Trend && n_samples > trend::SAMPLES_MAX {
            return Err(DesignError::TooManySamples { n_samples, limit: trend::SAMPLES_MAX });
        }
        match design.building_bytes() {
            bytes if bytes <= operator_bytes_max => Ok(design),
            bytes => Err(DesignError::TooLarge { n_players, n_samples, bytes, limit: operator_bytes_max }),
        }
    }

    /// Whether the operator stays in float64: listings are exact, and with hardly more pairs than players the
    /// regression is so badly conditioned that float32 would show.
    pub fn is_double(&self) -> bool {
        self.estimator == Estimator::Enumerated || self.n_pairs < 2 * self.n_players
    }

    /// Size of the operator's matrix, without its padding.
    pub fn operator_bytes(&self) -> usize {
        let element_bytes = if self.is_double() { size_of::<f64>() } else { size_of::<f32>() };
        self.n_pairs.saturating_mul(self.n_players).saturating_mul(element_bytes)
    }

    /// Memory that is there together while the operator is built.
    pub fn building_bytes(&self) -> usize {
        let solving_bytes = match self.estimator {
            Estimator::Trend => trend::solving_bytes(self.n_pairs, self.n_players),
            Estimator::KernelShap => operator::solving_bytes(self.n_pairs, self.n_players),
            Estimator::Enumerated => 0,
        };
        self.operator_bytes().saturating_add(solving_bytes)
    }

    /// Pairs drawn of each size class, for classes 1, 2, ... ⌊M/2⌋. Class s holds the pairs of sizes s and M−s.
    pub(super) fn pairs_per_class(&self) -> Vec<u64> {
        let available: Vec<u64> = (1..=self.n_players / 2).map(|s| class_pairs(self.n_players, s)).collect();
        let budget = self.n_pairs as u64;
        match (self.estimator, self.kernel) {
            (Estimator::Enumerated, _) => available,
            (_, Kernel::Shapley) => equal_per_size(self.n_players, &available, budget),
            (_, Kernel::Clarify) => outside_in(&available, budget),
        }
    }

    /// ln of the regression weight of a coalition of class `size` when `drawn` pairs of the class are used:
    /// the kernel over the probability of being drawn.
    pub(super) fn ln_weight(&self, size: usize, drawn: u64) -> f64 {
        let ln_kernel = ln_weight(self.kernel, self.n_players, size);
        if self.estimator == Estimator::Enumerated {
            return ln_kernel;
        }
        ln_kernel + ln_class_pairs(self.n_players, size) - (drawn as f64).ln()
    }
}

/// Distinct pairs {z, complement of z} with |z| = `size`; saturating.
pub(super) fn class_pairs(n_players: usize, size: usize) -> u64 {
    if 2 * size == n_players { binomial(n_players - 1, size - 1) } else { binomial(n_players, size) }
}

fn ln_class_pairs(n_players: usize, size: usize) -> f64 {
    let ln_all = ln_binomial(n_players, size);
    if 2 * size == n_players { ln_all - 2_f64.ln() } else { ln_all }
}

/// Equal counts for every size (the leverage law, Musco & Witter, "Provably accurate Shapley value
/// estimation via leverage score sampling", 2025), full classes enumerated, what they leave shared among the others.
fn equal_per_size(n_players: usize, available: &[u64], budget: u64) -> Vec<u64> {
    // A pair of class M/2 holds two coalitions of one size, so that class gets half a share.
    let share = |idx: usize| if 2 * (idx + 1) == n_players { 1_u64 } else { 2 };
    let mut counts = vec![0; available.len()];
    let mut open: Vec<usize> = (0..available.len()).collect();
    let mut left = budget;
    loop {
        let shares: u64 = open.iter().map(|&idx| share(idx)).sum();
        let fits = |idx: usize| u128::from(available[idx]) * u128::from(shares) <= u128::from(left * share(idx));
        let (full, rest): (Vec<usize>, Vec<usize>) = open.iter().partition(|&&idx| fits(idx));
        if full.is_empty() {
            spread(&mut counts, &open, left, shares, share);
            return counts;
        }
        for idx in full {
            counts[idx] = available[idx];
            left -= available[idx];
        }
        open = rest;
    }
}

/// Shares `left` pairs among the open classes in proportion; the remainder goes to the smallest sizes.
fn spread(counts: &mut [u64], open: &[usize], left: u64, shares: u64, share: impl Fn(usize) -> u64) {
    for &idx in open {
        counts[idx] = left * share(idx) / shares;
    }
    let given: u64 = open.iter().map(|&idx| counts[idx]).sum();
    for &idx in open.iter().take((left - given) as usize) {
        counts[idx] += 1;
    }
}

/// Whole classes from the outside in: sizes 1 and M−1, then 2 and M−2, until the budget ends.
fn outside_in(available: &[u64], budget: u64) -> Vec<u64> {
    let mut left = budget;
    let take = |&pairs: &u64| {
        let taken = pairs.min(left);
        left -= taken;
        taken
    };
    available.iter().map(take).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_LIMITS: DesignLimits = DesignLimits { players_max: usize::MAX, operator_bytes_max: usize::MAX };

    fn design(n_players: usize, number_of_samples: Option<u64>, kernel: Kernel) -> Design {
        Design::new(n_players, number_of_samples, 0, kernel, NO_LIMITS).expect("no limit is met")
    }

    #[test]
    fn the_number_of_samples_follows_the_documented_formula() {
        for (n_players, given, n_samples) in [
            (10, None, 1022),
            (20, None, 2088),
            (11, None, 2046),
            (12, None, 2072),
            (14, None, 2076),
            (30, Some(501), 500),
            (30, Some(1), 0),
            (3, Some(1_000_000), 6),
            (2, None, 2),
            (1, None, 0),
            (0, None, 0),
            (256, None, 2560),
        ] {
            let design = design(n_players, given, Kernel::Shapley);
            assert_eq!(2 * design.n_pairs as u64, n_samples, "{n_players} {given:?}");
        }
    }

    #[test]
    fn counts_use_the_whole_budget_and_stay_within_each_class() {
        for kernel in [Kernel::Shapley, Kernel::Clarify] {
            for n_players in [4, 5, 11, 12, 13, 30, 64, 128, 256] {
                for given in [None, Some(2), Some(3), Some(11), Some(100), Some(5000)] {
                    let design = design(n_players, given, kernel);
                    let counts = design.pairs_per_class();
                    assert_eq!(counts.iter().sum::<u64>(), design.n_pairs as u64, "{design:?}");
                    for (idx, &count) in counts.iter().enumerate() {
                        assert!(count <= class_pairs(n_players, idx + 1), "{design:?} {counts:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_open_size_gets_equally_many_coalitions() {
        let counts = design(30, None, Kernel::Shapley).pairs_per_class();
        assert_eq!(counts[0], 30);
        let per_size: Vec<u64> = counts[1..14].iter().copied().chain([2 * counts[14]]).collect();
        let (least, most) = (per_size.iter().min(), per_size.iter().max());
        assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 2), "{counts:?}");
    }

    #[test]
    fn clarify_fills_sizes_from_the_outside_in() {
        assert_eq!(design(48, None, Kernel::Clarify).pairs_per_class()[..3], [48, 1024, 0]);
    }

    fn limits(players_max: usize, operator_bytes_max: usize) -> DesignLimits {
        DesignLimits { players_max, operator_bytes_max }
    }

    #[test]
    fn where_none_is_named_trend_estimates_what_it_solves_soon() {
        let estimator = |n_players, number_of_samples, kernel| {
            let method = Method { kernel, estimator: SampledEstimator::Auto };
            Design::new(n_players, number_of_samples, 0, method, NO_LIMITS).expect("no limit is met").estimator
        };
        assert_eq!(estimator(30, None, Kernel::Shapley), Estimator::Trend);
        assert_eq!(estimator(128, Some(4096), Kernel::Shapley), Estimator::Trend);
        assert_eq!(estimator(128, Some(4098), Kernel::Shapley), Estimator::KernelShap);
        assert_eq!(estimator(129, None, Kernel::Shapley), Estimator::KernelShap);
        assert_eq!(estimator(30, None, Kernel::Clarify), Estimator::KernelShap);
        assert_eq!(estimator(10, None, Kernel::Shapley), Estimator::Enumerated);
    }

    #[test]
    fn limits_name_the_number_and_the_limit() {
        let too_many = Design::new(300, None, 0, Kernel::Shapley, limits(256, usize::MAX));
        assert_eq!(too_many.unwrap_err().to_string(), "300 players are more than the limit of 256 players");
        let too_large = Design::new(40, Some(1 << 40), 0, Kernel::Shapley, limits(256, 1 << 20));
        assert!(too_large.unwrap_err().to_string().ends_with("the limit is 1048576 bytes"));
    }

    #[test]
    fn trend_is_limited_in_samples_and_in_what_solving_takes_and_has_one_kernel() {
        let of = |kernel, n_samples, operator_bytes_max| {
            let method = Method { kernel, estimator: SampledEstimator::Trend };
            Design::new(40, Some(n_samples), 0, method, limits(256, operator_bytes_max))
        };
        let estimator = of(Kernel::Shapley, 8192, usize::MAX).map(|design| design.estimator);
        assert_eq!(estimator, Ok(Estimator::Trend));
        let reason = |design: Result<Design, DesignError>| design.unwrap_err().to_string();
        assert_eq!(
            reason(of(Kernel::Shapley, 8194, usize::MAX)),
            "the estimator trend takes at most 8192 samples, 8194 are asked for"
        );
        let too_large = reason(of(Kernel::Shapley, 2000, 8 << 20));
        assert!(too_large.ends_with("the limit is 8388608 bytes"), "{too_large}");
        assert_eq!(
            reason(of(Kernel::Clarify, 100, usize::MAX)),
            "the estimator trend is made for the kernel shapley, not for the kernel clarify"
        );
    }

    #[test]
    fn listings_are_enumerated_whatever_the_estimator() {
        let method = Method { estimator: SampledEstimator::Trend, ..Method::default() };
        let design = |n_samples| Design::new(11, n_samples, 0, method, NO_LIMITS).expect("no limit is met");
        assert_eq!(design(None).estimator, Estimator::Enumerated);
        assert_eq!(design(Some(2044)).estimator, Estimator::Trend);
        assert_eq!(design(Some(1 << 40)).estimator, Estimator::Enumerated);
    }
}
