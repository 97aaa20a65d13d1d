//! Keeps a forked child from holding the parent's locks.
//!
//! A lock belongs to an open file, and a child of fork(2) has the parent's open files too: it would keep the log locked
//! after the parent has ended. Therefore the child replaces each file that can hold a lock by /dev/null. It does not
//! release the locks, which are the parent's.
//!
//! The code that runs in the child may only do what a signal handler may: the descriptors are in memory that is never
//! freed or moved, accessed through atomics, and no lock is taken.

use std::fs::Metadata;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::os::unix::fs::MetadataExt;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const FREE: RawFd = -1;
const TAKEN: RawFd = -2;

/// A descriptor, and the file that it referred to when it was opened: the host may have closed it since.
struct Slot {
    descriptor: AtomicI32,
    device: AtomicU64,
    inode: AtomicU64,
}

/// Slots, and a further chunk when these are taken. None is ever freed: a child may be reading it.
struct Chunk {
    slots: [Slot; 64],
    next: AtomicPtr<Chunk>,
}

impl Slot {
    const fn free() -> Self {
        Slot { descriptor: AtomicI32::new(FREE), device: AtomicU64::new(0), inode: AtomicU64::new(0) }
    }
}

impl Chunk {
    const fn new() -> Self {
        Chunk { slots: [const { Slot::free() }; 64], next: AtomicPtr::new(ptr::null_mut()) }
    }

    fn next(&self) -> Option<&'static Chunk> {
        // SAFETY: the value stored there was leaked, and is never changed again.
        unsafe { self.next.load(Ordering::Acquire).as_ref() }
    }

    fn next_or_new(&self) -> &'static Chunk {
        if let Some(next) = self.next() {
            return next;
        }
        let made = Box::into_raw(Box::new(Chunk::new()));
        match self.next.compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: leaked above, for good.
            Ok(_) => unsafe { &*made },
            Err(there) => {
                // SAFETY: made above, and not shared yet.
                drop(unsafe { Box::from_raw(made) });
                // SAFETY: as in `next`.
                unsafe { &*there }
            }
        }
    }
}

static FIRST: Chunk = Chunk::new();

/// A descriptor that a forked child must not keep. Dropped before the descriptor is closed.
pub(super) struct Held {
    slot: &'static Slot,
}

impl Held {
    /// For an open file and its facts. From here on, no child keeps it.
    pub fn new(descriptor: RawFd, facts: &Metadata) -> Self {
        watch_forks();
        let slot = free_slot();
        slot.device.store(facts.dev(), Ordering::Relaxed);
        slot.inode.store(facts.ino(), Ordering::Relaxed);
        slot.descriptor.store(descriptor, Ordering::Release);
        Held { slot }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.slot.descriptor.store(FREE, Ordering::Release);
    }
}

fn free_slot() -> &'static Slot {
    let take =
        |slot: &&Slot| slot.descriptor.compare_exchange(FREE, TAKEN, Ordering::AcqRel, Ordering::Relaxed).is_ok();
    let mut chunk = &FIRST;
    loop {
        match chunk.slots.iter().find(take) {
            Some(slot) => return slot,
            None => chunk = chunk.next_or_new(),
        }
    }
}

/// Makes children of forks release the descriptors. The C library ties the handler to the object that contains this
/// code, and removes it when that is unloaded.
fn watch_forks() {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if !WATCHED.swap(true, Ordering::AcqRel) {
        // SAFETY: the handler does only what is allowed in the child of a process with threads.
        let done = unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(in_child)) };
        // On a lack of memory the next call tries again.
        WATCHED.store(done == 0, Ordering::Release);
    }
}

/// Files that are being opened, whose descriptors are in no slot yet.
static OPENING: AtomicU32 = AtomicU32::new(0);
/// Threads that are about to fork.
static FORKING: AtomicU32 = AtomicU32::new(0);
/// Opening takes microseconds. If it hangs, as on a network, a fork continues without it.
const LONGEST: Duration = Duration::from_millis(100);

/// Held from before a file is opened until it is [`Held`]: no child is forked in between.
pub(super) struct Opening;

