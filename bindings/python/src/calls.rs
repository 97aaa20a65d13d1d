//! Which thread is in a callback: there, calls that would wait for themselves are refused.

use std::cell::Cell;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Marks this thread until it is dropped.
pub struct InCallback;

impl InCallback {
    pub fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        InCallback
    }
}

impl Drop for InCallback {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Whether this thread is in a callback of the library.
pub fn is_in_callback() -> bool {
    DEPTH.get() > 0
}
