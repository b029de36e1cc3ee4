//! Attributions against the definition of Shapley values, whatever order, delays, duplicates and faults the rows meet.

use std::collections::HashSet;

use explaind::config::ContainerConfig;
use futures_util::future::join_all;
use serde_json::json;

use crate::container::{Asked, baseline};
use crate::fault_server::{Fault, FaultServer};
use crate::support::{TestApp, attributions, invoke, ms, with};

/// The splitmix64 generator (Steele, Lea, Flood 2014).
pub struct Dice(pub u64);

impl Dice {
    /// A number below `n`.
    pub fn roll(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % n
    }

    /// Few values, so that cells, rows and records repeat.
    fn rows(&mut self, n_rows: usize, n_features: usize) -> Vec<Vec<f64>> {
        (0..n_rows).map(|_| (0..n_features).map(|_| self.roll(4) as f64).collect()).collect()
    }
}

/// Every row has a score of its own, with interactions of all orders.
fn score(row: &[f64]) -> f64 {
    let mixed = row.iter().fold(17, |state, &cell| Dice(state + cell as u64).roll(1 << 40));
    (mixed % 100_003) as f64 / 1_009.0
}

struct Game {
    seed: u64,
    records: Vec<Vec<f64>>,
    baselines: Vec<Vec<f64>>,
    is_json: bool,
    has_faults: bool,
}

impl Game {
    fn of(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let n_features = 2 + dice.roll(4) as usize;
        let (n_records, n_baselines) = (1 + dice.roll(4) as usize, 1 + dice.roll(3) as usize);
        let mut records = dice.rows(n_records, n_features);
        records.push(records[0].clone());
        let baselines = dice.rows(n_baselines, n_features);
        Self { seed, records, baselines, is_json: seed.is_multiple_of(3), has_faults: seed % 2 == 1 }
    }

    fn row(&self, record: &[f64], present: usize, baseline: &[f64]) -> Vec<f64> {
        let cell = |idx: usize| if present >> idx & 1 == 1 { record[idx] } else { baseline[idx] };
        (0..record.len()).map(cell).collect()
    }

    fn value(&self, record: &[f64], present: usize) -> f64 {
        let scores = self.baselines.iter().map(|baseline| score(&self.row(record, present, baseline)));
        scores.sum::<f64>() / self.baselines.len() as f64
    }

    /// Σ_S |S|!(n−|S|−1)!/n! · (v(S ∪ i) − v(S)) (Shapley 1953).
    fn attribution(&self, record: &[f64], feature: usize) -> f64 {
        let n = record.len();
        let factorial = |n: usize| (1..=n).product::<usize>() as f64;
        let without = (0..1_usize << n).filter(|present| present >> feature & 1 == 0);
        let term = |present: usize| {
            let size = present.count_ones() as usize;
            let weight = factorial(size) * factorial(n - size - 1) / factorial(n);
            weight * (self.value(record, present | 1 << feature) - self.value(record, present))
        };
        without.map(term).sum()
    }

    fn write(&self, rows: &[Vec<f64>], is_json: bool) -> String {
        let cells = |row: &Vec<f64>| row.iter().map(f64::to_string).collect::<Vec<String>>().join(",");
        let line = |row| if is_json { format!("[{}]", cells(row)) } else { cells(row) };
        rows.iter().map(line).collect::<Vec<String>>().join("\n")
    }

    /// All rows of the synthetic dataset, without repeats.
    fn synthetic(&self) -> HashSet<String> {
        let rows = self.records.iter().flat_map(|record| {
            let full = (1 << record.len()) - 1;
            let of_coalition =
                move |present| self.baselines.iter().map(move |baseline| self.row(record, present, baseline));
            (0..full).flat_map(of_coalition)
        });
        rows.map(|row| self.write(&[row], self.is_json)).collect()
    }

    /// Answers overtake each other; every eleventh request may fail.
    fn fault(&self) -> impl Fn(usize, &Asked) -> Option<Fault> + Send + Sync + 'static {
        let (seed, has_faults) = (self.seed, self.has_faults);
        move |idx, asked| {
            let late =
                asked.body.bytes().fold(seed, |state, byte| Dice(state + u64::from(byte)).roll(1 << 40)) % 12;
            let is_batch = idx > 0 && asked.lines().len() > 1;
            let refusal = |of_batch| Fault::status(if is_batch { of_batch } else { 429 });
            let faults = [Fault::Reset, Fault::Truncated, Fault::status(503), refusal(400), refusal(413)];
            let fault = faults[(idx + seed as usize) / 11 % 5].clone();
            let is_due = has_faults && (idx + seed as usize) % 11 == 5;
            Some(if is_due { fault } else { Fault::Late(ms(late)) })
        }
    }

    async fn play(self) {
        let container = FaultServer::scoring(score, self.fault()).await;
        let mut dice = Dice(self.seed ^ 0xff);
        let mut config = baseline(&self.write(&self.baselines, false));
        config["InferenceConfig"] = json!({ "MaxRecordCount": 2 + dice.roll(4) });
        if self.is_json {
            config["InferenceConfig"]["ProbabilityAttribute"] = json!("score");
        }
        let treat = |containers: &mut ContainerConfig| {
            containers.container_in_flight_max = 2 + dice.roll(7) as usize;
            containers.container_retries_max = 10;
            containers.circuit_failures = 1_000;
        };
        let app = TestApp::treating(container.endpoint(config), treat).await;
        let content_type = if self.is_json { "application/jsonlines" } else { "text/csv" };
        let request = invoke("remote", self.write(&self.records, self.is_json));
        let answer = app.send(with(request, "content-type", content_type)).await;
        for (record, got) in self.records.iter().zip(attributions(&answer)) {
            for (feature, got) in got.concat().into_iter().enumerate() {
                let expected = self.attribution(record, feature);
                let seed = self.seed;
                assert!((got - expected).abs() < 1e-9, "seed {seed}: {got} instead of {expected} for {record:?}");
            }
        }
        self.check_asked(&container);
    }

    /// Exactly the synthetic dataset without repeats; rows that the client sent itself may be left out.
    fn check_asked(&self, container: &FaultServer) {
        let asked: Vec<String> =
            container.notes().into_iter().skip(1).map(|note| note.asked.body.clone()).collect();
        let asked: Vec<&str> = asked.iter().flat_map(|body| body.lines()).collect();
        let distinct: HashSet<String> = asked.iter().map(|row| (*row).to_owned()).collect();
        let mut expected = self.synthetic();
        if self.has_faults {
            return;
        }
        assert_eq!(asked.len(), distinct.len(), "seed {}: asked twice", self.seed);
        let own = self.records.iter().map(|record| self.write(std::slice::from_ref(record), self.is_json));
        let optional: HashSet<String> = own.collect();
        expected.retain(|row| !optional.contains(row));
        assert_eq!(&distinct - &optional, expected, "seed {}", self.seed);
    }
}

#[tokio::test]
async fn promise_18_rows_belong_to_their_answers_whatever_happens_on_the_way() {
    join_all((0..24).map(|seed| Game::of(seed).play())).await;
}
