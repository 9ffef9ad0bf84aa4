//! The results of a run.

use serde::Serialize;
use std::fmt;

/// The results of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Which scenario.
    pub scenario: &'static str,
    /// The seed of all chance.
    pub seed: u64,
    /// Leechers.
    pub machines: usize,
    /// Chunks of the resource.
    pub chunks: u32,
    /// The bound in seconds: no schedule is faster.
    pub bound: f64,
    /// The times at which the judged machines had everything, as multiples of the bound, sorted. Machines that never
    /// had it are left out.
    pub times: Vec<f64>,
    /// Bytes that the first seeder sent, in copies of the resource.
    pub sent: f64,
    /// Bytes that crossed into another zone, in copies of the resource.
    pub crossed: f64,
    /// Requests (picks, too) for each chunk that was delivered.
    pub requests: f64,
    /// The share of them that was refused because all slots were taken.
    pub refused: f64,
    /// How often a machine dropped a peer.
    pub dropped: usize,
    /// Events that were handed to machines.
    pub events: u64,
    /// Real time, in seconds.
    pub took: f64,
    /// The digest of all actions; 0 if the world is too large for it.
    pub digest: u64,
    /// The failures of the run.
    pub failures: Vec<String>,
}

impl Report {
    /// The time of the last judged machine, as a multiple of the bound.
    pub fn ratio(&self) -> f64 {
        self.quantile(1.0)
    }

    /// The time by which this part of the judged machines had everything, as a multiple of the bound; 0 if there are
    /// none.
    pub fn quantile(&self, part: f64) -> f64 {
        let place = (self.times.len().saturating_sub(1) as f64 * part).round() as usize;
        self.times.get(place).copied().unwrap_or(0.0)
    }

    /// The command that repeats it.
    pub fn again(&self) -> String {
        let Report { scenario, seed, machines, chunks, .. } = self;
        format!(
            "cargo run --release -p sim -- run {scenario} --seed {seed} --machines {machines} --chunks {chunks}"
        )
    }

    /// The report in one line.
    pub fn line(&self) -> String {
        let verdict = if self.failures.is_empty() { "ok" } else { "FAILED" };
        let size = format!("{} x {}", self.machines, self.chunks);
        format!(
            "{:<14} {size:<11} seed {:<20} time/bound {:.3}  seeder {:.2} F  {:.1} s  {verdict}",
            self.scenario,
            self.seed,
            self.ratio(),
            self.sent,
            self.took,
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |part| format!("{:.3}", self.quantile(part));
        writeln!(f, "bound           {:.3} s", self.bound)?;
        writeln!(
            f,
            "time / bound    {} first, {} median, {} nine in ten, {} last",
            of(0.0),
            of(0.5),
            of(0.9),
            of(1.0)
        )?;
        writeln!(f, "seeder sent     {:.3} copies", self.sent)?;
        if self.crossed > 0.0 {
            writeln!(f, "crossed         {:.3} copies", self.crossed)?;
        }
        writeln!(
            f,
            "requests        {:.2} for each chunk, {:.2} of them refused",
            self.requests, self.refused
        )?;
        writeln!(f, "dropped peers   {}", self.dropped)?;
        let rate = self.events as f64 / self.took.max(1e-9);
        writeln!(f, "events          {} in {:.2} s: {rate:.0} per second", self.events, self.took)?;
        if self.digest != 0 {
            writeln!(f, "digest          {:016x}", self.digest)?;
        }
        self.failures.iter().try_for_each(|failure| writeln!(f, "FAILED          {failure}"))?;
        write!(f, "{}", self.line())
    }
}
