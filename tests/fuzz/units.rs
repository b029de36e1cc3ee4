//! What holds for any text that is cut into units.

use std::time::{Duration, Instant};

use explaind::records::units::{self, Granularity, Unit};

use super::first_line;

const GRANULARITIES: [Granularity; 3] = [Granularity::Token, Granularity::Sentence, Granularity::Paragraph];

/// The first line is a language, the rest the text.
pub fn split(data: &[u8]) -> bool {
    let Some((language, Ok(text))) = first_line(data).map(|(line, rest)| (line, std::str::from_utf8(rest))) else {
        return false;
    };
    for granularity in GRANULARITIES {
        check_units(text, &units::split(text, granularity, language));
    }
    true
}

/// They stand in the order of the text, and only white space stands between them.
fn check_units(text: &str, units: &[Unit]) {
    let is_white = |gap: &str| gap.chars().all(|c| c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}'));
    let (mut end, mut n_chars) = (0, 0);
    for unit in units {
        assert!(is_white(&text[end..unit.bytes.start]) && !unit.bytes.is_empty(), "{unit:?} of {text:?}");
        n_chars += text[end..unit.bytes.start].chars().count();
        assert_eq!(unit.start_idx, n_chars);
        n_chars += text[unit.bytes.clone()].chars().count();
        assert!(text[unit.bytes.clone()].contains(unit.partial_text(text)));
        end = unit.bytes.end;
    }
    assert!(is_white(&text[end..]), "{:?} is in no unit", &text[end..]);
}

#[test]
fn time_grows_with_the_text_and_no_faster() {
    let pieces = [
        "'", ".", "(", "a-", "http://", "a", "a.", "a.b", "'a", "a'", "$", "1.", "1km", ":-)", "...x", "a@",
        "@a.b", "-", "…", "a/", "n't", "\"a\"", "😀", "我", "ก", "\u{301}", "e.g.", "\n", "\r\n", " \n", "a\n\n",
        "! ", "a. ", "\u{900}", "d'", "a:", "_a-", "ab.ab", "a@b.cd", "a.com/x",
    ];
    for (piece, language) in pieces.into_iter().zip(["en", "fr", "pt", "de", "es"].into_iter().cycle()) {
        for granularity in [Granularity::Sentence, Granularity::Paragraph] {
            check_time(piece, granularity, language);
        }
    }
}

/// Four times the text may take ten times as long, for machines have other work; a square law takes sixteen times.
fn check_time(piece: &str, granularity: Granularity, language: &str) {
    const LARGE_BYTES: usize = 1 << 20;
    const SMALL_BYTES: usize = LARGE_BYTES / 4;
    const TOOK_MAX: Duration = Duration::from_secs(3);
    /// What is shorter says nothing of a ratio.
    const COMPARED_MIN: Duration = Duration::from_millis(200);
    const RATIO_MAX: u32 = 10;
    let took = |n_bytes: usize| {
        let text = piece.repeat(n_bytes / piece.len());
        let started = Instant::now();
        units::split(&text, granularity, language);
        started.elapsed()
    };
    let large = took(LARGE_BYTES);
    let case = format!("{piece:?} as {granularity:?} in {language}");
    assert!(large < TOOK_MAX, "{case}: {large:?}");
    if large > COMPARED_MIN {
        let small = took(SMALL_BYTES);
        assert!(large < small * RATIO_MAX, "{case}: {small:?} for a quarter, {large:?} for the whole");
    }
}
