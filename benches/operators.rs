//! What operators cost that nobody has built yet: `cargo bench --bench operators`.
//!
//! One by one on one thread, for each number of players, kernel and estimator; then a hundred of a hundred texts, on one
//! thread and on all cores side by side, as one request has them built.

#[path = "support/spread.rs"]
mod spread;

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use explaind::config::{Kernel, SampledEstimator};
use explaind::shap::{Design, DesignLimits, Method, Operator, OperatorCache};
use spread::Spread;

const METHODS: [Method; 3] = [
    Method { kernel: Kernel::Shapley, estimator: SampledEstimator::KernelShap },
    Method { kernel: Kernel::Clarify, estimator: SampledEstimator::KernelShap },
    Method { kernel: Kernel::Shapley, estimator: SampledEstimator::Trend },
];
const TIMES: i64 = 9;

/// As the server keeps them by default.
const CACHE_BYTES: usize = 512 << 20;

/// An operator of 512 players, with the estimators that are taken for so many where none is named.
const TARGET_512_S: f64 = 0.3;

fn main() {
    println!("One thread, ms: median (quartiles) and shortest; 2M + 2048 samples\n");
    println!(
        "| players | estimator | kernel | built | median, ms | shortest, ms | bytes |\n|---|---|---|---|---|---|---|"
    );
    for n_players in [13, 20, 64, 128, 256, 512, 1024] {
        METHODS.iter().for_each(|&method| print_one(n_players, method));
    }
    println!("\nA hundred operators together, s\n");
    println!("| players | estimator | one thread | all cores | again | MiB kept |\n|---|---|---|---|---|---|");
    for (from, step) in [(20, 1), (20, 10)] {
        print_hundred((from..).step_by(step).take(100).collect());
    }
}

fn design(n_players: usize, seed: i64, method: Method) -> Design {
    let limits = DesignLimits { players_max: usize::MAX, operator_bytes_max: usize::MAX };
    Design::new(n_players, None, seed, method, limits).expect("no limit is met")
}

fn print_one(n_players: usize, method: Method) {
    let mut bytes = 0;
    let mut built = |seed| {
        let started = Instant::now();
        let operator = black_box(Operator::of(design(n_players, seed, method)));
        bytes = operator.bytes();
        started.elapsed().as_secs_f64()
    };
    let seconds: Vec<f64> = (0..TIMES).map(&mut built).collect();
    let shortest_s = seconds.iter().copied().fold(f64::INFINITY, f64::min);
    let Spread { lower_s, median_s, upper_s, n_calls } = Spread::of(seconds);
    let own = design(n_players, 0, method);
    let verdict = match (n_players, own.estimator == design(n_players, 0, usual(method.kernel)).estimator) {
        (512, true) if shortest_s > TARGET_512_S => " **over the target**",
        (512, true) => " (target 300)",
        _ => "",
    };
    println!(
        "| {n_players} | {} | {} | {n_calls} | {:.1} ({:.1} to {:.1}){verdict} | {:.1} | {bytes} |",
        own.estimator.name(),
        method.kernel.name(),
        median_s * 1e3,
        lower_s * 1e3,
        upper_s * 1e3,
        shortest_s * 1e3,
    );
}

/// What is taken where no estimator is named.
fn usual(kernel: Kernel) -> Method {
    Method { kernel, estimator: SampledEstimator::Auto }
}

fn print_hundred(players: Vec<usize>) {
    for estimator in [SampledEstimator::Auto, SampledEstimator::KernelShap] {
        let method = Method { kernel: Kernel::Shapley, estimator };
        let designs: Vec<Design> = players.iter().map(|&n_players| design(n_players, 0, method)).collect();
        let [one_s, all_s] = [1, thread::available_parallelism().map_or(1, usize::from)].map(|n_threads| {
            let cache = OperatorCache::new(CACHE_BYTES);
            (get_all(&cache, &designs, n_threads), cache)
        });
        let again_s = get_all(&all_s.1, &designs, 1);
        println!(
            "| {} to {} | {} | {:.2} | {:.2} | {again_s:.4} | {} |",
            players[0],
            players[players.len() - 1],
            estimator.name(),
            one_s.0,
            all_s.0,
            all_s.1.bytes() >> 20,
        );
    }
}

/// Seconds until all are there.
fn get_all(cache: &OperatorCache, designs: &[Design], n_threads: usize) -> f64 {
    let (next, started) = (AtomicUsize::new(0), Instant::now());
    let work = || {
        while let Some(&design) = designs.get(next.fetch_add(1, Ordering::Relaxed)) {
            black_box(cache.get(design));
        }
    };
    thread::scope(|scope| (0..n_threads).for_each(|_| drop(scope.spawn(work))));
    started.elapsed().as_secs_f64()
}
