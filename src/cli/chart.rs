//! The document of one record → a picture for the terminal: the prediction, f(baseline) → f(record), signed bars.

use std::fmt::{self, Write};
use std::io::IsTerminal;

use anyhow::Context;
use serde_json::Value;

use super::demo::Answered;
use crate::shap::Link;

/// Features drawn by themselves; the others share one line.
const BARS_MAX: usize = 12;
/// Cells of the longest bar, on either side of the axis.
const BAR_CELLS: usize = 18;

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

/// Colours only where they are seen as such.
struct Paint {
    is_on: bool,
}

impl Paint {
    fn for_stdout() -> Self {
        Self { is_on: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    fn colour(&self, attribution: f64, text: &str) -> String {
        match (self.is_on, attribution < 0.0) {
            (false, _) => text.to_owned(),
            (true, true) => format!("\x1b[34m{text}\x1b[0m"),
            (true, false) => format!("\x1b[31m{text}\x1b[0m"),
        }
    }
}

pub(super) fn draw(picture: &Picture) -> anyhow::Result<String> {
    let Answered { document, base_values, fields } = picture.answered;
    let scores = document["predictions"]["data"].as_str().context("the document has no predictions")?;
    let output_idx = most_likely(scores);
    let bars = bars(document, picture.record, output_idx).context("the document has no attributions")?;
    let base = base_values.get(output_idx).copied().context("a base value is missing")?;
    let value = base + bars.iter().map(|bar| bar.attribution).sum::<f64>();
    let mut text = String::new();
    writeln!(text, "\nEndpoint {}: record 1 of its example records\n", picture.name)?;
    writeln!(text, "  prediction     {}{}", scores, label(document, output_idx))?;
    writeln!(text, "  explained      {}", scale(picture.link))?;
    writeln!(text, "  f(baseline)    {base:+.4}   the model's answer on the endpoint's baseline")?;
    writeln!(text, "  f(record)      {value:+.4}   = f(baseline) + all bars below\n")?;
    draw_bars(&mut text, bars, &Paint::for_stdout())?;
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

fn bars(document: &Value, record: &str, output_idx: usize) -> Option<Vec<Bar>> {
    let features = document["explanations"]["kernel_shap"].get(0)?.as_array()?;
    let bar = |(feature, cell): (&Value, &str)| {
        let header = feature["feature_header"].as_str().unwrap_or("feature");
        let attribution = feature["attributions"].get(0)?["attribution"].get(output_idx)?.as_f64()?;
        Some(Bar { label: format!("{header} = {cell}"), attribution })
    };
    features.iter().zip(record.split(',')).map(bar).collect()
}

/// Largest first; what is left over is summed in one bar.
fn draw_bars(text: &mut String, mut bars: Vec<Bar>, paint: &Paint) -> fmt::Result {
    bars.sort_by(|a, b| b.attribution.abs().total_cmp(&a.attribution.abs()));
    // A single feature left over gets its own line.
    let n_shown = if bars.len() == BARS_MAX + 1 { bars.len() } else { bars.len().min(BARS_MAX) };
    let others = bars.split_off(n_shown);
    if !others.is_empty() {
        let attribution = others.iter().map(|bar| bar.attribution).sum();
        bars.push(Bar { label: format!("{} other features", others.len()), attribution });
    }
    let largest = bars.iter().map(|bar| bar.attribution.abs()).fold(0.0, f64::max);
    let width = bars.iter().map(|bar| bar.label.chars().count()).max().unwrap_or(0);
    for Bar { label, attribution } in bars {
        let cells =
            if largest > 0.0 { (attribution.abs() / largest * BAR_CELLS as f64).round() as usize } else { 0 };
        let bar = "█".repeat(cells);
        let (left, right) = if attribution < 0.0 { (bar, String::new()) } else { (String::new(), bar) };
        let sides = format!("{left:>BAR_CELLS$}│{right:<BAR_CELLS$}");
        writeln!(text, "  {label:<width$}  {}  {attribution:+.4}", paint.colour(attribution, &sides))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_picture_without_a_terminal_has_signed_bars_and_no_colour_codes() {
        let feature = |name: &str, attribution: f64| json!({"attributions": [{"attribution": [attribution]}], "feature_header": name});
        let answered = Answered {
            document: json!({
                "predictions": {"data": "0.75"},
                "explanations": {"kernel_shap": [[feature("age", 0.5), feature("income", -0.25)]]}
            }),
            base_values: vec![0.5],
            fields: vec![("x-explaind-device", "cpu".to_owned())],
        };
        let picture = Picture { name: "loan", record: "41,9e3", link: Link::Identity, answered: &answered };
        let text = draw(&picture).expect("draws");
        insta::assert_snapshot!(text);
    }
}
