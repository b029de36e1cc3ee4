//! A text and the attributions of its units → lines for a terminal: each unit shaded by sign and size, or with its
//! number behind it where there are no colours. Knows nothing of documents.

use unicode_width::UnicodeWidthChar;

use super::terminal::{Terminal, printable_char};

/// xterm's colours, from a tint to the full colour; black can be read on all of them.
const RAISES: [u8; 5] = [224, 217, 210, 203, 196];
const LOWERS: [u8; 5] = [189, 147, 105, 63, 27];
const BLACK: u8 = 16;
const DECIMALS_MAX: f64 = 9.0;

/// A part of a text, in characters.
pub(super) struct Unit {
    pub(super) start_idx: usize,
    pub(super) n_chars: usize,
    pub(super) attribution: f64,
}

/// What the largest attribution of a picture makes of the others.
pub(super) struct Scale {
    largest: f64,
}

/// One character and the colour behind it.
#[derive(Clone, Copy)]
struct Cell {
    shown: char,
    shade: Option<u8>,
}

impl Scale {
    pub(super) fn of(attributions: impl Iterator<Item = f64>) -> Self {
        Self { largest: attributions.map(f64::abs).fold(0.0, f64::max) }
    }

    /// None where the attribution is small beside the largest.
    fn shade(&self, attribution: f64) -> Option<u8> {
        let colours = if attribution < 0.0 { LOWERS } else { RAISES };
        let share = if self.largest > 0.0 { attribution.abs() / self.largest } else { 0.0 };
        let level = (share * colours.len() as f64).round() as usize;
        level.checked_sub(1).map(|idx| colours[idx])
    }

    /// As many decimals as give the largest two digits.
    fn spell(&self, attribution: f64) -> String {
        let decimals = (1.0 - self.largest.log10().floor()).clamp(0.0, DECIMALS_MAX) as usize;
        format!("[{attribution:+.decimals$}]")
    }
}

/// The text in lines of at most `width` columns, broken at white space; all other white space is kept.
pub(super) fn draw(text: &str, units: &[Unit], scale: &Scale, terminal: &Terminal, width: usize) -> Vec<String> {
    let cells = cells(text, units, scale, terminal);
    let lines = cells.split(|cell| cell.shown == '\n').flat_map(|line| wrap(line, width));
    lines.map(|line| paint(line, terminal)).collect()
}

/// Units are in the order of the text.
fn cells(text: &str, units: &[Unit], scale: &Scale, terminal: &Terminal) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut units = units.iter().filter(|unit| unit.n_chars > 0).peekable();
    for (idx, c) in text.chars().enumerate() {
        let unit = units.peek().filter(|unit| unit.start_idx <= idx);
        let shade = unit.and_then(|unit| scale.shade(unit.attribution));
        cells.push(Cell { shown: if c == '\n' { c } else { printable_char(c) }, shade });
        if let Some(unit) = units.next_if(|unit| idx + 1 == unit.start_idx + unit.n_chars)
            && shade.is_some()
            && !terminal.has_colours
        {
            cells.extend(scale.spell(unit.attribution).chars().map(|shown| Cell { shown, shade }));
        }
    }
    cells
}

/// A word wider than a line is broken where the line ends.
fn wrap(mut cells: &[Cell], width: usize) -> Vec<&[Cell]> {
    let mut lines = Vec::new();
    loop {
        let n_fitting = n_fitting(cells, width);
        let (fitting, rest) = cells.split_at(n_fitting);
        let ends_here = rest.first().is_none_or(|cell| cell.shown.is_whitespace());
        let n_taken = if ends_here { None } else { fitting.iter().rposition(|cell| cell.shown.is_whitespace()) }
            .map_or(n_fitting, |blank_idx| blank_idx + 1);
        lines.push(without_end(&cells[..n_taken]));
        cells = without_start(&cells[n_taken..]);
        if cells.is_empty() {
            return lines;
        }
    }
}

/// At least one, so that every line takes something.
fn n_fitting(cells: &[Cell], width: usize) -> usize {
    let mut taken = 0;
    let fits = |cell: &&Cell| {
        taken += cell.shown.width().unwrap_or(0);
        taken <= width
    };
    cells.iter().take_while(fits).count().max(cells.len().min(1))
}

