//! Waiting for something to happen in a directory, by inotify(7).
//!
//! A user has 128 inotify instances, so a process uses at most a few, however many directories are waited for. Each
//! waiting thread polls an instance and its own bell. The one that finds that something happened reads the events, and
//! rings the bells of all others that they concern. Therefore the library needs no thread.

use std::collections::HashMap;
use std::io::{Error, ErrorKind, Result};
use std::mem::{offset_of, size_of};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::fork::ForkMark;
use super::wake::{poll, Wake};
use super::{Watch, Woken};

/// Changes of the files of a log, of their contents, and of the directory itself.
const EVENTS: u32 = libc::IN_MODIFY
    | libc::IN_CREATE
    | libc::IN_DELETE
    | libc::IN_MOVED_FROM
    | libc::IN_MOVED_TO
    | libc::IN_DELETE_SELF
    | libc::IN_MOVE_SELF
    | libc::IN_ONLYDIR;

/// Instances of a process, at most. Threads that wait for other directories are woken too when they share an instance;
/// therefore there are several.
const QUEUES: usize = 8;
/// This many waiting threads share an instance while another one may be created: a descriptor may be in 500 sets that
/// are polled by another epoll(7), as those of event loops are, and epoll_ctl(2) refuses more with EINVAL.
const WAITING_OF_QUEUE: usize = 400;

/// One inotify instance, and the threads that its events concern.
struct Queue {
    descriptor: OwnedFd,
    /// By the number that the system gave to the directory.
    watched: Mutex<HashMap<libc::c_int, WatchedDirectory>>,
}

/// A directory, and the threads that wait for it.
struct WatchedDirectory {
    identity: (u64, u64),
    waiting: Vec<Weak<Notice>>,
}

/// The state of one waiting thread.
struct Notice {
    /// The directory was removed or moved.
    ended: AtomicBool,
    wake: Arc<Wake>,
}

/// The instances of this process. A forked child creates its own, because each event is delivered to only one of the
/// two.
struct Queues {
    mark: ForkMark,
    queues: Vec<Weak<Queue>>,
}

static QUEUES_OF_PROCESS: Mutex<Option<Queues>> = Mutex::new(None);

/// One directory that is waited for.
pub(super) struct Inotify {
    queue: Arc<Queue>,
    number: libc::c_int,
    notice: Arc<Notice>,
    /// Detects the child of a fork that inherited this.
    mark: ForkMark,
    is_local: bool,
}

impl Inotify {
    /// # Errors
    /// EMFILE, ENFILE and ENOSPC at the limits of `/proc/sys/fs/inotify`, and other errors of the system.
    pub fn new(directory: &Path, wake: &Arc<Wake>) -> Result<Self> {
        wake.descriptor()?;
        let facts = std::fs::metadata(directory)?;
        let path = std::ffi::CString::new(directory.as_os_str().as_bytes())?;
        let queue = queue_for((facts.dev(), facts.ino()))?;
        let notice = Arc::new(Notice { ended: AtomicBool::new(false), wake: wake.clone() });
        let mut watched = queue.watched.lock();
        // SAFETY: the descriptor is open, and the path is a NUL-terminated string that outlives the call.
        let number = match unsafe { libc::inotify_add_watch(queue.descriptor.as_raw_fd(), path.as_ptr(), EVENTS) } {
            -1 => return Err(Error::last_os_error()),
            number => number,
        };
        let added = || WatchedDirectory { identity: (facts.dev(), facts.ino()), waiting: vec![] };
        watched.entry(number).or_insert_with(added).waiting.push(Arc::downgrade(&notice));
        drop(watched);
        Ok(Inotify { queue, number, notice, mark: ForkMark::new(), is_local: is_local(directory) })
    }

