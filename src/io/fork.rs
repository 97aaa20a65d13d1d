//! Distinguishes the child of a fork from its parent at the cost of one load.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering};

/// A byte that the kernel sets to zero in the child of a fork (`MADV_WIPEONFORK`). Calling getpid(2) before each append
/// would cost as much as the append, and the handlers of `pthread_atfork` do not run in every child.
pub struct ForkMark {
    page: Option<NonNull<AtomicU8>>,
    pid: u32,
}

// SAFETY: the page is only accessed through an atomic, and unmapped when it is not reachable any more.
unsafe impl Send for ForkMark {}
// SAFETY: as above.
unsafe impl Sync for ForkMark {}

const PAGE: usize = 4096;

impl ForkMark {
    /// A mark of this process. Where the kernel does not support it, [`Self::is_child`] compares process numbers.
    pub fn new() -> Self {
        ForkMark { page: wiped_page(), pid: std::process::id() }
    }

    /// Whether this is a child that was forked after the mark was made.
    #[inline]
    pub fn is_child(&self) -> bool {
        match self.page {
            // SAFETY: the mapping lives as long as `self`.
            Some(page) => unsafe { page.as_ref() }.load(Ordering::Relaxed) == 0,
            None => std::process::id() != self.pid,
        }
    }
}

impl Default for ForkMark {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(target_os = "linux")]
fn wiped_page() -> Option<NonNull<AtomicU8>> {
    // SAFETY: a fresh anonymous mapping of one page; nothing else can be there.
    let page = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            PAGE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: exactly the page mapped above.
    if unsafe { libc::madvise(page, PAGE, libc::MADV_WIPEONFORK) } != 0 {
        // SAFETY: mapped above and not used yet.
        unsafe { libc::munmap(page, PAGE) };
        return None;
    }
    let mark = NonNull::new(page.cast::<AtomicU8>())?;
    // SAFETY: the page is mapped, writable and aligned; zeroed memory is a valid AtomicU8.
    unsafe { mark.as_ref() }.store(1, Ordering::Relaxed);
    Some(mark)
}

#[cfg(not(target_os = "linux"))]
fn wiped_page() -> Option<NonNull<AtomicU8>> {
    None
}

impl Drop for ForkMark {
    fn drop(&mut self) {
        if let Some(page) = self.page {
            // SAFETY: mapped by `wiped_page`, and `self` is the only owner.
            unsafe { libc::munmap(page.as_ptr().cast(), PAGE) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_child_of_a_fork_is_distinguished_from_its_parent() {
        let mark = ForkMark::new();
        assert!(!mark.is_child());
        // SAFETY: the child calls nothing but an atomic load and _exit.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: ends the child at once, without running anything of the parent's.
            unsafe { libc::_exit(i32::from(mark.is_child())) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above; `status` is a valid place.
        unsafe { libc::waitpid(pid, &mut status, 0) };
        assert_eq!(libc::WEXITSTATUS(status), 1);
        assert!(!mark.is_child());
    }
}
