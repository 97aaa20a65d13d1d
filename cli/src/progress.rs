//! A bar on standard error for work that takes a person's patience.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);

/// How much of so many bytes is done. Shows nothing unless standard error is a terminal.
pub struct Progress {
    began: Instant,
    total: u64,
    /// The last position is drawn again only after this many bytes.
    next: u64,
    wanted: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Without a total that is known, nothing is shown.
    pub fn new(total: Option<u64>) -> Self {
        let wanted = total.is_some_and(|total| total > 0) && std::io::stderr().is_terminal();
        Progress { began: Instant::now(), total: total.unwrap_or(0), next: 0, wanted, bar: None }
    }

    pub fn at(&mut self, bytes: u64) {
        if !self.wanted || bytes < self.next {
            return;
        }
        self.next = bytes + (1 << 20);
        if self.bar.is_none() && self.began.elapsed() > PATIENCE {
            self.bar = Some(bar(self.total));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(bytes.min(self.total));
        }
    }
}

impl Progress {
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

fn bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let template = "{wide_bar} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