    /// Notifies all waiting threads of what has happened so far.
    fn drain(&self) -> Result<()> {
        let mut events = Events([0; 4096]);
        // Held meanwhile: no thread sleeps while another one has read an event for it and not delivered it yet.
        let mut watched = self.queue.watched.lock();
        loop {
            let events = &mut events.0;
            // SAFETY: the buffer is writable for its length, and aligned like the system's struct.
            match unsafe { libc::read(self.queue.descriptor.as_raw_fd(), events.as_mut_ptr().cast(), events.len()) } {
                -1 => match Error::last_os_error() {
                    e if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                    e if e.kind() == ErrorKind::Interrupted => (),
                    e => return Err(e),
                },
                0 => return Ok(()),
                n => self.deliver(&events[..n as usize], &mut watched),
            }
        }
    }

    fn deliver(&self, mut events: &[u8], watched: &mut HashMap<libc::c_int, WatchedDirectory>) {
        const HEAD: usize = size_of::<libc::inotify_event>();
        let field = |events: &[u8], at: usize| u32::from_ne_bytes(events[at..at + 4].try_into().unwrap_or_default());
        let mut last = None;
        while events.len() >= HEAD {
            let number = field(events, offset_of!(libc::inotify_event, wd)) as libc::c_int;
            let mask = field(events, offset_of!(libc::inotify_event, mask));
            let name_len = field(events, offset_of!(libc::inotify_event, len)) as usize;
            events = events.get(HEAD + name_len..).unwrap_or_default();
            let ends = mask & (libc::IN_IGNORED | libc::IN_DELETE_SELF | libc::IN_MOVE_SELF | libc::IN_UNMOUNT) != 0;
            if mask & libc::IN_Q_OVERFLOW != 0 {
                watched.values().for_each(|directory| self.notify(directory, false));
            } else if ends || last != Some(number) {
                if let Some(directory) = watched.get(&number) {
                    self.notify(directory, ends);
                }
            }
            last = Some(number);
            if mask & libc::IN_IGNORED != 0 {
                // The system has forgotten it.
                watched.remove(&number);
            }
        }
    }

    fn notify(&self, directory: &WatchedDirectory, ends: bool) {
        for notice in directory.waiting.iter().filter_map(Weak::upgrade) {
            if ends {
                notice.ended.store(true, Ordering::SeqCst);
            }
            // A thread that was notified and has not looked yet rings already.
            if notice.wake.note_happened() && !Arc::ptr_eq(&notice, &self.notice) {
                notice.wake.ring();
            }
        }
    }
}

/// Aligned like the system's struct.
#[repr(align(8))]
struct Events([u8; 4096]);

impl Queue {
    fn new() -> Result<Self> {
        // SAFETY: a plain system call; it returns a new descriptor that is not shared, or -1.
        let descriptor = match unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) } {
            -1 => return Err(Error::last_os_error()),
            // SAFETY: as above.
            descriptor => unsafe { OwnedFd::from_raw_fd(descriptor) },
        };
        Ok(Queue { descriptor, watched: Mutex::default() })
    }

    /// The number of waiting threads.
    fn waiting(&self) -> usize {
        self.watched.lock().values().map(|directory| directory.waiting.len()).sum()
    }
}

/// A queue that watches this directory already and has room, a new one, or the one with the fewest waiting threads.
fn queue_for(identity: (u64, u64)) -> Result<Arc<Queue>> {
    let mut of_process = QUEUES_OF_PROCESS.lock();
    if of_process.as_ref().is_some_and(|queues| queues.mark.is_child()) {
        *of_process = None;
    }
    let queues = &mut of_process.get_or_insert_with(|| Queues { mark: ForkMark::new(), queues: vec![] }).queues;
    queues.retain(|queue| queue.strong_count() > 0);
    let there: Vec<Arc<Queue>> = queues.iter().filter_map(Weak::upgrade).collect();
    let watches = |queue: &&Arc<Queue>| queue.watched.lock().values().any(|directory| directory.identity == identity);
    if let Some(queue) = there.iter().filter(watches).find(|queue| queue.waiting() < WAITING_OF_QUEUE) {
        return Ok(queue.clone());
    }
    let fewest = there.iter().min_by_key(|queue| queue.waiting());
    match (there.len() < QUEUES).then(Queue::new) {
        Some(Ok(made)) => {
            let made = Arc::new(made);
            queues.push(Arc::downgrade(&made));
            Ok(made)
        }
        // At the user's limit of instances an existing one is used.
        Some(Err(error)) => fewest.cloned().ok_or(error),
        None => fewest.cloned().ok_or_else(|| Error::from_raw_os_error(libc::EMFILE)),
    }
}

