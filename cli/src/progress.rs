//! A bar on standard error for work that takes a person's patience.

use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often the bar moves, at most.
const TURN: Duration = Duration::from_millis(50);

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Files,
}

/// How much of the work is done. Shows nothing unless standard error is a terminal.
pub struct Progress {
    began: Instant,
    unit: Unit,
    total: u64,
    /// When the bar was moved last, and how much has to be done before it is again.
    moved: Instant,
    next: u64,
    wanted: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Of so many bytes. Without a total that is known, nothing is shown.
    pub fn new(total: Option<u64>) -> Self {
        Self::of(Unit::Bytes, total.unwrap_or(0))
    }

    /// Of so many files.
    pub fn of_files(files: usize) -> Self {
        Self::of(Unit::Files, files as u64)
    }

    /// Whether there is somebody to see a bar.
    pub fn is_seen() -> bool {
        std::io::stderr().is_terminal()
    }

    /// The same beside data on standard output: it would go to the same terminal, at once or from the other end of a pipe.
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

    /// So much is done, of so much.
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

    /// For lines that go to the same terminal.
    pub fn hide_while(&self, tell: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(tell),
            None => tell(),
        }
    }
}

impl Drop for Progress {
    /// Leaves the terminal as it was.
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
