//! What holds for any text that is cut into units.

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
    const TEXT_BYTES: usize = 1 << 20;
    const TOOK_MAX: std::time::Duration = std::time::Duration::from_secs(10);
    let pieces = [
        "'", ".", "(", "a-", "http://", "a", "a.", "a.b", "'a", "a'", "$", "1.", "1km", ":-)", "...x", "a@",
        "@a.b", "-", "…", "a/", "n't", "\"a\"", "😀", "我", "ก", "\u{301}", "e.g.", "\n", "\r\n", " \n", "a\n\n",
        "! ", "a. ", "\u{900}", "d'", "a:", "_a-",
    ];
    for (piece, language) in pieces.into_iter().zip(["en", "fr", "pt", "de", "es"].into_iter().cycle()) {
        let text = piece.repeat(TEXT_BYTES / piece.len());
        for granularity in [Granularity::Sentence, Granularity::Paragraph] {
            let started = std::time::Instant::now();
            units::split(&text, granularity, language);
            let took = started.elapsed();
            assert!(took < TOOK_MAX, "{piece:?} as {granularity:?} in {language}: {took:?}");
        }
    }
}
