//! Cases and laws of expressions: what is refused, what passes, and that the bound is one.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::bound::{bound, size};
use super::*;

fn json(text: &str) -> Json {
    parse_json(text).expect("parses")
}

fn evaluate(expression: &str, text: &str) -> Result<String, String> {
    let expression = Expression::compile(expression).map_err(|error| error.to_string())?;
    expression.evaluate(&json(text)).map(|result| result.to_string()).map_err(|error| error.to_string())
}

#[test]
fn parts_of_a_result_are_the_parts_of_the_input() {
    let record = json(r#"{"scores":[0.25,0.75]}"#);
    let found = Expression::compile("scores").and_then(|scores| scores.evaluate(&record)).expect("evaluates");
    assert!(Json::ptr_eq(&found, &record.as_object().expect("an object")["scores"]));
}

#[test]
fn numbers_are_read_as_exactly_as_rust_does() {
    for text in ["0.6380207487381995", "7.2057594037927933e16", "1e23", "0.1"] {
        let expected: f64 = text.parse().expect("a number");
        assert_eq!(json(text).as_number(), Some(expected));
    }
    assert!(parse_json("1e999").is_err());
}

#[test]
fn texts_become_numbers_and_nothing_else() {
    for (text, expected) in
        [("'1.5'", "1.5"), ("'-2'", "-2"), ("'true'", "null"), ("'[1,2]'", "null"), ("'x'", "null"), ("`3`", "3")]
    {
        assert_eq!(evaluate(&format!("to_number({text})"), "{}"), Ok(expected.to_owned()));
    }
}

#[test]
fn dangerous_numbers_and_stray_references_are_refused() {
    for (expression, fragment) in [
        ("[1::2147483647]", "beyond the limit of 1073741824 elements"),
        ("[::-1073741825]", "beyond the limit"),
        ("a[2147483647]", "beyond the limit"),
        ("sort_by(@, &[1073741825])", "beyond the limit"),
        ("[-2147483648]", "does not parse"),
        ("[99999999999999999999]", "does not parse"),
        ("&a", "& stands only before an argument of"),
        ("[&a, @]", "& stands only"),
        ("to_array(&a)", "& stands only"),
        ("map(&(&a), @)", "& stands only"),
        ("a &b", "does not parse"),
    ] {
        let error = Expression::compile(expression).expect_err(expression).to_string();
        assert!(error.contains(fragment), "{expression}: {error}");
    }
    assert_eq!(evaluate("[1::1073741824]", "[1,2,3]"), Ok("[2]".to_owned()));
    assert_eq!(evaluate("[::-1073741824]", "[1,2,3]"), Ok("[3]".to_owned()));
    assert!(evaluate("[::0]", "[1]").is_err_and(|error| error.contains("Invalid slice")));
}

#[test]
fn a_long_text_is_refused_before_it_is_parsed() {
    let error = Expression::compile(&"(".repeat(100_000)).expect_err("is refused");
    assert_eq!(error, ExpressionError::TooLong { chars: 100_000 });
}

#[test]
fn the_deepest_texts_and_values_stay_within_the_stack() {
    let nested = |open: &str, close: &str| {
        let n = (TEXT_CHARS_MAX - 1) / (open.len() + close.len());
        format!("{}@{}", open.repeat(n), close.repeat(n))
    };
    let chained = |link: &str| format!("@{}", link.repeat((TEXT_CHARS_MAX - 1) / link.len()));
    let deepest = json(&format!("{}{}", "[".repeat(127), "]".repeat(127)));
    let expressions = [
        nested("(", ")"),
        nested("!", ""),
        nested("[", "]"),
        nested("{a:", "}"),
        nested("to_array(", ")"),
        nested("map(&", ",@)"),
        nested("@[?", "]"),
        nested("[*].[", "]"),
        chained("[*]"),
        chained("[]"),
        chained("|@"),
        chained(".*"),
        chained("==@"),
        chained("&&@"),
    ];
    for expression in expressions {
        let compiled = Expression::compile(&expression).expect(&expression);
        // Too many steps is a good answer too.
        if let Ok(result) = compiled.evaluate(&deepest) {
            assert_eq!(result, result.clone());
        }
    }
    assert!(Expression::compile(&format!("`{}`", "[".repeat(250))).is_err());
}

#[test]
fn text_that_nests_too_deep_is_no_json() {
    let error = parse_json(&"[".repeat(1_000_000)).expect_err("is refused").to_string();
    assert!(error.contains("recursion limit exceeded"), "{error}");
}

/// What 64 characters can do to 100,000 elements.
#[test]
fn expressions_that_explode_are_refused_at_once() {
    let numbers = json(&format!("[{}]", vec!["0.5"; 100_000].join(",")));
    let texts = json(&format!("[{}]", vec!["\"a text\""; 100_000].join(",")));
    for expression in [
        "[@,@,@,@][].[@,@,@,@][].[@,@,@,@][].[@,@,@,@][].[@,@,@,@][]",
        "{a:@,b:@,c:@}.*.{a:@,b:@,c:@}.*.{a:@,b:@,c:@}.*",
        "[@,@,@,@,@,@,@,@]|[@,@,@,@,@,@,@,@]|[@,@,@,@,@,@,@,@] == @",
        "map(&[@,@,@,@],map(&[@,@,@,@],map(&[@,@,@,@],map(&[@,@],@))))",
        "sort_by([@,@,@,@,@][].[@,@,@,@,@][].[@,@,@,@,@,@,@][], &@)",
        "to_string([to_string([to_string([to_string(@)])])])",
        "join(to_string(@), @)",
        "join(@[0], @)",
        "join(join(',', @), @)",
    ] {
        assert!(expression.len() <= 64, "{expression}");
        let compiled = Expression::compile(expression).expect(expression);
        let start = Instant::now();
        for record in [&numbers, &texts] {
            let error = compiled.evaluate(record).expect_err(expression);
            assert!(matches!(error, ExpressionError::TooManySteps { .. }), "{expression}: {error}");
            assert!(error.to_string().contains("the limit is 10000000 steps"), "{error}");
        }
        assert!(start.elapsed() < Duration::from_secs(1), "{expression}: {:?}", start.elapsed());
    }
}

#[test]
fn usual_expressions_pass_on_large_records() {
    let (numbers, texts) = (vec!["0.5"; 50_000].join(","), vec!["\"a text\""; 50_000].join(","));
    let record = json(&format!("{{\"p\":[{numbers}],\"labels\":[{texts}],\"data\":{{\"text\":[\"x\"]}}}}"));
    for expression in [
        "p[0]>`0.8`",
        "!contains(p[:-1], max(p))",
        "max(p) > `0.5` && length(labels) == `50000`",
        "length(p[?@ > `0.7`]) >= `10`",
        "sort(p)[-1] > `0.95` || contains(labels, 'cat')",
        "contains(join(',', labels), 'cat')",
        "avg(p) > `0.5` && abs(p[0]) < `1`",
        "data.text[0]",
        "{score: p, label: labels[0]}.score",
        "p[::-1] | [0] >= `0.1`",
    ] {
        let compiled = Expression::compile(expression).expect(expression);
        compiled.evaluate(&record).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn sizes_count_values_keys_and_texts() {
    for (text, expected) in [("1", 1), ("[1,[2]]", 4), (r#"{"a":1}"#, 3), (r#""abc""#, 1)] {
        assert_eq!(size(&json(text)), expected, "{text}");
    }
    assert_eq!(size(&json(&format!("\"{}\"", "x".repeat(640)))), 11);
}

fn values() -> impl Strategy<Value = String> {
    let long = format!("\"{}\"", "\\u0001".repeat(200));
    let leaves = ["1", "-0.5", "null", "true", "\"\\u0001\\\"\\\\\"", "\"b\"", &long].map(str::to_owned);
    prop::sample::select(leaves.to_vec()).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|all| format!("[{}]", all.join(","))),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{{\"a\":{a},\"b\":{b}}}")),
        ]
    })
}

