//! What every compute path must keep, run on every path there is: each instruction set of the CPU, and the GPU.
//!
//! Without an adapter the GPU's tests are ignored, visibly. `EXPLAIND_REQUIRE_GPU=any` makes a missing adapter
//! a failure, `=discrete` a missing discrete GPU.

mod functions;
mod games;
mod known_answers;
mod kriging;
mod laws;
mod loss;
mod models;
mod oracle;
mod paths;
mod random_models;
mod twin_games;
mod twins;
mod wrong_twins;

use libtest_mimic::{Arguments, Failed, Trial};

/// A check says what it found wrong.
type Check = Result<(), String>;

fn trial(name: impl Into<String>, check: impl FnOnce() -> Check + Send + 'static) -> Trial {
    Trial::test(name, move || check().map_err(Failed::from))
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = known_answers::trials();
    trials.extend(wrong_twins::trials());
    for (name, path) in paths::all() {
        trials.extend(laws::trials(&name, &path));
        trials.extend(oracle::trials(&name, &path));
    }
    trials.extend(functions::trials());
    trials.extend(twins::trials());
    trials.extend(twin_games::trials());
    trials.extend(loss::trials());
    libtest_mimic::run(&arguments, trials).exit();
}
