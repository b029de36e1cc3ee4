//! Files made to harm: they end as a form that answers, or as an error, within limits of time and memory.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use prost::Message;

use super::builder::{Builder, floats, int, ints, text};
use super::proto::{TensorProto, elem};
use super::tests::{error, load, margins, pipeline, stump};
use super::text_tests::{self, tokenizer, vectorizer};
use crate::form::Feature;
use crate::model::embedded::{FileModel, Scorer};
use crate::offload::Stop;
use crate::records::{Format, Table};

fn tree() -> Vec<u8> {
    let input = Builder::default().input("x", elem::FLOAT, 2).output("y", elem::FLOAT);
    input.node("TreeEnsembleClassifier", "x", "label y", stump()).file()
}

/// Loads what may be damaged; what is accepted must answer, in time.
fn check(file: &[u8]) {
    let start = Instant::now();
    match super::load(file) {
        Err(_) => {}
        Ok(FileModel::Form(form)) => {
            for x in [f32::NAN, 0.0, -3.5, f32::INFINITY] {
                margins(&form, &vec![x; form.n_features()]);
            }
        }
        Ok(FileModel::Text(model)) if super::recognise(file) => answer_text(file, model.features()),
        // A changed first byte is one of no ONNX file, so that nobody comes here with it.
        Ok(FileModel::Text(_)) => {}
    }
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// What cuts its texts too slowly may say so.
fn answer_text(file: &[u8], features: &[Feature]) {
    let scorer = Scorer::read(file, 0).expect("was read before");
    let cell = |feature: &Feature| if *feature == Feature::Number { "1" } else { "\"A b, b été\u{130}\"" };
    let record = features.iter().map(cell).collect::<Vec<_>>().join(",");
    let table = Table::read(record.as_bytes(), Format::Csv, None, 1).expect("is a table");
    let answered = scorer.margins(&table, &Stop::default());
    assert!(answered.map_or_else(|error| error.to_string().contains("steps"), |margins| !margins.is_empty()));
}

#[test]
fn columns_that_double_at_each_node_meet_a_limit() {
    let mut builder = Builder::default().input("x0", elem::FLOAT, 2).output("y", elem::FLOAT);
    for n in 0..60 {
        let (input, output) = (format!("x{n} x{n}"), format!("x{}", n + 1));
        builder = builder.node("Concat", &input, &output, vec![int("axis", 1)]);
    }
    let text = error(&builder.node("Identity", "x60", "y", vec![]).file());
    assert!(text.contains("the number of columns is 131072; expected 1 to 65536"), "{text}");
}

#[test]
fn steps_and_lists_that_are_copied_many_times_meet_a_limit() {
    let wide = |width| Builder::default().input("x0", elem::FLOAT, width).output("y", elem::FLOAT);
    let mut steps = wide(65_536);
    for n in 0..2_000 {
        steps = steps.node(
            "Scaler",
            &format!("x{n}"),
            &format!("x{}", n + 1),
            vec![floats("offset", &[1.0]), floats("scale", &[1.0])],
        );
    }
    let keys: Vec<i64> = (0..100_000).collect();
    let lists = vec![ints("keys_int64s", &keys), ints("values_int64s", &keys)];
    let lists = wide(65_536).node("LabelEncoder", "x0", "y", lists);
    for builder in [steps.node("Identity", "x2000", "y", vec![]), lists] {
        let start = Instant::now();
        let text = error(&builder.file());
        assert!(text.contains("the limit is 67108864"), "{text}");
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn tensors_say_no_more_than_they_hold() {
    let huge = [i64::MAX, 1 << 40];
    let cases: [(&[i64], usize); 6] =
        [(&huge, 0), (&[1 << 40], 1), (&[-1], 1), (&[0, 1 << 40], 0), (&[1; 9], 1), (&[3], 2)];
    for (dims, n) in cases {
        let builder = Builder::default().input("x", elem::FLOAT, 1).output("y", elem::FLOAT);
        let builder = builder.floats("w", dims, &vec![1.0; n]).node("MatMul", "x w", "y", vec![]);
        let text = error(&builder.file());
        assert!(text.contains("has the dimensions") || text.contains("the number of sums is"), "{text}");
    }
    let raw = TensorProto {
        data_type: elem::DOUBLE,
        dims: vec![1],
        raw_data: vec![0; 9].into(),
        ..TensorProto::default()
    };
    let builder = Builder::default().input("x", elem::FLOAT, 1).output("y", elem::FLOAT).tensor("w", raw);
    assert!(error(&builder.file()).contains("the length of raw_data is 9; expected a multiple of 8 bytes"));
}

#[test]
fn more_nodes_than_the_limit_are_refused_before_they_are_read() {
    // A node without content takes two bytes.
    let graph = [0x0a, 0x00].repeat(1_000_000);
    let mut file = vec![0x08, 0x08, 0x3a];
    prost::encoding::encode_varint(graph.len() as u64, &mut file);
    file.extend(graph);
    assert_eq!(error(&file), "1000000 times node; the limit is 16384");
}

#[test]
fn a_chain_of_all_nodes_that_are_allowed_loads() {
    let mut builder =
        Builder::default().input("x0", elem::FLOAT, 1).output("y", elem::FLOAT).floats("w", &[1, 1], &[2.0]);
    for n in 0..16_000 {
        builder = builder.node("Identity", &format!("x{n}"), &format!("x{}", n + 1), vec![]);
    }
    let form = load(&builder.node("MatMul", "x16000 w", "y", vec![]).file()).unwrap();
    assert_eq!(margins(&form, &[3.0]), [6.0]);
}

#[test]
fn expressions_and_vocabularies_meet_a_limit() {
    let input = || Builder::default().input("x", elem::STRING, 1).output("y", elem::FLOAT);
    let mut expressions = input();
    for n in 0..2_000 {
        let expression = vec![text("tokenexp", &format!(r"[\pL]{{{}}}(a|[\pL\pN]+){n}", 20 + n % 10))];
        expressions = expressions.node_of("com.microsoft", "Tokenizer", "x", &format!("t{n}"), expression);
        expressions = expressions.node("TfIdfVectorizer", &format!("t{n}"), &format!("n{n}"), vectorizer());
    }
    let mut wide = vectorizer();
    wide.retain(|attribute| attribute.name != "ngram_indexes");
    wide.push(ints("ngram_indexes", &[0, 1, 2, 3, (1 << 20) - 1]));
    let mut vocabularies = input().node_of("com.microsoft", "Tokenizer", "x", "t", tokenizer());
    for n in 0..2_000 {
        vocabularies = vocabularies.node("TfIdfVectorizer", "t", &format!("n{n}"), wide.clone());
    }
    let all: Vec<String> = (0..2_000).map(|n| format!("n{n}")).collect();
    let sum = |builder: Builder| builder.node("Sum", &all.join(" "), "y", vec![]);
    for (builder, fragment) in
        [(sum(expressions), "of all expressions up to here is"), (sum(vocabularies), "the limit is 67108864")]
    {
        let start = Instant::now();
        let told = error(&builder.file());
        assert!(told.contains(fragment), "{told}");
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    }
}

/// Inputs beside each other, then sums of `width` columns.
fn joined(builder: Builder, parts: &str, width: i64) -> Vec<u8> {
    let weights = vec![1.0; width as usize];
    let builder = builder.floats("w", &[width, 1], &weights).node("Concat", parts, "c", vec![int("axis", 1)]);
    builder.node("MatMul", "c w", "y", vec![]).file()
}

fn vectorized(builder: Builder, tokens: &str, counts: &str) -> Builder {
    builder.node("TfIdfVectorizer", tokens, counts, vectorizer())
}

#[test]
fn terms_that_double_at_each_node_meet_a_limit() {
    let input = Builder::default().input("x", elem::STRING, 1).output("y", elem::FLOAT);
    let mut builder = vectorized(input.node_of("com.microsoft", "Tokenizer", "x", "t", tokenizer()), "t", "n0");
    for n in 0..17 {
        builder = builder.node("Concat", &format!("n{n} n{n}"), &format!("n{}", n + 1), vec![int("axis", 1)]);
    }
    let told = error(&joined(builder.clone(), "n17", 5 << 17));
    assert!(told.contains("the number of vectorizers beside each other is 128; expected at most 64"), "{told}");
    check(&joined(builder, "n6", 5 << 6));
}

#[test]
fn a_model_of_too_many_texts_is_refused() {
    let reading = |n_texts: i64| {
        let input = Builder::default().input("x", elem::STRING, n_texts).output("y", elem::FLOAT);
        let mut builder = input;
        for n in 0..n_texts {
            builder = builder.integers(&format!("i{n}"), &[n]);
            builder = builder.node("Gather", &format!("x i{n}"), &format!("x{n}"), vec![int("axis", 1)]);
            builder =
                builder.node_of("com.microsoft", "Tokenizer", &format!("x{n}"), &format!("t{n}"), tokenizer());
            builder = vectorized(builder, &format!("t{n}"), &format!("n{n}"));
        }
        let all: Vec<String> = (0..n_texts).map(|n| format!("n{n}")).collect();
        joined(builder, &all.join(" "), 5 * n_texts)
    };
    let told = error(&reading(65));
    assert!(told.contains("the number of vectorizers beside each other is 65; expected at most 64"), "{told}");
    check(&reading(64));
}

#[test]
fn lists_beside_terms_that_are_copied_many_times_meet_a_limit() {
    let keys: Vec<i64> = (0..100_000).collect();
    let builder = Builder::default()
        .input("x", elem::STRING, 1)
        .input("age", elem::FLOAT, 1)
        .output("y", elem::FLOAT)
        .node_of("com.microsoft", "Tokenizer", "x", "t", tokenizer())
        .node("LabelEncoder", "age", "h", vec![ints("keys_int64s", &keys), ints("values_int64s", &keys)]);
    let told = error(&joined(vectorized(builder, "t", "n"), &format!("n{}", " h".repeat(2_000)), 2_005));
    assert!(told.contains("the limit is 67108864"), "{told}");
}

#[test]
fn a_file_that_ends_early_is_damaged() {
    for file in [tree(), pipeline().file(), text_tests::pipeline().file()] {
        for end in 3..file.len() {
            check(&file[..end]);
        }
    }
    assert!(error(&tree()[..40]).starts_with("damaged ONNX: "), "{}", error(&tree()[..40]));
}

fn number_strategy() -> impl Strategy<Value = i64> {
    prop_oneof![-2..10i64, Just(i64::MAX), Just(i64::MIN), Just(1 << 33)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn bytes_changed_at_random_do_no_harm(
        kind in 0..3,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = match kind {
            0 => tree(),
            1 => pipeline().file(),
            _ => text_tests::pipeline().file(),
        };
        for (place, byte) in changes {
            *place.get_mut(&mut file) = byte;
        }
        check(&file);
    }

    #[test]
    fn numbers_of_a_tree_changed_at_random_do_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), number_strategy()), 1..4),
        weight in any::<f32>(),
    ) {
        let mut attributes = stump();
        for (attribute, place, number) in changes {
            let attribute = attribute.get_mut(&mut attributes);
            if !attribute.ints.is_empty() {
                *place.get_mut(&mut attribute.ints) = number;
            } else if !attribute.floats.is_empty() {
                *place.get_mut(&mut attribute.floats) = weight;
            }
        }
        let builder = Builder::default().input("x", elem::FLOAT, 2).output("y", elem::FLOAT);
        let file = builder.node("TreeEnsembleClassifier", "x", "label y", attributes.clone()).file();
        prop_assert!(file.len() > attributes.iter().map(Message::encoded_len).sum());
        check(&file);
    }
}
