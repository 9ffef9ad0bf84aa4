//! The results of the checks, and how they are printed.

use crate::documents::Document;
use crate::error::{Error, Kind};
use crate::human;
use crate::output::{Colour, Output};
use crate::width::wrap;
use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    Warning,
    Failure,
}

/// A check and its result.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    pub(super) message: String,
    hint: Option<String>,
}

/// All results, in the order of the checks.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) findings: Vec<Finding>,
    /// No ttd answers.
    pub(super) no_daemon: bool,
}

/// `doctor`
#[derive(Debug, Serialize)]
struct Diagnosis<'a> {
    checks: &'a [Finding],
    warnings: usize,
    failures: usize,
}

/// The column at which messages begin, after the verdict and the name of the check.
const TEXT_AT: usize = 22;

impl Findings {
    pub(super) fn ok(&mut self, check: &'static str, message: String) {
        self.add(check, Verdict::Ok, message, None);
    }

    pub(super) fn add(
        &mut self,
        check: &'static str,
        verdict: Verdict,
        message: String,
        hint: Option<String>,
    ) {
        self.findings.push(Finding { check, verdict, message, hint });
    }

    /// Prints all results. If a check failed, the error that is returned was already printed.
    pub(super) fn report(mut self, output: &mut Output) -> Result<(), Error> {
        for finding in &mut self.findings {
            finding.hint = finding.hint.take().map(|hint| output.pasteable(&hint));
        }
        let count = |verdict| self.findings.iter().filter(|finding| finding.verdict == verdict).count();
        let (warnings, failures) = (count(Verdict::Warning), count(Verdict::Failure));
        if output.is_json() {
            output.json(&Document::new(Diagnosis { checks: &self.findings, warnings, failures }))?;
        } else {
            self.findings.iter().try_for_each(|finding| finding.print(output))?;
            let counts = [
                human::count(self.findings.len() as u64, "check"),
                human::count(warnings as u64, "warning"),
                human::count(failures as u64, "failure"),
            ];
            output.line(&counts.join(", "))?;
        }
        let kind = match (failures, self.no_daemon) {
            (0, _) => return Ok(()),
            (_, true) => Kind::NoDaemon,
            (_, false) => Kind::Refused,
        };
        let failed =
            if failures == 1 { "1 check failed".to_owned() } else { format!("{failures} checks failed") };
        Err(Error::new(kind, failed).told())
    }
}

impl Finding {
    fn print(&self, output: &mut Output) -> Result<(), Error> {
        let (word, colour) = match self.verdict {
            Verdict::Ok => ("ok", Colour::Good),
            Verdict::Warning => ("warning", Colour::Careful),
            Verdict::Failure => ("failure", Colour::Bad),
        };
        let word = output.paint(colour, &format!("{word:<7}"));
        // on a terminal a long message continues on further lines, below its beginning
        let room = output.columns().map_or(usize::MAX, |columns| columns.saturating_sub(TEXT_AT));
        let message = wrap(&human::clean(&self.message), room);
        let hint = self.hint.iter().flat_map(|hint| wrap(&human::clean(hint), room));
        for (place, text) in message.into_iter().chain(hint).enumerate() {
            match place {
                0 => output.line(&format!("{word}  {:<11}  {text}", self.check))?,
                _ => output.line(&format!("{:TEXT_AT$}{text}", ""))?,
            }
        }
        Ok(())
    }
}
