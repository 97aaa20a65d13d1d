//! A memory barrier that costs only the thread that seldom needs it.
//!
//! Two threads that each store to one variable and then load the other's need a full barrier between store and load:
//! otherwise both may miss the other's store. With membarrier(2) the one that comes seldom runs the barrier on all
//! processors that run this process, and the one that comes often needs an order of the compiler's only.

use std::sync::atomic::{compiler_fence, fence, Ordering};
use std::sync::OnceLock;
use std::time::Duration;

/// Whether the system offers the barrier. Asked once; asking registers the process.
pub(super) fn is_asymmetric() -> bool {
    static OFFERED: OnceLock<bool> = OnceLock::new();
    *OFFERED.get_or_init(register)
}

/// The side that comes often, between its store and its load. `asymmetric` is what [`is_asymmetric`] has returned.
#[inline(always)]
pub(super) fn light(asymmetric: bool) {
    match asymmetric {
        true => compiler_fence(Ordering::SeqCst),
        false => fence(Ordering::SeqCst),
    }
}

/// The side that comes seldom, between its store and its load.
pub(super) fn heavy(asymmetric: bool) {
    fence(Ordering::SeqCst);
    if asymmetric && !on_all_processors() {
        // A filter of system calls was installed after the registration. No processor keeps a store to itself for
        // nearly as long as this.
        std::thread::sleep(Duration::from_millis(10));
        fence(Ordering::SeqCst);
    }
}

#[cfg(target_os = "linux")]
fn membarrier(command: libc::c_int) -> libc::c_long {
    // SAFETY: the call takes no pointers.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }
}

#[cfg(target_os = "linux")]
fn register() -> bool {
    /// MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED of linux/membarrier.h.
    const REGISTER: libc::c_int = 1 << 4;
    membarrier(REGISTER) == 0
}

#[cfg(target_os = "linux")]
fn on_all_processors() -> bool {
    /// MEMBARRIER_CMD_PRIVATE_EXPEDITED of linux/membarrier.h.
    const RUN: libc::c_int = 1 << 3;
    membarrier(RUN) == 0
}

#[cfg(not(target_os = "linux"))]
fn register() -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn on_all_processors() -> bool {
    false
}