impl Opening {
    pub fn begin() -> Self {
        watch_forks();
        let begun = Instant::now();
        loop {
            OPENING.fetch_add(1, Ordering::SeqCst);
            if FORKING.load(Ordering::SeqCst) == 0 || begun.elapsed() > LONGEST {
                return Opening;
            }
            OPENING.fetch_sub(1, Ordering::SeqCst);
            std::thread::yield_now();
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        OPENING.fetch_sub(1, Ordering::SeqCst);
    }
}

extern "C" fn before_fork() {
    FORKING.fetch_add(1, Ordering::SeqCst);
    let begun = Instant::now();
    while OPENING.load(Ordering::SeqCst) > 0 && begun.elapsed() < LONGEST {
        std::thread::yield_now();
    }
}

extern "C" fn after_fork() {
    FORKING.fetch_sub(1, Ordering::SeqCst);
}

/// Runs in the child, which has one thread: no other thread opens or forks here.
extern "C" fn in_child() {
    OPENING.store(0, Ordering::SeqCst);
    FORKING.store(0, Ordering::SeqCst);
    let_go();
}

fn let_go() {
    // The replacement, once it is open.
    let mut null = FREE;
    let mut chunk = Some(&FIRST);
    while let Some(this) = chunk {
        for slot in &this.slots {
            let descriptor = slot.descriptor.load(Ordering::Acquire);
            if descriptor >= 0 && refers_to_file(descriptor, slot) {
                null = replace(descriptor, null);
            }
        }
        chunk = this.next();
    }
}

/// Whether the descriptor still refers to the same file.
fn refers_to_file(descriptor: RawFd, slot: &Slot) -> bool {
    let mut facts = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `facts` is writable memory for fstat.
    if unsafe { libc::fstat(descriptor, facts.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: written by fstat, which succeeded.
    let facts = unsafe { facts.assume_init() };
    // The types differ from system to system.
    #[allow(clippy::unnecessary_cast)]
    let there = (facts.st_dev as u64, facts.st_ino as u64);
    there == (slot.device.load(Ordering::Relaxed), slot.inode.load(Ordering::Relaxed))
}

/// Replaces the file of the descriptor by `null`, or opens the replacement there. Returns a descriptor of the
/// replacement.
fn replace(descriptor: RawFd, null: RawFd) -> RawFd {
    // SAFETY: plain system calls that a signal handler may make. The descriptor is this library's own. Closing it does
    // not release the lock, which the parent's copy of it keeps.
    unsafe {
        if null >= 0 {
            libc::dup2(null, descriptor);
            libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
            return null;
        }
        // Closed first, which makes room for the replacement however many files are open.
        libc::close(descriptor);
        let mut opened = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if opened < 0 {
            // A process may be confined to a directory without it. Anything that is not a file will do.
            opened = libc::open(c"/".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC);
        }
        if opened >= 0 && opened != descriptor {
            libc::dup2(opened, descriptor);
            libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
            libc::close(opened);
        }
        if opened < 0 {
            FREE
        } else {
            descriptor
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Access, Directory, RealDirectory};
    use std::os::fd::AsRawFd;

    /// The exit code of a child that runs `body`, which may only do what a signal handler may.
    fn run_in_child(body: impl FnOnce() -> i32) -> i32 {
        // SAFETY: the child runs `body` and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let code = body();
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(code) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above; `status` is a valid place.
        unsafe { libc::waitpid(child, &mut status, 0) };
        libc::WEXITSTATUS(status)
    }

    fn identity(descriptor: RawFd) -> (u64, u64) {
        let mut facts = MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: `facts` is writable memory for fstat, and zeros are a valid stat.
        let facts = unsafe {
            libc::fstat(descriptor, facts.as_mut_ptr());
            facts.assume_init()
        };
        (facts.st_dev as u64, facts.st_ino as u64)
    }

    #[test]
    fn a_child_lets_go_of_every_file_and_the_parent_keeps_its_locks() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = RealDirectory::open(scratch.path()).unwrap();
        // More than one chunk of slots.
        let files: Vec<_> = (0..100).map(|n| directory.create(&format!("{n}"), 0o600).unwrap()).collect();
        assert!(files.iter().all(|file| file.try_lock().unwrap()));
        let ours = scratch.path().metadata().unwrap().dev();
        let null = std::fs::File::open("/dev/null").unwrap().metadata().unwrap();
        let descriptors: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let target = std::fs::read_link(entry.path()).ok()?;
                target.starts_with(scratch.path()).then(|| entry.file_name().to_str()?.parse().ok())?
            })
            .collect();
        assert_eq!(descriptors.len(), 100);
        let left =
            run_in_child(|| descriptors.iter().filter(|&&it| identity(it) != (null.dev(), null.ino())).count() as i32);
        assert_eq!(left, 0, "descriptors of the child that are not /dev/null");
        assert!(descriptors.iter().all(|&it| identity(it).0 == ours), "the parent's are as they were");
        for n in 0..100 {
            assert!(directory.open(&format!("{n}"), Access::Read).unwrap().is_locked().unwrap(), "{n}");
        }
    }

    #[test]
    fn a_descriptor_that_the_host_has_made_another_file_of_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(scratch.path().join("a")).unwrap();
        let other = std::fs::File::create(scratch.path().join("b")).unwrap();
        let _held = Held::new(file.as_raw_fd(), &file.metadata().unwrap());
        // SAFETY: both are open.
        unsafe { libc::dup2(other.as_raw_fd(), file.as_raw_fd()) };
        let (descriptor, expected) = (file.as_raw_fd(), identity(other.as_raw_fd()));
        assert_eq!(run_in_child(|| i32::from(identity(descriptor) != expected)), 0);
    }
}
