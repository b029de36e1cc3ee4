//! Attributions of units against the definition of Shapley values: texts and numbers in one game, several baseline rows,
//! both formats. The units are those of the answer; rows are spliced here as the contract has it.

use serde_json::{Value, json};

use crate::backend_property::Dice;
use crate::container::{StubContainer, csv};
use crate::support::{TestApp, invoke, with};

const WORDS: [&str; 6] = ["ab", "it's", "\"q\"", "é😀", "x.", "\u{200f}عر"];
const REPLACEMENTS: [&str; 4] = ["<UNK>", "", "ab", "a b"];

type Row = (u64, String);

/// Every row has a score of its own, with interactions of all orders.
fn score((number, text): &Row) -> f64 {
    let mixed = text.bytes().fold(number + 17, |state, byte| Dice(state + u64::from(byte)).roll(1 << 40));
    (mixed % 100_003) as f64 / 1_009.0
}

fn line((number, text): &Row, is_json: bool) -> String {
    if is_json { json!([number, text]).to_string() } else { format!("{number},\"{}\"", text.replace('"', "\"\"")) }
}

/// A line of either format; what stands between its quotes is all on one line.
fn row(line: &str) -> Row {
    if line.starts_with('[') {
        return serde_json::from_str(line).expect("is a JSON record");
    }
    let (number, text) = line.split_once(',').expect("has two cells");
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).expect("texts are quoted");
    (number.parse().expect("is a number"), text.replace("\"\"", "\""))
}

struct Game {
    record: Row,
    /// Where each unit begins and ends, in bytes.
    units: Vec<(usize, usize)>,
    baselines: Vec<Row>,
}

impl Game {
    fn is_player(&self, piece: usize) -> bool {
        self.baselines.iter().any(|(number, text)| match piece.checked_sub(1) {
            None => *number != self.record.0,
            Some(unit) => *text != self.record.1[self.units[unit].0..self.units[unit].1],
        })
    }

    fn spliced(&self, present: usize, (number, text): &Row) -> Row {
        let mut spliced = String::new();
        let mut at = 0;
        for (idx, &(start, end)) in self.units.iter().enumerate() {
            spliced.push_str(&self.record.1[at..start]);
            let is_present = present >> (idx + 1) & 1 == 1;
            spliced.push_str(if is_present { &self.record.1[start..end] } else { text });
            at = end;
        }
        spliced.push_str(&self.record.1[at..]);
        (if present & 1 == 1 { self.record.0 } else { *number }, spliced)
    }

    /// Nobody is worth what the baseline rows are.
    fn value(&self, present: usize) -> f64 {
        let of_row = |row: &Row| match present {
            0 => score(row),
            _ => score(&self.spliced(present, row)),
        };
        self.baselines.iter().map(of_row).sum::<f64>() / self.baselines.len() as f64
    }

    /// Of each piece, zero where it does not play (Shapley 1953).
    fn attributions(&self) -> Vec<f64> {
        let players: Vec<usize> = (0..=self.units.len()).filter(|&piece| self.is_player(piece)).collect();
        let bits = |set: usize| players.iter().enumerate().map(|(idx, &piece)| (set >> idx & 1) << piece).sum();
        let values: Vec<f64> = (0..1 << players.len()).map(|set| self.value(bits(set))).collect();
        let factorial = |n: usize| (1..=n).product::<usize>() as f64;
        let n = players.len();
        let mut attributions = vec![0.0; self.units.len() + 1];
        for (idx, &piece) in players.iter().enumerate() {
            for without in (0..1_usize << n).filter(|set| set >> idx & 1 == 0) {
                let size = without.count_ones() as usize;
                let weight = factorial(size) * factorial(n - size - 1) / factorial(n);
                attributions[piece] += weight * (values[without | 1 << idx] - values[without]);
            }
        }
        attributions
    }
}

/// Where the units of a described text are, in bytes, and all attributions of the record.
fn read(record: &Value, text: &str) -> (Vec<(usize, usize)>, Vec<f64>) {
    let at = |n_chars: usize| text.char_indices().nth(n_chars).map_or(text.len(), |(byte, _)| byte);
    let unit = |item: &Value| {
        let start = at(item["description"]["start_idx"].as_u64().expect("is a number") as usize);
        let partial_text = item["description"]["partial_text"].as_str().expect("is a text");
        assert!(text[start..].starts_with(partial_text), "{partial_text:?} is not at {start} of {text:?}");
        (start, start + partial_text.len())
    };
    let items = |feature: usize| record[feature]["attributions"].as_array().expect("is a list");
    let number = |item: &Value| item["attribution"][0].as_f64().expect("is a number");
    (items(1).iter().map(unit).collect(), items(0).iter().chain(items(1)).map(number).collect())
}

async fn play(seed: u64) {
    let mut dice = Dice(seed);
    let words = |dice: &mut Dice| {
        let n_words = 1 + dice.roll(3);
        (0..n_words).map(|_| WORDS[dice.roll(6) as usize]).collect::<Vec<_>>().join(" ")
    };
    let records: Vec<Row> = (0..3).map(|_| (dice.roll(3), words(&mut dice))).collect();
    let n_baselines = 1 + dice.roll(2);
    let replacement = |dice: &mut Dice| REPLACEMENTS[dice.roll(4) as usize].to_owned();
    let baselines: Vec<Row> = (0..n_baselines).map(|_| (dice.roll(3), replacement(&mut dice))).collect();
    let is_json = seed % 2 == 1;
    let lines = |rows: &[Row], is_json| rows.iter().map(|row| line(row, is_json)).collect::<Vec<_>>().join("\n");
    let scored = |line: &&str| format!("{:?}", score(&row(line)));
    let container =
        StubContainer::start(move |asked| csv(asked.lines().iter().map(scored).collect::<Vec<_>>().join("\n")))
            .await;
    let config = json!({
        "InferenceConfig": {"FeatureTypes": ["numerical", "text"]},
        "ShapConfig": {
            "ShapBaselineConfig": {"ShapBaseline": lines(&baselines, false)},
            "TextConfig": {"Granularity": "token", "Language": "en"},
        },
    });
    let content_type = if is_json { "application/jsonlines" } else { "text/csv" };
    let request = with(invoke("remote", lines(&records, is_json)), "content-type", content_type);
    let answer = TestApp::defining(container.endpoint(config)).await.send(request).await;
    assert_eq!(answer.status, 200, "seed {seed}: {answer:?}");
    for (idx, record) in records.into_iter().enumerate() {
        let (units, got) = read(&answer.json()["explanations"]["kernel_shap"][idx], &record.1);
        let game = Game { record, units, baselines: baselines.clone() };
        for (piece, (got, expected)) in got.iter().zip(game.attributions()).enumerate() {
            let record = &game.record;
            assert!(
                (got - expected).abs() < 1e-9,
                "seed {seed}, {record:?}, piece {piece}: {got} instead of {expected}"
            );
        }
    }
}

#[tokio::test]
async fn units_get_the_shapley_values_of_their_texts() {
    for seed in 0..24 {
        play(seed).await;
    }
}
