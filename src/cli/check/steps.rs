//! The steps of a check, in order. A step that fails and has a remedy goes on with it, so that one run shows all that is to
//! be mended.

use std::io::{self, Write};
use std::time::Instant;

use super::compare::{Comparison, compare};
use super::input::{Input, Records};
use super::report::{Outcome, Report, count};
use super::subject::{Batched, Opener, Subject, told_of_model};
use crate::aws::advice::Remedy;
use crate::model::Predictions;
use crate::model::container::{BatchRow, ContainerError};

pub(super) const DEFINITION: &str = "definition";
pub(super) const RECORDS: &str = "records";
pub(super) const READY: &str = "ready";
pub(super) const ONE: &str = "one record";
pub(super) const TWO: &str = "two records";
pub(super) const BATCH: &str = "a batch";
pub(super) const SMALLER: &str = "smaller requests";
pub(super) const SAME: &str = "same scores";
const STEPS: [&str; 8] = [DEFINITION, RECORDS, READY, ONE, TWO, BATCH, SMALLER, SAME];

/// A check under way.
pub(super) struct Check<W> {
    pub(super) opener: Opener,
    /// With all remedies so far.
    pub(super) subject: Subject,
    pub(super) report: Report<W>,
    adopted: Vec<Remedy>,
}

/// Whether explanations will work.
pub(super) async fn check<W: Write>(
    opener: Opener,
    input: Input,
    accept: Option<String>,
    mut report: Report<W>,
) -> anyhow::Result<bool> {
    let started = Instant::now();
    let subject = match opener.open(accept, input.target_model.is_some()).await {
        Ok(subject) => subject,
        Err(error) => {
            report.step(DEFINITION, Outcome::Failed, Some(started.elapsed()), opener.path.display())?;
            report.fault(format_args!("{error:#}"))?;
            return Ok(stopped(&mut report, DEFINITION)?);
        }
    };
    let note = format!("endpoint {:?}: {}", subject.name, subject.place);
    report.step(DEFINITION, Outcome::Ok, Some(started.elapsed()), note)?;
    let mut check = Check { opener, subject, report, adopted: Vec::new() };
    match check.read(input).await? {
        Some(records) => check.ask(&records).await,
        None => Ok(stopped(&mut check.report, RECORDS)?),
    }
}

/// No step after this one makes sense.
fn stopped<W: Write>(report: &mut Report<W>, after: &str) -> io::Result<bool> {
    for name in STEPS.into_iter().skip_while(|name| *name != after).skip(1) {
        report.step(name, Outcome::Skipped, None, "")?;
    }
    report.line(format_args!("\nExplanations will not work: see {after}."))?;
    Ok(false)
}

impl<W: Write> Check<W> {
    async fn ask(mut self, records: &Records) -> anyhow::Result<bool> {
        if !self.ready().await? {
            return Ok(stopped(&mut self.report, READY)?);
        }
        let Some(alone) = self.one_record(records).await? else { return Ok(stopped(&mut self.report, ONE)?) };
        let (alone, two) = self.two_records(records, alone).await?;
        let batch = match self.subject.probe.container() {
            None => self.no_batch()?,
            Some(_) => match self.batch(records, &alone).await? {
                None => return Ok(stopped(&mut self.report, SMALLER)?),
                batch => batch,
            },
        };
        let is_same = self.same_scores(&alone, two.as_ref(), batch.as_ref())?;
        self.conclude(is_same, two.is_some())
    }

    /// Serving does not ask whether a container is ready; one that is not there answers nothing else either.
    async fn ready(&mut self) -> anyhow::Result<bool> {
        let Some(container) = self.subject.probe.container() else {
            self.report.step(
                READY,
                Outcome::Skipped,
                None,
                "no container: the model is evaluated in this process",
            )?;
            return Ok(true);
        };
        let (path, started) = (container.ready_path(), Instant::now());
        let answer = container.ping().await;
        let outcome = match &answer {
            Ok(()) => Outcome::Ok,
            Err(ContainerError::Unreachable) => Outcome::Failed,
            Err(_) => Outcome::Warning,
        };
        self.report.step(READY, outcome, Some(started.elapsed()), format_args!("GET {path}"))?;
        let Err(error) = answer else { return Ok(true) };
        let is_there = !matches!(error, ContainerError::Unreachable);
        self.report.fault(told_of_model(&error.into()))?;
        if is_there {
            self.report.fault("explaind serves without it; others may take the container for dead")?;
        }
        Ok(is_there)
    }

    /// Goes on with a remedy that was tried.
    pub(super) fn adopt(&mut self, remedy: Remedy, subject: Subject) -> io::Result<()> {
        self.report.line("    this mends it, and the check goes on with it:")?;
        self.report.remedy(&remedy)?;
        self.adopted.push(remedy);
        self.subject = subject;
        Ok(())
    }

    pub(super) fn n_adopted(&self) -> usize {
        self.adopted.len()
    }

    /// Whether a record has the same scores in all requests.
    fn same_scores(
        &mut self,
        alone: &Predictions,
        two: Option<&Predictions>,
        batch: Option<&Batched>,
    ) -> io::Result<bool> {
        let alone = alone.values.row(0);
        let pair = [BatchRow::Record(0), BatchRow::Record(1)];
        let of_two = two.map(|two| compare(alone, &pair, &two.values));
        let of_batch = batch.and_then(|batch| Some(compare(alone, &batch.rows, batch.scores()?)));
        let worst = [of_two, of_batch].into_iter().flatten().reduce(Comparison::worse);
        let (outcome, note) = match worst {
            None => (Outcome::Skipped, "nothing to compare".to_owned()),
            Some(Comparison::Same { difference: 0.0 }) => (Outcome::Ok, "alone and among others".to_owned()),
            Some(Comparison::Same { difference }) => {
                (Outcome::Ok, format!("alone and among others, up to {difference:.0e} of the largest score"))
            }
            Some(Comparison::Near(told)) => (Outcome::Warning, told),
            Some(Comparison::Other(told)) => (Outcome::Failed, told),
        };
        match outcome {
            Outcome::Warning | Outcome::Failed => {
                self.report.step(SAME, outcome, None, "")?;
                self.report.fault(note)?;
            }
            Outcome::Ok | Outcome::Skipped => self.report.step(SAME, outcome, None, note)?,
        }
        Ok(!matches!(outcome, Outcome::Failed))
    }

    fn conclude(mut self, is_same: bool, takes_two: bool) -> anyhow::Result<bool> {
        self.report.line("")?;
        if !is_same {
            self.report.line(format_args!("Explanations would be wrong: see {SAME}."))?;
        }
        if !self.adopted.is_empty() {
            self.report.line("Explanations will not work without this, which the check went on with:")?;
            self.report.remedies(&self.adopted)?;
        }
        let works = is_same && self.adopted.is_empty();
        if works {
            let limits = if takes_two { "" } else { " for requests of one record" };
            let warnings = match self.report.n_warnings {
                0 => String::new(),
                n_warnings => format!(" See {} above.", count(n_warnings, "warning")),
            };
            self.report.line(format_args!("Explanations will work{limits}.{warnings}"))?;
        }
        Ok(works)
    }
}