impl Watch for Inotify {
    fn wait(&mut self, timeout: Duration) -> Result<Woken> {
        if self.mark.is_child() {
            return Err(Error::from_raw_os_error(libc::EBADF));
        }
        let bell = self.notice.wake.descriptor()?;
        let began = Instant::now();
        loop {
            // Cleared before the flags are read; these are set before it rings.
            self.notice.wake.clear();
            self.drain()?;
            if self.notice.ended.load(Ordering::SeqCst) {
                return Err(Error::from(ErrorKind::NotFound));
            }
            if self.notice.wake.take_news() {
                return Ok(Woken::Happened);
            }
            if self.notice.wake.is_interrupted() {
                return Ok(Woken::Interrupted);
            }
            let left = timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Ok(Woken::TimedOut);
            }
            if !poll(&[self.queue.descriptor.as_raw_fd(), bell], left)? {
                return Ok(Woken::Signal);
            }
        }
    }

    fn reports_all(&self) -> bool {
        self.is_local
    }

    fn descriptor(&self) -> Option<RawFd> {
        Some(self.queue.descriptor.as_raw_fd())
    }
}

impl Drop for Inotify {
    fn drop(&mut self) {
        if self.mark.is_child() {
            // It is the parent's, which may be using it.
            return;
        }
        let mut watched = self.queue.watched.lock();
        let Some(directory) = watched.get_mut(&self.number) else { return };
        let this = Arc::downgrade(&self.notice);
        directory.waiting.retain(|other| !other.ptr_eq(&this) && other.strong_count() > 0);
        if directory.waiting.is_empty() {
            watched.remove(&self.number);
            // SAFETY: the descriptor is open; a number that the system has forgotten is refused.
            unsafe { libc::inotify_rm_watch(self.queue.descriptor.as_raw_fd(), self.number) };
        }
    }
}

