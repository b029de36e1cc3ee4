//! Games with known answers, played over HTTP by a model in a container: kernels, links, limits of the method.

use serde_json::{Value, json};

use crate::container::{StubContainer, baseline};
use crate::support::{Answer, TestApp, attributions, invoke};

async fn play(definition: Value, body: &str) -> Answer {
    TestApp::defining(definition).await.send(invoke("remote", body.to_owned())).await
}

fn kernel(name: &str) -> Value {
    json!({ "EXPLAIND_KERNEL": name })
}

fn assert_close(got: f64, expected: f64) {
    assert!((got - expected).abs() <= 1e-9 * expected.abs().max(1e-3), "{got} instead of {expected}");
}

#[tokio::test]
async fn three_of_n_players_win_together() {
    let squared = [
        (3, 1.0 / 3.0, 0.0),
        (4, 7.0 / 20.0, -1.0 / 20.0),
        (5, 11.0 / 30.0, -1.0 / 20.0),
        (6, 49.0 / 128.0, -19.0 / 384.0),
        (7, 181.0 / 455.0, -22.0 / 455.0),
    ];
    for (n, member, other) in squared {
        let container = StubContainer::scoring(|row| row[..3].iter().product()).await;
        for (name, member, other) in [("clarify", member, other), ("shapley", 1.0 / 3.0, 0.0)] {
            let definition = container.endpoint_with(baseline(&vec!["0"; n].join(",")), kernel(name));
            let answer = play(definition, &vec!["1"; n].join(",")).await;
            assert_eq!(answer.header("x-explaind-kernel"), name);
            for (idx, feature) in attributions(&answer)[0].iter().enumerate() {
                assert_close(feature[0], if idx < 3 { member } else { other });
            }
        }
    }
}

#[tokio::test]
async fn a_resolution_of_one_in_32_gives_the_denominators_of_the_recorded_answers() {
    // Prices around 400,000 in steps of 1/32, with interactions of all orders.
    let price = |row: &[f64]| {
        let mut state = row.iter().fold(7_u64, |state, &cell| state * 31 + cell.to_bits() % 1009);
        state ^= state >> 7;
        400_000.0 + (state % 3_200_000) as f64 / 32.0
    };
    let container = StubContainer::scoring(price).await;
    for (name, denominator) in [("clarify", 384.0), ("shapley", 60.0)] {
        let definition = container.endpoint_with(baseline("1995,3000,4,2,1,2"), kernel(name));
        let answer = play(definition, "2003,2412,3,3,2,1").await;
        let steps =
            attributions(&answer)[0].iter().map(|feature| feature[0] * 32.0 * denominator).collect::<Vec<f64>>();
        assert!(steps.iter().all(|step| (step - step.round()).abs() < 1e-3), "{name}: {steps:?}");
        let is_on_coarser_grid = |step: &f64| (step / 384.0 * 60.0 - (step / 384.0 * 60.0).round()).abs() < 1e-3;
        assert!(
            name == "shapley" || !steps.iter().all(is_on_coarser_grid),
            "{steps:?} are those of Shapley's kernel"
        );
    }
}

#[tokio::test]
async fn under_the_kernel_clarify_a_feature_equal_to_the_baseline_stays_a_player() {
    let container = StubContainer::scoring(|row| row[0] * row[1] * row[3]).await;
    // With and without the feature that is equal 14 coalitions are 7 rows: three features present in every way, but not
    // all of them absent, which is the baseline.
    for (name, n_synthetic) in [("clarify", 7), ("shapley", 6)] {
        let definition = container.endpoint_with(baseline("0,0,5,0"), kernel(name));
        let before = container.asked().len();
        let answer = play(definition, "1,1,5,1").await;
        let feature = attributions(&answer)[0][2][0];
        assert_eq!(feature == 0.0, name == "shapley", "{name}: {feature}");
        let rows: usize = container.asked()[before..].iter().map(|asked| asked.lines().len()).sum();
        assert_eq!(rows, 2 + n_synthetic, "{name}");
    }
}

