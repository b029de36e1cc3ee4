//! Answers as the documentation lists them, and answers that must not be misread.

use ndarray::array;
use proptest::prelude::*;

use super::Format::{Csv, JsonLines};
use super::*;

fn layout(probability: &str, label: &str) -> AnswerLayout {
    let index = |text: &str| text.parse().ok();
    let attribute = |text: &str| match (text, index(text)) {
        ("", _) | (_, Some(_)) => None,
        _ => Some(Expression::compile(text).expect("compiles")),
    };
    AnswerLayout {
        probability_index: index(probability),
        label_index: index(label),
        probability_attribute: attribute(probability),
        label_attribute: attribute(label),
    }
}

/// Scores and labels, or the error's text. Where they stand is an index or an attribute.
fn read(
    stand: (&str, &str),
    format: Format,
    answer: &str,
    n_records: usize,
) -> Result<(Array2<f64>, String), String> {
    let read = layout(stand.0, stand.1).read(answer, format, n_records);
    read.map(|read| (read.scores, read.labels.unwrap_or_default().join("|"))).map_err(|error| error.to_string())
}

#[test]
fn documented_answers_are_read_as_documented() {
    const LISTS: &str = "\"['cat','dog','fish']\",\"[0.1,0.6,0.3]\"\n\"['cat','dog','fish']\",\"[0.2,0.5,0.3]\"";
    const JSON_LIST: &str = r#"{"predicted_labels":["cat","dog","fish"],"probabilities":[0.1,0.6,0.3]}"#;
    const JSON_LABEL: &str =
        "{\"predicted_label\":1,\"probability\":0.6}\n{\"predicted_label\":0,\"probability\":0.3}";
    let (one, two) = (array![[0.6]], array![[0.6], [0.3]]);
    let (three, twice_three) = (array![[0.1, 0.6, 0.3]], array![[0.1, 0.6, 0.3], [0.2, 0.5, 0.3]]);
    let pets = "cat|dog|fish";
    for (stand, format, answer, expected, labels) in [
        (("", ""), Csv, "0.6", &one, ""),
        (("", ""), Csv, "0.6,0.3", &two, ""),
        (("", ""), Csv, "0.6\n0.3", &two, ""),
        (("", ""), Csv, "0.1,0.6,0.3", &three, ""),
        (("", ""), Csv, "0.1,0.6,0.3\n0.2,0.5,0.3", &twice_three, ""),
        (("1", ""), Csv, "1,0.6", &one, ""),
        (("1", ""), Csv, "1,0.6\n0,0.3", &two, ""),
        (("1", "0"), Csv, LISTS.lines().next().expect("a line"), &three, pets),
        (("1", "0"), Csv, LISTS, &twice_three, pets),
        (("score", ""), JsonLines, r#"{"score":0.6}"#, &one, ""),
        (("score", ""), JsonLines, "{\"score\":0.6}\n{\"score\":0.3}", &two, ""),
        (("probability", ""), JsonLines, JSON_LABEL, &two, ""),
        (("probabilities", "predicted_labels"), JsonLines, JSON_LIST, &three, pets),
    ] {
        let read = read(stand, format, answer, expected.nrows());
        assert_eq!(read, Ok((expected.clone(), labels.to_owned())), "{answer}");
    }
}

#[test]
fn answers_may_end_and_be_spelled_in_other_ways() {
    for (stand, format, answer, expected) in [
        (("", ""), Csv, "0.6\r\n0.3\r\n", array![[0.6], [0.3]]),
        (("", ""), Csv, "\"[1, 2]\"\n\"[3, 4]\"\n", array![[1.0, 2.0], [3.0, 4.0]]),
        (("", ""), Csv, "\"[1,2]\",\"[3,4]\"", array![[1.0, 2.0], [3.0, 4.0]]),
        (("0", ""), Csv, " 1e-3 ,x\n+.5,y", array![[1e-3], [0.5]]),
        (("", ""), JsonLines, "0.6\r\n0.3\r\n", array![[0.6], [0.3]]),
        (("", ""), JsonLines, "[1,2]\n[3,4]\n", array![[1.0, 2.0], [3.0, 4.0]]),
        (("p[-1]", ""), JsonLines, "{\"p\":[0.4,0.6]}\n{\"p\":[0.7,0.3]}", array![[0.6], [0.3]]),
    ] {
        assert_eq!(read(stand, format, answer, 2), Ok((expected, String::new())), "{answer:?}");
    }
    assert_eq!(read(("", ""), Csv, "0.25,0.75,1\n", 3).expect("reads").0, array![[0.25], [0.75], [1.0]]);
}

#[test]
fn labels_are_lists_or_one_text_and_never_an_error() {
    for (field, labels) in [
        ("\"[\"\"a\"\",\"\"b\"\"]\"", "a|b"),
        ("\"['it\\'s', 2, 1e5, True]\"", "it's|2|1e5|True"),
        ("spam", "spam"),
        ("\"a, b\"", "a, b"),
        ("1", ""),
        ("nan", ""),
        ("", ""),
        ("[]", ""),
        ("[cat]", ""),
    ] {
        assert_eq!(read(("0", "1"), Csv, &format!("0.5,{field}"), 1), Ok((array![[0.5]], labels.to_owned())));
    }
    for (value, labels) in [
        (r#"["a","b"]"#, "a|b"),
        (r#"["a",2,0.5,true]"#, "a|2|0.5|true"),
        (r#""spam""#, "spam"),
        ("1", ""),
        ("true", ""),
        ("null", ""),
        ("[]", ""),
        ("[null]", ""),
        (r#"{"a":1}"#, ""),
    ] {
        let answer = format!("{{\"score\":0.5,\"label\":{value}}}");
        assert_eq!(read(("score", "label"), JsonLines, &answer, 1), Ok((array![[0.5]], labels.to_owned())));
    }
    let changing = "0.5,a\n0.5,b";
    assert_eq!(read(("0", "1"), Csv, changing, 2).expect("reads").1, "a");
}

#[test]
fn answers_that_do_not_fit_are_named() {
    for (stand, format, answer, n_records, text) in [
        (("", ""), Csv, "", 1, "is empty"),
        (("", ""), JsonLines, " \n", 1, "is empty"),
        (("", ""), Csv, "0.6", 2, "has 1 records instead of 2"),
        (("", ""), Csv, "1,2,3", 2, "has 1 records instead of 2"),
        (("0", ""), Csv, "0.6,0.3", 2, "has 1 records instead of 2"),
        (("", ""), Csv, "1\n2", 1, "has more than 1 records"),
        (("", ""), Csv, "1\n2\n3", 1, "has more than 1 records"),
        (("", ""), Csv, "1\n\n2", 2, "is not CSV: record 2 is an empty line"),
        (("", ""), JsonLines, "1\n2\n3", 2, "has 3 records instead of 2"),
        (("", ""), JsonLines, "1\n\n2", 3, "record 2: the line is empty"),
        (("", ""), JsonLines, "1\n{", 2, "record 2, is not JSON: EOF"),
        (("", ""), JsonLines, "[1,NaN]", 1, "record 1, is not JSON: expected value"),
        (("", ""), Csv, "1,cat\n2,dog", 2, "record 1, index 1: \"cat\" is not a number"),
        (("1", ""), Csv, "1,2\n3,cat", 2, "record 2, index 1: \"cat\" is not a number"),
        (("5", ""), Csv, "1,2", 1, "record 1: index 5 is beyond its 2 fields"),
        (("0", "2"), Csv, "1,2", 1, "record 1: index 2 is beyond its 2 fields"),
        (("", "1"), Csv, "1,2", 2, "record 1: index 1 is beyond its 1 fields"),
        (("", ""), Csv, "\"['a']\"", 1, "record 1, index 0: \"a\" in a list of scores is a text"),
        (("", ""), Csv, "[[1]]", 1, "record 1, index 0: \"[[1]]\" is no list: a list within a list"),
        (("", ""), Csv, "[]", 1, "has no scores for record 1"),
        (("", ""), Csv, "\"[1,2]\"\n[1]", 2, "has 1 scores for record 2 and 2 for record 1"),
        (("", ""), Csv, "1\nnan", 2, "has the score NaN for record 2"),
        (("", ""), Csv, "\"[1,-inf]\"", 1, "has the score -inf for record 1"),
        (("", ""), Csv, "1e999", 1, "has the score inf for record 1"),
        (
            ("", ""),
            JsonLines,
            "{\"p\":1}",
            1,
            "record 1, holds object where scores should be: ProbabilityAttribute",
        ),
        (("p", ""), JsonLines, "{\"p\":1}\n{}", 2, "record 2, p: null is not a number or a list of numbers"),
        (("p", ""), JsonLines, "{\"p\":[1,\"x\"]}", 1, "record 1, p: \"x\" is not a number"),
        (("p", ""), JsonLines, "{\"p\":[]}", 1, "has no scores for record 1"),
        (("p", ""), JsonLines, "{\"p\":[1,2]}\n{\"p\":1}", 2, "has 1 scores for record 2 and 2 for record 1"),
        (("max(p)", ""), JsonLines, "{\"p\":1}", 1, "record 1: the expression \"max(p)\" fails"),
    ] {
        let error = read(stand, format, answer, n_records).expect_err(answer);
        assert!(error.starts_with("the model's answer") && error.contains(text), "{answer:?}: {error}");
    }
}

#[test]
fn long_values_are_cut_in_errors() {
    let error = read(("", ""), Csv, &"x".repeat(10_000), 1).expect_err("is refused");
    assert!(error.len() < 200, "{error}");
}

#[test]
fn each_record_becomes_one_value() {
    for (format, answer, n_records, expected) in [
        (Csv, "0.1,cat\n2,nan", 2, r#"[0.1,"cat"] [2.0,"nan"]"#),
        (Csv, "0.6,0.3", 2, "[0.6] [0.3]"),
        (Csv, "0.6,0.3", 1, "[0.6,0.3]"),
        (Csv, "\"['a','b']\",\"[1, 0.5]\"", 1, r#"[["a","b"],[1.0,0.5]]"#),
        (Csv, "\"[1,True,None,nan]\",[x", 1, r#"[[1.0,true,null,"nan"],"[x"]"#),
        (Csv, "inf,1e999,,\" 5\"", 1, r#"["inf","1e999","",5.0]"#),
        (JsonLines, "{\"score\":0.6}\n[1,2]\n", 2, r#"{"score":0.6} [1,2]"#),
        (JsonLines, "{\"a\":1,\"a\":2}", 1, r#"{"a":2}"#),
    ] {
        let records = answer_records(answer, format, n_records).expect(answer);
        let shown: Vec<String> = records.iter().map(ToString::to_string).collect();
        assert_eq!(shown.join(" "), expected);
    }
}

#[test]
fn a_wrong_count_is_never_zipped_short() {
    for (format, answer) in [(Csv, "1\n2"), (Csv, "1\n2\n3\n4"), (Csv, "1,2"), (JsonLines, "1\n2"), (Csv, "")] {
        assert!(answer_records(answer, format, 3).is_err(), "{answer:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_answer_panics_and_both_readings_agree_on_the_records(
        answer in prop_oneof!["[0-9nai\\[\\]'\",\\\\. \n\r{}:-]{0,40}", "\\PC{0,20}", "([0-9.]{1,3}[,\n]){1,6}"],
        n_records in 1..4_usize,
        format in prop_oneof![Just(Csv), Just(JsonLines)],
        stand in prop::sample::select(&[("", ""), ("0", "1"), ("1", "0"), ("@[0]", "a"), ("a", "@")][..]),
    ) {
        let records = answer_records(&answer, format, n_records);
        if let Ok((scores, _)) = read(stand, format, &answer, n_records) {
            prop_assert_eq!(scores.nrows(), n_records);
            prop_assert!(scores.ncols() > 0 && scores.iter().all(|score| score.is_finite()));
            let records = records.expect("an answer with scores has records");
            prop_assert_eq!(records.len(), n_records);
            if (stand, format) == (("", ""), Csv) {
                for (record, row) in records.iter().zip(scores.rows()) {
                    let numbers: Vec<f64> = record.as_array().expect("a row").iter().flat_map(flat).collect();
                    prop_assert_eq!(numbers, row.to_vec());
                }
            }
        }
    }
}

fn flat(json: &Json) -> Vec<f64> {
    match json.as_array() {
        Some(elements) => elements.iter().flat_map(flat).collect(),
        None => json.as_number().into_iter().collect(),
    }
}
