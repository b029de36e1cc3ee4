//! Lines of numbers → an SVG picture with both axes logarithmic, one panel beside the other.

use std::fmt::Write;

pub struct Panel {
    pub title: String,
    pub lines: Vec<Line>,
}

/// One line; its place among the others gives it its colour.
pub struct Line {
    pub label: String,
    /// x and y, both above 0.
    pub points: Vec<(f64, f64)>,
}

/// What the axes show.
pub struct Axes {
    pub x: &'static str,
    pub y: &'static str,
}

const COLUMNS: usize = 2;
const PANEL: (f64, f64) = (440.0, 260.0);
/// Left, top, right and bottom of the lines' area.
const AREA: (f64, f64, f64, f64) = (60.0, 30.0, 300.0, 220.0);
const COLOURS: [&str; 4] = ["#4477aa", "#228833", "#ee6677", "#aa3377"];

pub fn svg(panels: &[Panel], axes: &Axes) -> String {
    let n_rows = panels.len().div_ceil(COLUMNS);
    let (width, height) = (PANEL.0 * COLUMNS as f64, PANEL.1 * n_rows as f64);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (idx, panel) in panels.iter().enumerate() {
        let (x, y) = (PANEL.0 * (idx % COLUMNS) as f64, PANEL.1 * (idx / COLUMNS) as f64);
        push(&mut out, format_args!("<g transform=\"translate({x} {y})\">"));
        draw(&mut out, panel, axes);
        push(&mut out, format_args!("</g>"));
    }
    out + "</svg>\n"
}

fn draw(out: &mut String, panel: &Panel, axes: &Axes) {
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let x = Scale::of(points().map(|point| point.0), (AREA.0, AREA.2));
    let y = Scale::of(points().map(|point| point.1), (AREA.3, AREA.1));
    push(
        out,
        format_args!("<text x=\"{}\" y=\"18\" font-weight=\"bold\">{}</text>", AREA.0, escaped(&panel.title)),
    );
    for decade in x.decades() {
        let at = x.at(decade);
        grid(out, (at, at), (AREA.1, AREA.3));
        push(
            out,
            format_args!("<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{decade}</text>", AREA.3 + 14.0),
        );
    }
    for decade in y.decades() {
        let at = y.at(decade);
        grid(out, (AREA.0, AREA.2), (at, at));
        push(
            out,
            format_args!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{decade}</text>", AREA.0 - 4.0, at + 4.0),
        );
    }
    push(out, format_args!("<text x=\"{}\" y=\"{}\">{}</text>", AREA.0, AREA.3 + 28.0, escaped(axes.x)));
    let (left, middle) = (AREA.2 + 10.0, AREA.3);
    push(out, format_args!("<text x=\"{left}\" y=\"{middle}\">{}</text>", escaped(axes.y)));
    for (idx, line) in panel.lines.iter().enumerate() {
        draw_line(out, line, COLOURS[idx % COLOURS.len()], (&x, &y));
        let (left, top) = (AREA.2 + 10.0, AREA.1 + 16.0 * (idx + 1) as f64);
        let colour = COLOURS[idx % COLOURS.len()];
        push(
            out,
            format_args!("<text x=\"{left}\" y=\"{top}\" fill=\"{colour}\">{}</text>", escaped(&line.label)),
        );
    }
}

fn grid(out: &mut String, (x1, x2): (f64, f64), (y1, y2): (f64, f64)) {
    push(
        out,
        format_args!("<line x1=\"{x1:.1}\" x2=\"{x2:.1}\" y1=\"{y1:.1}\" y2=\"{y2:.1}\" stroke=\"#dddddd\"/>"),
    );
}

fn draw_line(out: &mut String, line: &Line, colour: &str, (x, y): (&Scale, &Scale)) {
    let places: Vec<(f64, f64)> = line.points.iter().map(|point| (x.at(point.0), y.at(point.1))).collect();
    let joined: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let joined = joined.join(" ");
    push(
        out,
        format_args!("<polyline points=\"{joined}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"),
    );
    for (x, y) in places {
        push(out, format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"));
    }
}

/// Numbers → places along an axis.
struct Scale {
    /// Powers of ten.
    first: i32,
    last: i32,
    /// Where these are.
    ends: (f64, f64),
}

impl Scale {
    fn of(numbers: impl Iterator<Item = f64>, ends: (f64, f64)) -> Self {
        let (least, most) = numbers.fold((f64::MAX, f64::MIN_POSITIVE), |(a, b), x| (a.min(x), b.max(x)));
        let first = least.min(most).log10().floor() as i32;
        Self { first, last: (most.log10().ceil() as i32).max(first + 1), ends }
    }

    fn at(&self, number: f64) -> f64 {
        let share = (number.log10() - f64::from(self.first)) / f64::from(self.last - self.first);
        self.ends.0 + share * (self.ends.1 - self.ends.0)
    }

    fn decades(&self) -> impl Iterator<Item = f64> {
        (self.first..=self.last).map(|exponent| 10.0_f64.powi(exponent))
    }
}

fn push(out: &mut String, text: std::fmt::Arguments) {
    writeln!(out, "{text}").expect("a text takes everything");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
