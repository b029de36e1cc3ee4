//! The document of one record → a picture for the terminal: the prediction, f(baseline) → f(record), texts with their
//! units shaded, signed bars.

use std::fmt::{self, Write};

use anyhow::Context;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::demo::Answered;
use super::document::{Feature, Played, features};
use super::shading::{self, Scale, Unit};
use super::terminal::{Terminal, printable};
use crate::records::shorten;
use crate::shap::Link;

/// Players drawn by themselves; the others share one line.
const BARS_MAX: usize = 12;
/// Cells of the longest bar, on either side of the axis.
const BAR_CELLS: usize = 18;
/// Longer lines of a text are hard to read.
const TEXT_COLUMNS_MAX: usize = 100;
const INDENT: &str = "  ";
const RED: &str = "31";
const BLUE: &str = "34";

pub(super) struct Picture<'a> {
    pub(super) name: &'a str,
    /// The record as it was sent.
    pub(super) record: &'a str,
    pub(super) link: Link,
    pub(super) answered: &'a Answered,
}

struct Bar {
    label: String,
    attribution: f64,
}

pub(super) fn draw(picture: &Picture, terminal: &Terminal) -> anyhow::Result<String> {
    let Answered { document, base_values, fields } = picture.answered;
    let scores = document["predictions"]["data"].as_str().context("the document has no predictions")?;
    let output_idx = most_likely(scores);
    let features = features(document, picture.record, output_idx)?;
    let bars = bars(&features);
    let base = base_values.get(output_idx).copied().context("a base value is missing")?;
    let value = base + bars.iter().map(|bar| bar.attribution).sum::<f64>();
    let mut text = String::new();
    writeln!(text, "\nEndpoint {}: record 1 of its example records\n", picture.name)?;
    writeln!(text, "  prediction     {}{}", scores, label(document, output_idx))?;
    writeln!(text, "  explained      {}", scale(picture.link))?;
    writeln!(text, "  f(baseline)    {base:+.4}   the model's answer on the endpoint's baseline")?;
    writeln!(text, "  f(record)      {value:+.4}   = f(baseline) + all bars below\n")?;
    draw_texts(&mut text, &features, terminal)?;
    let has_units = features.iter().any(|feature| matches!(feature.played, Played::InUnits(_)));
    draw_bars(&mut text, bars, if has_units { "others" } else { "other features" }, terminal)?;
    writeln!(text)?;
    for (name, value) in fields {
        writeln!(text, "  {name:<21} {value}")?;
    }
    Ok(text)
}

fn scale(link: Link) -> &'static str {
    match link {
        Link::Identity => "the score itself",
        Link::Logit => "log-odds of the score: ln(p / (1 - p))",
    }
}

