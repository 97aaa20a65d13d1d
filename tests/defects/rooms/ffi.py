"""Defects of the C interface, and the tests that notice them."""

from defect import defect

DEFECTS = [
    defect(
        "the view of an event with a payload that was not read has its length and no bytes",
        "src/ffi/cursor.rs",
        "        data: if headers_only { std::ptr::null() } else { record.payload.as_ptr().cast() },",
        "        data: if headers_only && !record.is_event() { std::ptr::null() } else { record.payload.as_ptr().cast() },",
        "format::event_payloads::a_view_of_the_c_interface_is_never_longer_than_what_is_held",
    ),
    defect(
        "a hook that returns a positive number is a success",
        "src/ffi/hooks.rs",
        "        if status == BINLOG_OK && self.error.is_none() {",
        "        if status >= 0 && self.error.is_none() {",
        "lib::ffi::hooks::tests::only_binlog_ok_without_a_reason_is_a_success",
    ),
    defect(
        "a hook whose reason is not UTF-8 is a success",
        "src/ffi/hooks.rs",
        "            result.error = Some(lossy_text(message, \"message\")?);",
        "            result.error = text(message, \"message\").ok().map(str::to_owned);",
        "lib::ffi::hooks::tests::only_binlog_ok_without_a_reason_is_a_success",
    ),
    defect(
        "a hook's failure says twice that a hook failed",
        "src/ffi/hooks.rs",
        "        Err(Error::new(Kind::of_status(status), reason.replace(char::is_control, \" \")).at(&segment.path))",
        "        Err(Error::new(Kind::of_status(status), format!(\"a hook failed: {}\", reason.replace(char::is_control, \" \"))).at(&segment.path))",
        "closing_in_hooks::what_failed_is_said_once",
    ),
]
