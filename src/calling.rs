//! Which functions of the user's this thread is within, so that one of them that closes what has called it is refused rather
//! than left to wait for itself.

use std::cell::RefCell;

thread_local! {
    /// Who calls, the innermost at the end.
    static CALLERS: RefCell<Vec<usize>> = const { RefCell::new(vec![]) };
}

/// Runs a function of the user's for the object with this number, which no other object has as long as it lives.
pub(crate) fn calling<T>(caller: usize, function: impl FnOnce() -> T) -> T {
    /// Also when the function panics.
    struct Returned;

    impl Drop for Returned {
        fn drop(&mut self) {
            let _ = CALLERS.try_with(|callers| callers.borrow_mut().pop());
        }
    }

    // A thread that is at its end has no such memory any more, and nothing that it calls is refused.
    let noted = CALLERS.try_with(|callers| callers.borrow_mut().push(caller));
    let _returned = noted.is_ok().then_some(Returned);
    function()
}

/// Whether this thread is within a function that the object has called.
pub(crate) fn is_calling(caller: usize) -> bool {
    CALLERS.try_with(|callers| callers.borrow().contains(&caller)).unwrap_or(false)
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
}