/// Whether the file system of the directory reports everything that happens in it: not one that another machine writes
/// to, or that is layered on others.
fn is_local(directory: &Path) -> bool {
    // ext2 to ext4, XFS, btrfs, tmpfs, F2FS and ZFS, by their numbers in statfs(2).
    const LOCAL: [u32; 6] = [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0xF2F5_2010, 0x2FC1_2FC1];
    let Ok(path) = std::ffi::CString::new(directory.as_os_str().as_bytes()) else { return false };
    let mut facts = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: a NUL-terminated string, and a struct that the call fills; all zeros is a valid value of it too.
    let facts = unsafe {
        libc::statfs(path.as_ptr(), facts.as_mut_ptr());
        facts.assume_init()
    };
    LOCAL.contains(&(facts.f_type as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Access, Directory, RealDirectory};

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(20);

    fn watch(path: &Path) -> Inotify {
        Inotify::new(path, &Arc::default()).expect("there is inotify")
    }

    fn expect_event(watch: &mut Inotify) {
        let began = Instant::now();
        assert_eq!(watch.wait(LONG).unwrap(), Woken::Happened);
        assert!(began.elapsed() < LONG / 2);
        let began = Instant::now();
        assert_eq!(watch.wait(SHORT).unwrap(), Woken::TimedOut, "it is reported once");
        assert!(began.elapsed() >= SHORT);
    }

    #[test]
    fn what_happens_in_a_directory_ends_the_waiting_also_when_it_happened_before() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = RealDirectory::open(scratch.path()).unwrap();
        let mut watch = watch(scratch.path());
        drop(directory.create("a", 0o600).unwrap());
        expect_event(&mut watch);
        let file = directory.open("a", Access::ReadWrite).unwrap();
        crate::io::write_full(&*file, &[b"more"], 0).map_err(|(_, e)| e).unwrap();
        expect_event(&mut watch);
        directory.rename("a", "b").unwrap();
        expect_event(&mut watch);
        directory.remove("b").unwrap();
        expect_event(&mut watch);
    }

    #[test]
    fn every_waiting_thread_is_notified_whichever_reads_the_event() {
        let scratch = tempfile::tempdir().unwrap();
        let (one, other) = (scratch.path().join("one"), scratch.path().join("other"));
        std::fs::create_dir(&one).unwrap();
        std::fs::create_dir(&other).unwrap();
        let mut first = watch(&one);
        let mut second = watch(&one);
        let mut elsewhere = watch(&other);
        for round in 0..3 {
            std::fs::write(one.join(format!("{round}")), "x").unwrap();
            expect_event(&mut first);
            expect_event(&mut second);
            assert_eq!(elsewhere.wait(SHORT).unwrap(), Woken::TimedOut);
        }
        drop(first);
        std::fs::write(one.join("again"), "x").unwrap();
        expect_event(&mut second);
    }

    #[test]
    fn a_thousand_sets_of_one_directory_are_polled_by_another_epoll() {
        use crate::io::wake::Set;
        let scratch = tempfile::tempdir().unwrap();
        let outer = Set::new(&Wake::default()).unwrap();
        let descriptor = |set: &Set| set.descriptor().unwrap().as_raw_fd();
        let mut all: Vec<_> = (0..1000)
            .map(|_| {
                let wake = Arc::default();
                let watch = Inotify::new(scratch.path(), &wake).unwrap();
                let set = Set::new(&wake).unwrap();
                set.add(watch.queue.descriptor.as_raw_fd()).unwrap();
                outer.add(descriptor(&set)).unwrap();
                (watch, set)
            })
            .collect();
        std::fs::write(scratch.path().join("file"), "x").unwrap();
        for (watch, set) in &mut all {
            assert!(poll(&[descriptor(set)], LONG).unwrap());
            assert_eq!(watch.wait(LONG).unwrap(), Woken::Happened);
        }
    }

    #[test]
    fn more_directories_than_there_are_instances_are_watched() {
        let scratch = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..3 * QUEUES).map(|number| scratch.path().join(number.to_string())).collect();
        paths.iter().for_each(|path| std::fs::create_dir(path).unwrap());
        let mut watches: Vec<_> = paths.iter().map(|path| watch(path)).collect();
        for (path, watch) in paths.iter().zip(&mut watches) {
            std::fs::write(path.join("file"), "x").unwrap();
            expect_event(watch);
        }
        assert!(watches.iter_mut().all(|watch| watch.wait(Duration::ZERO).unwrap() == Woken::TimedOut));
    }

    #[test]
    fn an_interrupt_ends_the_waiting_from_another_thread() {
        let scratch = tempfile::tempdir().unwrap();
        let wake: Arc<Wake> = Arc::default();
        let mut watch = Inotify::new(scratch.path(), &wake).unwrap();
        let waiting = std::thread::spawn(move || watch.wait(LONG).unwrap());
        std::thread::sleep(SHORT);
        wake.interrupt();
        assert_eq!(waiting.join().unwrap(), Woken::Interrupted);
    }

    #[test]
    fn a_directory_that_is_gone_or_never_was_cannot_be_watched() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("gone");
        let missing = |path: &Path| Inotify::new(path, &Arc::default()).err().unwrap().raw_os_error();
        assert_eq!(missing(&path), Some(libc::ENOENT));
        std::fs::create_dir(&path).unwrap();
        let mut removed = watch(&path);
        std::fs::remove_dir(&path).unwrap();
        assert_eq!(removed.wait(LONG).unwrap_err().kind(), ErrorKind::NotFound);
        std::fs::create_dir(&path).unwrap();
        let mut again = watch(&path);
        assert_eq!(again.wait(SHORT).unwrap(), Woken::TimedOut);
    }
}