const LEAVES: [&str; 12] =
    ["@", "a", "b", "[0]", "@[-1]", "`1`", "','", "`[1,[2]]`", "[::2]", "@[]", "*", "to_string(@)"];
/// `L` and `R` stand for expressions.
#[rustfmt::skip]
const SHAPES: [&str; 28] = [
    "(L) | (R)", "[L, R]", "{k: L, key: R}", "(L)[*].[R]", "(L)[?R]", "(L)[].[R]", "(L).*", "(L) || (R)",
    "(L) && (R)", "!(L)", "(L) == (R)", "(L) < (R)", "map(&(L), R)", "sort_by(L, &(R))", "max_by(L, &(R))",
    "to_string(L)", "join(L, R)", "keys(L)", "values(L)", "merge(L, R)", "to_array(L)", "reverse(L)", "sort(L)",
    "type(L)", "not_null(L, R)", "contains(L, R)", "to_number(L)", "join(',', map(&to_string(L), to_array(R)))",
];

fn expressions() -> impl Strategy<Value = String> {
    let fill = |(shape, left, right): (&str, String, String)| shape.replace('L', &left).replace('R', &right);
    prop::sample::select(&LEAVES[..]).prop_map(str::to_owned).prop_recursive(4, 12, 2, move |inner| {
        (prop::sample::select(&SHAPES[..]), inner.clone(), inner).prop_map(fill)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_result_is_larger_than_its_bound(expression in expressions(), value in values()) {
        let Ok(compiled) = Expression::compile(&expression) else { return Ok(()) };
        let value = json(&value);
        if let Ok((result, _)) = compiled.evaluate_counted(&value) {
            let limit = bound(&compiled.ast, size(&value)).size;
            prop_assert!(size(&result) <= limit, "{expression}: {} > {limit}", size(&result));
        }
    }

    #[test]
    fn bounds_of_parts_never_pass_the_bound_of_the_whole(expression in expressions(), a in 1..99_u64, b in 1..99_u64) {
        let Ok(compiled) = Expression::compile(&expression) else { return Ok(()) };
        let [left, right, whole] = [a, b, a + b].map(|n| bound(&compiled.ast, n));
        prop_assert!(left.steps.saturating_add(right.steps) <= whole.steps);
        prop_assert!(left.size.saturating_add(right.size) <= whole.size);
        prop_assert!(left.size >= a && left.steps >= a);
    }

    #[test]
    fn no_text_makes_an_expression_panic(text in "\\PC{0,64}", value in values()) {
        drop(evaluate(&text, &value));
    }

    #[test]
    fn no_tokens_make_an_expression_panic(
        tokens in prop::collection::vec(prop::sample::select(&TOKENS[..]), 0..24),
        value in values(),
    ) {
        drop(evaluate(&tokens.concat(), &value));
    }
}

const TOKENS: [&str; 40] = [
    "@",
    "a",
    "b",
    "*",
    "[",
    "]",
    "[?",
    "[]",
    "(",
    ")",
    "{",
    "}",
    ".",
    ",",
    ":",
    "|",
    "||",
    "&",
    "&&",
    "!",
    "==",
    "<",
    ">=",
    "`1`",
    "`\"x\"`",
    "'x'",
    "\"a\"",
    "0",
    "1",
    "-1",
    "2147483647",
    "-2147483647",
    " ",
    "map",
    "sort_by",
    "length",
    "sum",
    "avg",
    "join",
    "to_string",
];
