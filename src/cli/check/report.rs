//! What was found → lines of plain text, none wider than the terminal. Asks nothing and judges nothing.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use ndarray::ArrayView1;

use crate::aws::advice::Remedy;
use crate::aws::definition::{Amendment, Place};
use crate::cli::terminal::{Terminal, printable};
use crate::model::container::Exchange;
use crate::records::spell;

/// Records of one request that are shown, and numbers or names of one record.
const RECORDS_SHOWN: usize = 3;
const NUMBERS_SHOWN: usize = 8;

#[derive(Clone, Copy)]
pub(super) enum Outcome {
    Ok,
    Warning,
    Failed,
    Skipped,
}

pub(super) struct Report<W> {
    out: W,
    width: usize,
    pub(super) n_warnings: usize,
}

impl Report<io::Stdout> {
    pub(super) fn new(out: io::Stdout) -> Self {
        let width = Terminal::of(&out).width;
        Self { out, width, n_warnings: 0 }
    }
}

impl<W: Write> Report<W> {
    pub(super) fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// One step.
    pub(super) fn step(
        &mut self,
        name: &str,
        outcome: Outcome,
        took: Option<Duration>,
        note: impl Display,
    ) -> io::Result<()> {
        let word = match outcome {
            Outcome::Ok => "ok",
            Outcome::Warning => "warning",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "skipped",
        };
        self.n_warnings += usize::from(matches!(outcome, Outcome::Warning));
        let took = took.map(|took| format!("{} ms", took.as_millis())).unwrap_or_default();
        let line = format!("{name:<17} {word:<8} {took:>9}  {note}");
        self.line(line.trim_end())
    }

    /// What is wrong, whole, since it says what to do.
    pub(super) fn fault(&mut self, text: impl Display) -> io::Result<()> {
        self.line(format_args!("    {}", printable(&text.to_string())))
    }

    pub(super) fn warning(&mut self, text: impl Display) -> io::Result<()> {
        self.n_warnings += 1;
        self.line(format_args!("    warning: {}", printable(&text.to_string())))
    }

    /// Records, what was answered and how that was read, side by side where each has its line.
    pub(super) fn exchange(
        &mut self,
        exchange: &Exchange,
        n_records: usize,
        read: impl Fn(usize) -> Option<String>,
    ) -> io::Result<()> {
        let sent = Side::new(&exchange.sent.payload, n_records);
        let got = exchange.reply.as_ref().map(|reply| Side::new(&reply.body, n_records));
        self.types(exchange)?;
        let shared = [("sent", Some(&sent)), ("got", got.as_ref())];
        for (label, side) in shared {
            if let Some(Side::Whole(text)) = side {
                self.detail("", label, text)?;
            }
        }
        for idx in 0..n_records.min(RECORDS_SHOWN) {
            let sides = [("sent", sent.line(idx)), ("got", got.as_ref().and_then(|got| got.line(idx)))];
            let read = read(idx);
            let parts = sides.into_iter().chain([("read", read.as_deref())]);
            let mut number = (idx + 1).to_string();
            for (label, text) in parts.filter_map(|(label, text)| Some((label, text?))) {
                self.detail(&number, label, text)?;
                number.clear();
            }
        }
        match n_records.saturating_sub(RECORDS_SHOWN) {
            0 => Ok(()),
            n_more => self.line(format_args!("      ... and {n_more} more")),
        }
    }

    fn types(&mut self, exchange: &Exchange) -> io::Result<()> {
        let mut types = format!("      sent as {}", or_none(Some(&exchange.sent.content_type)));
        if let Some(accept) = &exchange.sent.accept {
            types += &format!(", accepting {accept}");
        }
        if let Some(reply) = &exchange.reply {
            types += &format!("; answered as {}", or_none(reply.content_type.as_deref()));
        }
        self.cut(&types)
    }

    fn detail(&mut self, number: &str, label: &str, text: &str) -> io::Result<()> {
        self.cut(&format!("    {number:>3} {label:<4}  {text}"))
    }

    fn cut(&mut self, text: &str) -> io::Result<()> {
        let text = printable(text);
        match text.char_indices().nth(self.width) {
            None => self.line(text.trim_end()),
            Some(_) => {
                let kept: String = text.chars().take(self.width - 3).collect();
                self.line(format_args!("{kept}..."))
            }
        }
    }

    /// A remedy that was tried, where it belongs.
    pub(super) fn remedy(&mut self, remedy: &Remedy) -> io::Result<()> {
        match remedy {
            Remedy::Accept(format) => self.line(format_args!("    clients must send Accept: {}", format.mime())),
            Remedy::Amend(amendment) => self.amendment(amendment),
        }
    }

    pub(super) fn amendment(&mut self, amendment: &Amendment) -> io::Result<()> {
        self.line(format_args!("    in {}:", amendment.place.path()))?;
        amendment.lines().iter().try_for_each(|line| self.line(format_args!("      {line}")))
    }

    /// All of them, each place once.
    pub(super) fn remedies(&mut self, remedies: &[Remedy]) -> io::Result<()> {
        for place in [Place::InferenceConfig, Place::Environment] {
            let of_place = remedies.iter().filter_map(|remedy| match remedy {
                Remedy::Amend(amendment) if amendment.place == place => Some(amendment.clone()),
                _ => None,
            });
            if let Some(all) = of_place.reduce(|all, amendment| all.and(&amendment)) {
                self.amendment(&all)?;
            }
        }
        let accepted = remedies.iter().rfind(|remedy| matches!(remedy, Remedy::Accept(_)));
        accepted.map_or(Ok(()), |remedy| self.remedy(remedy))
    }
}

/// One direction of an exchange.
enum Side<'a> {
    /// A line for each record.
    Lines(Vec<String>),
    Whole(Cow<'a, str>),
}

impl<'a> Side<'a> {
    fn new(bytes: &'a Bytes, n_records: usize) -> Self {
        let text = String::from_utf8_lossy(bytes);
        if text.lines().count() == n_records {
            return Self::Lines(text.lines().take(RECORDS_SHOWN).map(str::to_owned).collect());
        }
        Self::Whole(text)
    }

    fn line(&self, idx: usize) -> Option<&str> {
        match self {
            Self::Lines(lines) => lines.get(idx).map(String::as_str),
            Self::Whole(_) => None,
        }
    }
}

/// How a record's answer was read.
pub(super) fn read_as(scores: ArrayView1<f64>, labels: Option<&[String]>) -> String {
    let labels = labels.map(|labels| format!(" labels {}", list(labels.iter().map(|label| format!("{label:?}")))));
    format!("scores {}{}", numbers(scores), labels.unwrap_or_default())
}

pub(super) fn numbers(scores: ArrayView1<f64>) -> String {
    list(scores.iter().map(|score| spell(*score)))
}

fn list(items: impl ExactSizeIterator<Item = String>) -> String {
    let has_more = items.len() > NUMBERS_SHOWN;
    let mut shown: Vec<String> = items.take(NUMBERS_SHOWN).collect();
    shown.extend(has_more.then(|| "...".to_owned()));
    format!("[{}]", shown.join(", "))
}

pub(super) fn count(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{plural}")
}

fn or_none(text: Option<&str>) -> &str {
    text.filter(|text| !text.is_empty()).unwrap_or("(no content type)")
}
