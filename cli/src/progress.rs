//! A progress bar on standard error, for work that takes long.

use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shorter work shows no bar.
const PATIENCE: Duration = Duration::from_millis(500);
/// The bar moves at most so often.
const TURN: Duration = Duration::from_millis(50);

/// What the bar counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Files,
}

/// A progress bar. Shows nothing unless standard error is a terminal.
pub struct Progress {
    began: Instant,
    unit: Unit,
    total: u64,
    /// When the bar moved last, and the count at which it moves again.
    moved: Instant,
    next: u64,
    wanted: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A bar over so many bytes. Nothing is shown when the total is unknown.
    pub fn new(total: Option<u64>) -> Self {
        Self::of(Unit::Bytes, total.unwrap_or(0))
    }

    /// A bar over so many files.
    pub fn of_files(files: usize) -> Self {
        Self::of(Unit::Files, files as u64)
    }

    /// Whether standard error is a terminal, which shows a bar.
    pub fn is_seen() -> bool {
        std::io::stderr().is_terminal()
    }

    /// The same while data goes to standard output: unless that is a file, it may reach the same terminal, directly
    /// or at the end of a pipe.
    pub fn is_seen_beside_output() -> bool {
        let output = std::io::stdout().as_fd().try_clone_to_owned().map(File::from);
        Self::is_seen() && output.and_then(|output| output.metadata()).is_ok_and(|facts| facts.is_file())
    }

    fn of(unit: Unit, total: u64) -> Self {
        let wanted = total > 0 && Self::is_seen();
        let now = Instant::now();
        Progress { began: now, unit, total, moved: now, next: 0, wanted, bar: None }
    }

    pub fn at(&mut self, done: u64) {
        if self.wanted && (done >= self.next || done >= self.total) {
            self.draw(done);
        }
    }

    /// Moves the bar to `done` parts of `of`.
    pub fn part(&mut self, done: u64, of: u64) {
        if self.wanted {
            self.at((u128::from(self.total) * u128::from(done) / u128::from(of.max(1))) as u64);
        }
    }

    fn draw(&mut self, done: u64) {
        let now = Instant::now();
        if now - self.moved < TURN {
            return;
        }
        self.moved = now;
        self.next = done + self.total / 4096;
        if self.bar.is_none() && now - self.began > PATIENCE {
            self.bar = Some(bar(self.unit, self.total));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done.min(self.total));
        }
    }

    /// Hides the bar while lines are printed to the same terminal.
    pub fn hide_while(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Progress {
    /// Clears the bar from the terminal.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(unit: Unit, total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let template = match unit {
        Unit::Bytes => "{wide_bar} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
        Unit::Files => "{wide_bar} {human_pos} of {human_len} files, {eta} left",
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
