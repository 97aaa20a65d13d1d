//! Waiting for a writer to go on.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cursor::Shown;
use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::io::wake::{Bell, Set};
use crate::io::{Wake, Watch, Woken};

/// A directory is looked at this often all the same: where the system tells all that happens in it, and where what another
/// machine does is not told.
const LOOKS: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(1));
/// Where nothing can be watched, first and longest pause between two looks.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

/// Ends the waiting of a cursor, from any thread and from a signal handler; it may outlive the cursor.
#[derive(Clone)]
pub struct Interrupter(Arc<Wake>);

impl Interrupter {
    /// Ends the [`Cursor::wait`] that is under way, or else the next one, with [`Kind::Interrupted`]. Several calls before
    /// that count as one. Does only what a signal handler may, and never waits.
    pub fn interrupt(&self) {
        self.0.interrupt();
    }
}

/// What a cursor waits with.
#[derive(Default)]
pub(super) struct Waiting {
    wake: Arc<Wake>,
    watch: Option<Box<dyn Watch>>,
    /// All that happens is told by it.
    is_told_all: bool,
    /// The file that is read is in its directory no more. That may go too: of a directory with files that somebody holds open,
    /// which were removed, the system does not tell it.
    pub is_gone: bool,
    /// What the host polls.
    set: Option<Set>,
}

impl Waiting {
    /// Whether it was interrupted; asked once.
    fn check(&self) -> Result<()> {
        match self.wake.take_interrupt() {
            true => Err(interrupted("the waiting was interrupted")),
            false => Ok(()),
        }
    }

    /// Waits for something to happen, or for `left` at the most.
    fn sleep(&mut self, left: Duration, pause: &mut Duration) -> Result<()> {
        let most = self.look_after();
        let Some(watch) = &mut self.watch else {
            let woken = Bell(&self.wake).wait(left.min(*pause));
            *pause = (*pause * 2).min(PAUSES.1);
            return self.told(woken);
        };
        match watch.wait(left.min(most)) {
            Ok(woken) => self.told(woken),
            Err(_) => {
                self.watch = None;
                Ok(())
            }
        }
    }

    /// How long it may take at the most until something is looked for that nobody has told.
    fn look_after(&self) -> Duration {
        match &self.watch {
            Some(_) if self.is_told_all && !self.is_gone => LOOKS.0,
            Some(_) => LOOKS.1,
            None => PAUSES.1,
        }
    }

    /// Has what the host polls be readable when it is time to look: the host may have asked before for how long it may wait.
    fn set_timer(&self) {
        if let Some(set) = &self.set {
            let look_after = self.look_after();
            set.ring_after((look_after < LOOKS.0).then_some(look_after));
        }
    }

    fn told(&self, woken: Woken) -> Result<()> {
        match woken {
            Woken::Signal => Err(interrupted("a signal came while the cursor waited")),
            Woken::Interrupted => self.check(),
            Woken::Happened | Woken::TimedOut => Ok(()),
        }
    }
}

fn interrupted(reason: &str) -> Error {
    Error::new(Kind::Interrupted, reason)
}

