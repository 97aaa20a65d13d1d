//! Information from the machine: random bytes for markers and log ids, its name, and its processes.

/// Fills `out` with random bytes from the system.
pub fn fill_random(out: &mut [u8]) -> std::io::Result<()> {
    let mut done = 0;
    while done < out.len() {
        let rest = &mut out[done..];
        // SAFETY: pointer and length are those of a live, writable slice.
        let n = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match n {
            0.. => done += n as usize,
            _ => {
                let error = std::io::Error::last_os_error();
                if error.kind() != std::io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

/// The machine's name, for the facts about a segment's writer; empty when it is not available.
pub(crate) fn host_name() -> String {
    let mut name = [0u8; 256];
    // SAFETY: pointer and length are those of a live buffer; one byte less keeps its end a zero.
    let done = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    match done {
        0 => name
            .split(|&byte| byte == 0)
            .next()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .unwrap_or_default(),
        _ => String::new(),
    }
}

/// The effective user of this process.
pub(crate) fn user() -> u32 {
    // SAFETY: a plain system call that never fails.
    unsafe { libc::geteuid() }
}

/// Whether there is no process of this number, as far as this process can see: not from one container into another.
pub(crate) fn is_gone(pid: libc::pid_t) -> bool {
    // SAFETY: signal 0 is not sent; the call only reports whether one could be.
    pid > 0 && unsafe { libc::kill(pid, 0) } != 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}