#[tokio::test]
async fn attributions_add_up_to_1e_9_listed_and_sampled() {
    let model = |row: &[f64]| {
        1.0 / (1.0 + (-row.iter().enumerate().map(|(i, x)| x * (i as f64 - 5.0)).sum::<f64>()).exp())
    };
    for (n, logit) in [(6, false), (6, true), (16, false), (16, true)] {
        let container = StubContainer::scoring(model).await;
        let mut config = baseline(&vec!["0.5"; n].join(","));
        config["ShapConfig"]["UseLogit"] = json!(logit);
        let record: Vec<String> = (0..n).map(|idx| format!("0.{}", idx % 7)).collect();
        let answer = play(container.endpoint(config), &record.join(",")).await;
        let data =
            answer.json()["predictions"]["data"].as_str().expect("is text").parse::<f64>().expect("is a score");
        let base: Vec<f64> = serde_json::from_str(answer.header("x-explaind-base-values")).expect("is a list");
        let value = if logit { (data / (1.0 - data)).ln() } else { data };
        let sum: f64 = attributions(&answer)[0].iter().map(|feature| feature[0]).sum();
        assert!((sum - (value - base[0])).abs() <= 1e-9 * value.abs().max(base[0].abs()), "{n} {logit}");
    }
}

#[tokio::test]
async fn scores_of_0_and_1_are_clipped_and_counted_under_the_logit() {
    let container = StubContainer::scoring(|row| f64::from(row[0] + row[1] > 1.5)).await;
    let mut config = baseline("0,0");
    config["ShapConfig"]["UseLogit"] = json!(true);
    let answer = play(container.endpoint(config), "1,1").await;
    assert_eq!(answer.header("x-explaind-clipped"), "4");
    let sum: f64 = attributions(&answer)[0].iter().map(|feature| feature[0]).sum();
    let logit = |p: f64| (p / (1.0 - p)).ln();
    assert_close(sum, logit(1.0 - 1e-15) - logit(1e-15));
}

#[tokio::test]
async fn singular_games_are_finite_and_add_up() {
    type Model = fn(&[f64]) -> f64;
    let cases: [(&str, usize, Model, Option<u64>); 5] = [
        ("a constant model", 12, |_| 0.25, None),
        ("duplicate features", 5, |row| row[0] * row[1] + row[0], None),
        ("one feature", 1, |row| row[0], None),
        ("more players than samples", 30, |row| row.iter().product(), Some(10)),
        ("one sample", 4, |row| row[0] - row[3], Some(1)),
    ];
    for (title, n, model, samples) in cases {
        for name in ["shapley", "clarify"] {
            let container = StubContainer::scoring(model).await;
            let mut config = baseline(&vec!["0"; n].join(","));
            if let Some(samples) = samples {
                config["ShapConfig"]["NumberOfSamples"] = json!(samples);
            }
            let record: Vec<String> = (0..n).map(|idx| (1 + idx % 2).to_string()).collect();
            let answer = play(container.endpoint_with(config, kernel(name)), &record.join(",")).await;
            let row: Vec<f64> = record.iter().map(|cell| cell.parse().expect("is a number")).collect();
            let sum: f64 = attributions(&answer)[0].iter().map(|feature| feature[0]).sum();
            assert_close(sum, model(&row) - model(&vec![0.0; n]));
            if title == "a constant model" {
                assert!(attributions(&answer)[0].iter().all(|feature| feature[0] == 0.0), "{title}");
            }
        }
    }
}

#[tokio::test]
async fn a_record_equal_to_the_baseline_gets_zeros() {
    let container = StubContainer::scoring(|row| row[0] + 3.0).await;
    let answer = play(container.endpoint(baseline("1,2")), "1,2").await;
    assert_eq!(attributions(&answer), [[[0.0], [0.0]]]);
    assert_eq!(container.asked().iter().map(|asked| asked.lines().len()).sum::<usize>(), 2);
}

#[tokio::test]
async fn without_a_seed_and_with_one_repeated_calls_agree_and_seeds_differ() {
    let container = StubContainer::scoring(|row| row.iter().product::<f64>().sin()).await;
    let body = (1..=14).map(|idx| format!("1.{idx}")).collect::<Vec<String>>().join(",");
    let explained = async |seed: Option<i64>| {
        let mut config = baseline(&["1"; 14].join(","));
        if let Some(seed) = seed {
            config["ShapConfig"]["Seed"] = json!(seed);
        }
        attributions(&play(container.endpoint(config), &body).await)
    };
    let default = explained(None).await;
    assert_eq!(default, explained(None).await);
    assert_eq!(explained(Some(7)).await, explained(Some(7)).await);
    assert_ne!(default, explained(Some(7)).await);
}