fn without_end(cells: &[Cell]) -> &[Cell] {
    let end = cells.iter().rposition(|cell| !cell.shown.is_whitespace()).map_or(0, |idx| idx + 1);
    &cells[..end]
}

fn without_start(cells: &[Cell]) -> &[Cell] {
    let start = cells.iter().position(|cell| !cell.shown.is_whitespace()).unwrap_or(cells.len());
    &cells[start..]
}

fn paint(line: &[Cell], terminal: &Terminal) -> String {
    let runs = line.chunk_by(|a, b| a.shade == b.shade);
    let painted = runs.map(|run| {
        let text: String = run.iter().map(|cell| cell.shown).collect();
        match run[0].shade {
            Some(shade) => terminal.rendered(&text, &format!("38;5;{BLACK};48;5;{shade}")),
            None => text,
        }
    });
    painted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPE: Terminal = Terminal { width: 120, has_colours: false };
    const SCREEN: Terminal = Terminal { width: 120, has_colours: true };

    fn unit(start_idx: usize, n_chars: usize, attribution: f64) -> Unit {
        Unit { start_idx, n_chars, attribution }
    }

    fn lines(text: &str, units: &[Unit], terminal: &Terminal, width: usize) -> Vec<String> {
        draw(text, units, &Scale::of(units.iter().map(|unit| unit.attribution)), terminal, width)
    }

    #[test]
    fn lines_break_at_white_space_and_keep_all_other_white_space() {
        assert_eq!(lines("  one  two three\n\n four", &[], &PIPE, 10), ["  one  two", "three", "", " four"]);
        assert_eq!(lines("one two      three", &[], &PIPE, 9), ["one two", "three"]);
        assert_eq!(lines("", &[], &PIPE, 9), [""]);
        assert_eq!(lines("a\tb\r\nc", &[], &PIPE, 9), ["a b", "c"]);
    }

    #[test]
    fn words_wider_than_a_line_are_broken_by_their_columns() {
        assert_eq!(lines("ab 0123456789", &[], &PIPE, 4), ["ab", "0123", "4567", "89"]);
        assert_eq!(lines("漢字かな", &[], &PIPE, 5), ["漢字", "かな"]);
        assert_eq!(lines("漢", &[], &PIPE, 1), ["漢"]);
    }

    #[test]
    fn a_shade_ends_with_its_line_and_begins_again_with_the_next() {
        let drawn = lines("one two three", &[unit(0, 7, 1.0), unit(8, 5, -1.0)], &SCREEN, 5);
        let red = |text: &str| format!("\x1b[38;5;16;48;5;196m{text}\x1b[0m");
        assert_eq!(drawn, [red("one"), red("two"), "\x1b[38;5;16;48;5;27mthree\x1b[0m".to_owned()]);
    }

    #[test]
    fn the_shade_is_the_share_of_the_largest() {
        let scale = Scale::of([0.5, -2.0].into_iter());
        let shades = [2.0, 1.9, 1.0, 0.2, 0.19, 0.0, -0.19, -0.2, -1.2, -2.0].map(|value| scale.shade(value));
        let [r1, .., r5] = RAISES;
        let [b1, _, b3, _, b5] = LOWERS;
        let expected =
            [Some(r5), Some(r5), Some(RAISES[2]), Some(r1), None, None, None, Some(b1), Some(b3), Some(b5)];
        assert_eq!(shades, expected);
        assert_eq!(Scale::of([0.0].into_iter()).shade(0.0), None);
    }

    #[test]
    fn without_colours_the_number_stands_behind_its_unit() {
        let drawn = lines("Größe is good", &[unit(0, 5, -0.034), unit(6, 2, 0.001), unit(9, 4, 0.2)], &PIPE, 80);
        assert_eq!(drawn, ["Größe[-0.03] is good[+0.20]"]);
        assert_eq!(lines("ab", &[unit(0, 1, 31.4), unit(1, 1, -3.2)], &PIPE, 80), ["a[+31]b[-3]"]);
    }
}