impl Cursor {
    /// Waits until there is a record to be shown by the next call (or an event, for a filter that shows them); false
    /// when `timeout` has passed without one. [`Duration::ZERO`] just looks. It goes on over rolls, the removal of old
    /// segments, and a writer that ends and begins anew; no writer at all is no error either. What a call that goes on
    /// would tell of, such as [`Kind::Missed`], ends the waiting too: true, and the next call tells it. Where the log's files were
    /// removed and others are in their place, such as a copy or a log of the same name that was begun anew,
    /// [`Kind::Mismatch`] says so: open a reader anew then.
    ///
    /// On Linux the system wakes the cursor when a file of the directory changes (inotify). It looks besides: every 30
    /// seconds on a local file system, once a second elsewhere, as on a network file system, where the system does not
    /// tell what another machine does. A pattern, another system, or one that is out of such watches is looked at every
    /// 10 to 100 ms. Takes no thread and no signal; the first waiting takes one file descriptor for as long as the cursor
    /// lives, and all cursors of a process share a few more. A cursor that shows the newest first sees nothing new.
    ///
    /// # Errors
    /// As [`Self::next`], and [`Kind::Interrupted`] after [`Interrupter::interrupt`], or when a signal handler has run in
    /// this thread meanwhile: nothing was taken, and the same call goes on.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool> {
        self.waiting.check()?;
        if self.waiting.set.is_some() {
            // What the host polls is not to be readable because of what the look is going to find.
            self.arm()?;
            self.waiting.sleep(Duration::ZERO, &mut PAUSES.0.clone())?;
        }
        let can_show = self.can_show();
        if can_show.as_ref().is_err_and(|error| error.kind() == Kind::NotFound) {
            // The directory is not there: another one may come in its place.
            (self.waiting.watch, self.waiting.is_gone) = (None, true);
        }
        self.waiting.set_timer();
        if can_show? {
            return Ok(true);
        }
        if timeout.is_zero() {
            return Ok(false);
        }
        let began = Instant::now();
        // Before the look that finds nothing, so that nothing comes up unnoticed between that and the waiting.
        self.arm()?;
        let mut pause = PAUSES.0;
        loop {
            if self.can_show()? {
                return Ok(true);
            }
            let left = timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            self.waiting.sleep(left, &mut pause)?;
        }
    }

    /// Ends the waiting of this cursor from elsewhere.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(self.waiting.wake.clone())
    }

    /// A descriptor for poll(2), epoll(7) and what is built on these: readable when there may be something to be shown, or
    /// when the cursor was interrupted. Then, and when so much time has passed without that, the host calls [`Self::wait`]
    /// with [`Duration::ZERO`]: that looks, and makes it unreadable. It may be readable without a reason. It belongs to the
    /// cursor, is the same in each call, and is closed with the cursor; nobody else reads it, writes to it or closes it.
    ///
    /// The time may change with each look; what was told before does not come to nothing, as the descriptor becomes readable
    /// then too. A cursor that is polled takes two file descriptors, and a third one where the system does not tell everything.
    ///
    /// # Errors
    /// [`Kind::Io`] at the limit of descriptors, [`Kind::Unsupported`] on another system than Linux.
    pub fn descriptor(&mut self) -> Result<(BorrowedFd<'_>, Duration)> {
        let failed = |e: std::io::Error| Error::io(&e, "make a descriptor to be polled");
        if self.waiting.set.is_none() {
            let set = Set::new(&self.waiting.wake).map_err(failed)?;
            // A cursor that has waited before has a watch already.
            if let Some(queue) = self.waiting.watch.as_ref().and_then(|watch| watch.descriptor()) {
                set.add(queue).map_err(failed)?;
            }
            self.waiting.set = Some(set);
            // What has happened before it was watched is looked for.
            self.waiting.wake.ring();
        }
        self.arm()?;
        self.waiting.set_timer();
        let look_after = self.waiting.look_after();
        let descriptor = self.waiting.set.as_ref().and_then(Set::descriptor);
        let descriptor =
            descriptor.ok_or_else(|| Error::new(Kind::Unsupported, "this system has nothing to be polled"))?;
        Ok((descriptor, look_after))
    }

    /// Has the system tell what happens from now on, where it does.
    fn arm(&mut self) -> Result<()> {
        if self.waiting.watch.is_some() {
            return Ok(());
        }
        let watch = self.source.watch(&self.waiting.wake);
        if let (Some(set), Some(queue)) = (&self.waiting.set, watch.as_ref().and_then(|watch| watch.descriptor())) {
            set.add(queue).map_err(|e| Error::io(&e, "make a descriptor to be polled"))?;
            // What has happened before, such as between two watches of a directory that was away, is looked for.
            self.waiting.wake.ring();
        }
        // What is written to the target of a link happens in another directory.
        self.waiting.is_told_all = watch.as_ref().is_some_and(|watch| watch.tells_all()) && !self.source.is_link();
        self.waiting.watch = watch;
        Ok(())
    }

    /// Whether the next call shows or tells something; loads it when it does.
    fn can_show(&mut self) -> Result<bool> {
        loop {
            if self.missed.is_some() {
                return Ok(true);
            }
            match &self.shown {
                Shown::Walk(walk) => match walk.clone().next_hit(&self.selection, self.scanner.entries()) {
                    Ok(Some(_)) => return Ok(true),
                    Ok(None) => (),
                    Err(reason) => return Err(self.corrupt(&reason)),
                },
                Shown::Hits(hits, at) if *at < hits.len() => return Ok(true),
                Shown::Hits(..) | Shown::Nothing => (),
            }
            match self.advance() {
                Ok(true) => (),
                Err(error) if error.kind() == Kind::Missed => self.missed = Some(error),
                other => return other,
            }
        }
    }
}