/// The output with the highest score; its attributions are drawn.
fn most_likely(scores: &str) -> usize {
    let scores: Vec<f64> = scores.split(',').map(|score| score.parse().unwrap_or(f64::NEG_INFINITY)).collect();
    (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or(0)
}

/// What the score is the score of, where the endpoint names it.
fn label(document: &Value, output_idx: usize) -> String {
    let labels = document["label_headers"].as_array().map(Vec::as_slice).unwrap_or_default();
    match labels {
        [only] => format!("   the score of {only}"),
        several => several.get(output_idx).map(|label| format!("   most likely: {label}")).unwrap_or_default(),
    }
}

/// One for each player.
fn bars(features: &[Feature]) -> Vec<Bar> {
    let bars = features.iter().flat_map(|feature| match &feature.played {
        Played::Whole(attribution) => {
            let label = format!("{} = {}", printable(feature.header), shown(&feature.text));
            vec![Bar { label, attribution: *attribution }]
        }
        Played::InUnits(units) => {
            let chars: Vec<char> = feature.text.chars().collect();
            let bar = |unit: &Unit| {
                let text: String = chars.iter().skip(unit.start_idx).take(unit.n_chars).collect();
                let label = format!("“{}” at {}", shown(&text), unit.start_idx);
                Bar { label, attribution: unit.attribution }
            };
            units.iter().map(bar).collect()
        }
    });
    bars.collect()
}

fn shown(text: &str) -> String {
    printable(&shorten(text))
}

/// Each text that plays in units, its strongest units marked.
fn draw_texts(text: &mut String, features: &[Feature], terminal: &Terminal) -> fmt::Result {
    let scale = Scale::of(features.iter().flat_map(|feature| feature.played.units()).map(|unit| unit.attribution));
    let width = terminal.width.min(TEXT_COLUMNS_MAX) - INDENT.len();
    for Feature { header, text: cell, played } in features {
        let Played::InUnits(units) = played else { continue };
        writeln!(text, "  {}, {}\n", printable(header), legend(units.len(), terminal))?;
        if units.is_empty() {
            continue;
        }
        for line in shading::draw(cell, units, &scale, terminal, width) {
            writeln!(text, "{INDENT}{line}")?;
        }
        writeln!(text)?;
    }
    Ok(())
}

fn legend(n_units: usize, terminal: &Terminal) -> String {
    let marks = if terminal.has_colours {
        "red raises f(record), blue lowers it:"
    } else {
        "behind the strongest what they add to f(record):"
    };
    match n_units {
        0 => "a blank text without units".to_owned(),
        1 => format!("1 unit, {marks}"),
        _ => format!("{n_units} units, {marks}"),
    }
}

/// Largest first; what is left over is summed in one bar.
fn draw_bars(text: &mut String, mut bars: Vec<Bar>, others_name: &str, terminal: &Terminal) -> fmt::Result {
    bars.sort_by(|a, b| b.attribution.abs().total_cmp(&a.attribution.abs()));
    // A single player left over gets its own line.
    let n_shown = if bars.len() == BARS_MAX + 1 { bars.len() } else { bars.len().min(BARS_MAX) };
    let others = bars.split_off(n_shown);
    if !others.is_empty() {
        let attribution = others.iter().map(|bar| bar.attribution).sum();
        bars.push(Bar { label: format!("{} {others_name}", others.len()), attribution });
    }
    let largest = bars.iter().map(|bar| bar.attribution.abs()).fold(0.0, f64::max);
    let width = bars.iter().map(|bar| bar.label.width()).max().unwrap_or(0);
    for Bar { label, attribution } in bars {
        let cells =
            if largest > 0.0 { (attribution.abs() / largest * BAR_CELLS as f64).round() as usize } else { 0 };
        let bar = "█".repeat(cells);
        let (left, right) = if attribution < 0.0 { (bar, String::new()) } else { (String::new(), bar) };
        let sides = format!("{left:>BAR_CELLS$}│{right:<BAR_CELLS$}");
        let colour = if attribution < 0.0 { BLUE } else { RED };
        let padding = " ".repeat(width - label.width());
        writeln!(text, "  {label}{padding}  {}  {attribution:+.4}", terminal.rendered(&sides, colour))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PIPE: Terminal = Terminal { width: 120, has_colours: false };

    /// One record of one output, explained from 0.5 on.
    fn drawn(record: &str, features: Value, terminal: &Terminal) -> String {
        let answered = Answered {
            document: json!({
                "predictions": {"data": "0.75"},
                "explanations": {"kernel_shap": [features]}
            }),
            base_values: vec![0.5],
            fields: vec![("x-explaind-device", "cpu".to_owned())],
        };
        let picture = Picture { name: "loan", record, link: Link::Identity, answered: &answered };
        draw(&picture, terminal).expect("draws")
    }

    fn whole(header: &str, attribution: f64) -> Value {
        json!({"attributions": [{"attribution": [attribution]}], "feature_header": header})
    }

    fn units(header: &str, units: &[(&str, usize, f64)]) -> Value {
        let unit = |(text, start, attribution): &(&str, usize, f64)| json!({"attribution": [attribution], "description": {"partial_text": text, "start_idx": start}});
        let units: Vec<Value> = units.iter().map(unit).collect();
        json!({"attributions": units, "feature_header": header, "feature_type": "text"})
    }

    const MIXED: &str = "41,\"very good, it's \"\"free\"\"\",\" \"";

    fn mixed() -> Value {
        let review = [
            ("very", 0, 0.02),
            ("good", 5, 0.4),
            (",", 9, 0.0),
            ("it", 11, -0.001),
            ("'s", 13, 0.001),
            ("\"", 16, 0.0),
            ("free", 17, -0.22),
            ("\"", 21, 0.0),
        ];
        json!([whole("age", 0.05), units("review", &review), units("reply", &[])])
    }

    #[test]
    fn a_picture_without_a_terminal_has_signed_bars_and_no_colour_codes() {
        let features = json!([whole("age", 0.5), whole("income", -0.25)]);
        insta::assert_snapshot!(drawn("41,9e3", features, &PIPE));
    }

    #[test]
    fn a_picture_of_texts_and_numbers_marks_the_strongest_units_and_has_a_bar_for_each_player() {
        insta::assert_snapshot!(drawn(MIXED, mixed(), &PIPE));
    }

    #[test]
    fn a_picture_in_a_terminal_shades_units_by_sign_and_size() {
        let terminal = Terminal { width: 80, has_colours: true };
        insta::assert_snapshot!(drawn(MIXED, mixed(), &terminal).replace('\x1b', "ESC"));
    }

    #[test]
    fn bars_stand_below_each_other_whatever_the_columns_of_their_labels() {
        let features = json!([whole("漢字", 1.0), whole("né", 0.5), whole("age", -0.25)]);
        let text = drawn("1,2,3", features, &PIPE);
        let axes: Vec<usize> = text.lines().filter_map(|line| Some(line.split_once('│')?.0.width())).collect();
        assert_eq!(axes, [axes[0]; 3], "{text}");
    }

    #[test]
    fn control_characters_of_a_record_never_reach_the_terminal() {
        let evil = "a\u{1b}[2J\u{7}\u{9b}31m\u{202e}\u{200f}b\u{2028}";
        let features = json!([whole("x\u{1b}]0;y\u{7}", 1.0), units("h\u{1b}[1m", &[(evil, 0, -1.0)])]);
        let text = drawn(&format!("{evil},{evil}"), features, &PIPE);
        assert!(
            !text.contains(|c: char| (c.is_control() && c != '\n') || "\u{202e}\u{200f}\u{2028}".contains(c)),
            "{text:?}"
        );
    }
}
