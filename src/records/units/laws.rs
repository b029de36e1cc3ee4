//! Laws of units that hold for every text, and units that the service made.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::Granularity::{Paragraph, Sentence, Token};
use super::characters::{is_space, trim};
use super::{Granularity, Unit, split};

const GRANULARITIES: [Granularity; 3] = [Token, Sentence, Paragraph];
const LANGUAGES: [&str; 11] = ["en", "de", "es", "fr", "it", "nl", "pt", "zh", "hi", "ar", "xx"];
const PIECES: [&str; 48] = [
    " ",
    " ",
    " ",
    "  ",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\t",
    "\u{a0}",
    "\u{2029}",
    "\u{1c}",
    "\0",
    "a",
    "B",
    "word",
    "it's",
    "don't",
    "can’t",
    "e.g.",
    "U.S.",
    "5",
    "10km",
    "°C.",
    ".",
    "..",
    "...",
    "…",
    "!",
    "?",
    "。",
    "।",
    "'",
    "\"",
    "”",
    "(",
    ")",
    "-",
    "--",
    ":)",
    "http://a.com/b",
    "me@x.org",
    "我爱",
    "ไทย",
    "한국",
    "\u{5d0}\u{5b8}",
    "e\u{301}",
    "👩\u{200d}🚀",
];

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => select(PIECES.to_vec()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn partial_texts<'t>(text: &'t str, units: &[Unit]) -> Vec<&'t str> {
    units.iter().map(|unit| unit.partial_text(text)).collect()
}

fn check_place(text: &str, granularity: Granularity, units: &[Unit]) {
    let mut end = 0;
    for unit in units {
        let gap = &text[end..unit.bytes.start];
        assert!(gap.chars().all(is_space), "{gap:?} is in no unit");
        assert!(granularity != Token || gap.is_empty() || gap == " ", "{gap:?} is no token");
        assert_eq!(unit.start_idx, text[..unit.bytes.start].chars().count());
        end = unit.bytes.end;
    }
    assert!(text[end..].chars().all(is_space), "{:?} is in no unit", &text[end..]);
}

fn check_text(text: &str, granularity: Granularity, unit: &Unit) {
    let (whole, partial) = (&text[unit.bytes.clone()], unit.partial_text(text));
    assert!(!whole.is_empty() && partial == trim(whole));
    let is_white = whole.chars().all(is_space);
    assert!(whole == partial || (granularity == Token && is_white), "{whole:?}");
}

proptest! {
    #[test]
    fn units_and_the_white_space_between_them_are_the_text(text in texts(), language in select(LANGUAGES.to_vec())) {
        for granularity in GRANULARITIES {
            let units = split(&text, granularity, language);
            check_place(&text, granularity, &units);
            units.iter().for_each(|unit| check_text(&text, granularity, unit));
        }
    }

    #[test]
    fn no_token_is_in_two_sentences(text in texts(), language in select(LANGUAGES.to_vec())) {
        let tokens = split(&text, Token, language);
        for sentence in split(&text, Sentence, language) {
            let is_cut = |at: usize| tokens.iter().any(|token| token.bytes.start < at && at < token.bytes.end);
            prop_assert!(!is_cut(sentence.bytes.start) && !is_cut(sentence.bytes.end));
        }
    }
}

#[test]
fn places_are_counted_in_code_points() {
    let text = "Añ 😀 bc.\u{a0}Cé!\r\n\r\n e\u{301} f";
    let places = |granularity| -> Vec<(&str, usize)> {
        split(text, granularity, "en").iter().map(|unit| (unit.partial_text(text), unit.start_idx)).collect()
    };
    let tokens = [
        ("Añ", 0),
        ("😀", 3),
        ("bc", 5),
        (".", 7),
        ("", 8),
        ("Cé", 9),
        ("!", 11),
        ("", 12),
        ("e\u{301}", 17),
        ("f", 20),
    ];
    assert_eq!(places(Token), tokens);
    assert_eq!(places(Sentence), [("Añ 😀 bc.", 0), ("Cé!", 9), ("e\u{301} f", 17)]);
    assert_eq!(places(Paragraph), [("Añ 😀 bc.\u{a0}Cé!", 0), ("e\u{301} f", 17)]);
}

/// Where a token was white space, there stood a line break and not the blank between sentences.
fn review_text(sentences: &[String], tokens: &[String]) -> String {
    let text = sentences.join(" ");
    let Some(at) = tokens.iter().position(String::is_empty) else { return text };
    let in_front: usize = tokens[..at].iter().map(String::len).sum();
    let letters = text.char_indices().filter(|(_, c)| !c.is_whitespace());
    let end = letters.map(|(byte, c)| byte + c.len_utf8()).nth(in_front - 1).expect("the tokens are in the text");
    format!("{}\n{}", &text[..end], trim(&text[end..]))
}

fn recorded(name: &str) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/recorded/");
    let json = std::fs::read_to_string(format!("{path}{name}.json")).expect("the record is there");
    serde_json::from_str(&json).expect("is JSON")
}

#[test]
fn recorded_reviews_are_cut_as_the_service_cut_them() {
    let strings = |list: &Value| -> Vec<String> { serde_json::from_value(list.clone()).expect("are texts") };
    let recorded = recorded("text-units");
    let reviews = recorded["reviews"].as_array().expect("is a list").clone();
    assert_eq!(reviews.len(), 5);
    let first = split(&strings(&reviews[0]["sentences"]).join(" "), Sentence, "en");
    let starts: Vec<usize> = first.iter().map(|unit| unit.start_idx).collect();
    assert_eq!(json!(starts), recorded["sentence_starts_of_the_first"]);
    for review in reviews {
        let (sentences, tokens) = (strings(&review["sentences"]), strings(&review["tokens"]));
        let text = review_text(&sentences, &tokens);
        assert_eq!(partial_texts(&text, &split(&text, Sentence, "en")), sentences);
        assert_eq!(partial_texts(&text, &split(&text, Token, "en")), tokens);
    }
}
