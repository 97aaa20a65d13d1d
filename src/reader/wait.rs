//! Waits for a writer to append more.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::waiting::{Interrupter, PAUSES};
use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::io::wake::Set;

impl Cursor {
    /// Waits until the next call can show a record (or an event, for a filter that shows them); returns false when
    /// `timeout` has passed without one. [`Duration::ZERO`] only looks. Waiting continues over rolls, the removal of
    /// old segments, and a writer that ends and begins again; it is no error if there is no writer. A condition that
    /// the next call would report, such as [`Kind::Missed`], ends the waiting too: this returns true, and the next call
    /// reports it. If the log's files were removed and others are in their place, such as a copy or a new log of the
    /// same name, fails with [`Kind::Mismatch`]: open a new reader then.
    ///
    /// On Linux the system wakes the cursor when a file of the directory changes (inotify). The cursor also looks every
    /// 30 seconds on a local file system, and once a second elsewhere, such as on a network file system, where the
    /// system does not report changes by other machines. A pattern, another system, or a system that has run out of
    /// watches is looked at every 10 to 100 ms. Uses no thread and no signal; the first wait takes one file descriptor
    /// for the life of the cursor, and all cursors of a process share a few more. A cursor that shows the newest first
    /// sees nothing new.
    ///
    /// # Errors
    /// As [`Self::next`], and [`Kind::Interrupted`] after [`Interrupter::interrupt`], or when a signal handler has run
    /// in this thread meanwhile: no record is lost, and the same call may be repeated.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool> {
        self.waiting.check()?;
        if self.waiting.set.is_some() {
            // The polled descriptor must not stay readable because of changes that this look will find.
            self.arm()?;
            self.waiting.sleep(Duration::ZERO, &mut PAUSES.0.clone())?;
        }
        let can_show = self.can_show();
        if can_show.as_ref().is_err_and(|error| error.kind() == Kind::NotFound) {
            // The directory does not exist: another one may take its place.
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
        // Armed before the look that finds nothing: a change between that look and the wait is not missed.
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

    /// Ends the wait of this cursor from another thread or a signal handler.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(self.waiting.wake.clone())
    }

    /// A descriptor for poll(2), epoll(7) and similar calls: readable when there may be something to show, or when the
    /// cursor was interrupted. Then, or when the returned time has passed, the host calls [`Self::wait`] with
    /// [`Duration::ZERO`], which looks and makes it unreadable. It may become readable without a reason. It belongs to
    /// the cursor, is the same in each call, and is closed with the cursor; the host must not read it, write to it or
    /// close it.
    ///
    /// The time may change with each look. A time that was returned earlier stays safe to use, as the descriptor
    /// becomes readable then too. A cursor that is polled takes two file descriptors, and a third one where the system
    /// does not report every change.
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
            // Changes before the watch began are looked for.
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

    /// Watches for changes from now on, where the system can report them.
    fn arm(&mut self) -> Result<()> {
        if self.waiting.watch.is_some() {
            return Ok(());
        }
        let watch = self.list.source.watch(&self.waiting.wake);
        if let (Some(set), Some(queue)) = (&self.waiting.set, watch.as_ref().and_then(|watch| watch.descriptor())) {
            set.add(queue).map_err(|e| Error::io(&e, "make a descriptor to be polled"))?;
            // Earlier changes, such as those between two watches of a directory that was away, are looked for.
            self.waiting.wake.ring();
        }
        // Writes to the target of a link happen in another directory.
        self.waiting.reports_all =
            watch.as_ref().is_some_and(|watch| watch.reports_all()) && !self.list.source.is_link();
        self.waiting.watch = watch;
        Ok(())
    }

    /// Whether the next call shows or reports something; loads it if so.
    fn can_show(&mut self) -> Result<bool> {
        loop {
            if self.ending.missed.is_some() {
                return Ok(true);
            }
            match self.view.has_more(&self.position.scanner) {
                Ok(true) => return Ok(true),
                Ok(false) => (),
                Err(reason) => return Err(self.corrupt(&reason)),
            }
            match self.advance() {
                Ok(true) => (),
                Err(error) if error.kind() == Kind::Missed => self.ending.missed = Some(error),
                other => return other,
            }
        }
    }
}
