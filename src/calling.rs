//! Which callbacks of the user this thread is in. A callback that uses its caller is refused: it would wait for itself,
//! or be called again and again.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The greatest depth of nested calls that is recorded; real callbacks are nested less deeply.
const MOST: usize = 8;

thread_local! {
    /// The callers, the innermost last, and their number. Nothing has to be dropped when the thread ends, which would
    /// prevent unloading a plugin that contains the library.
    static CALLERS: Cell<([usize; MOST], usize)> = const { Cell::new(([0; MOST], 0)) };
}

/// The number of calls in progress, in all threads: most often none, and then no further check is needed.
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// Runs a callback of the user for the object with this number, which no other object has as long as it lives.
pub(crate) fn calling<T>(caller: usize, function: impl FnOnce() -> T) -> T {
    /// Also when the function panics.
    struct Returned;

    impl Drop for Returned {
        fn drop(&mut self) {
            let (callers, count) = CALLERS.get();
            CALLERS.set((callers, count - 1));
            CALLS.fetch_sub(1, Ordering::Relaxed);
        }
    }

    let (mut callers, count) = CALLERS.get();
    if let Some(place) = callers.get_mut(count) {
        *place = caller;
    }
    CALLERS.set((callers, count + 1));
    CALLS.fetch_add(1, Ordering::Relaxed);
    let _returned = Returned;
    function()
}

/// Whether any thread is in a callback of the user. Each thread knows its own calls.
#[inline]
pub(crate) fn is_any_calling() -> bool {
    CALLS.load(Ordering::Relaxed) > 0
}

/// Whether this thread is in a callback that the object has called.
pub(crate) fn is_calling(caller: usize) -> bool {
    let (callers, count) = CALLERS.get();
    callers[..count.min(MOST)].contains(&caller)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_within_what_it_calls_until_that_returns_or_panics() {
        calling(1, || {
            assert!(is_calling(1) && !is_calling(2));
            calling(2, || assert!(is_calling(1) && is_calling(2)));
            assert!(!is_calling(2));
            std::thread::scope(|scope| scope.spawn(|| assert!(!is_calling(1))).join().unwrap());
        });
        let _ = std::panic::catch_unwind(|| calling(3, || panic!("in a test")));
        assert!(!is_calling(1) && !is_calling(3));
    }

    #[test]
    fn calls_in_more_calls_than_are_remembered_do_no_harm() {
        fn deeper(left: usize) {
            calling(left, || {
                if left > 0 {
                    deeper(left - 1)
                }
            });
        }
        deeper(3 * MOST);
        assert!(!is_calling(3 * MOST));
    }
}
