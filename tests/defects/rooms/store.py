"""Defects of the room store, and the tests that notice them."""

from defect import defect

DEFECTS = [
    defect(
        "a log is shipped onto itself",
        "src/store/directory.rs",
        "identity(path).is_some_and(|there| identity(&self.path) == Some(there))",
        "identity(path).is_some_and(|there| identity(&self.path) == Some(there) && path.as_os_str().is_empty())",
        "ship::kept::a_log_is_not_shipped_onto_itself_by_whatever_path",
    ),
    defect(
        "a piece of another object is believed in a cache",
        "src/store/remote/cache.rs",
        "    path.parent().and_then(Path::file_name).unwrap_or_default().as_bytes()\n",
        "    path.parent().map_or(b\"\", |_| b\"\")\n",
        "lib::store::remote::cache::tests::no_changed_byte_is_believed",
    ),
    defect(
        "a name is put into the text of a command",
        "src/store/command.rs",
        '.args(["-c", SHELL, "sh", &self.command])',
        '.args(["-c", SHELL, "sh", &self.command.replace("$BINLOG_NAME", upload.name)])',
        "store::command::no_name_of_a_log_is_ever_run",
        "store::command::a_log_that_is_called_like_a_command_is_shipped_by_one",
    ),
    defect(
        "a placeholder that is no longer replaced is passed to the shell",
        "src/store/command.rs",
        "        check_placeholders(command)?;\n",
        "",
        "store::command::a_command_cannot_be_asked_and_a_wrong_one_is_refused_at_once",
    ),
    defect(
        "a store's own library is loaded although another user put it there",
        "src/store/library.rs",
        "(facts.uid() == 0 || facts.uid() == user()) && facts.mode() & 0o002 == 0",
        "facts.uid() == facts.uid()",
        "lib::store::library::tests::a_library_that_others_may_write_is_not_loaded",
    ),
    defect(
        "a table of another size is called",
        "src/store/table/given.rs",
        "        if table.struct_size != size_of::<binlog_store>() {",
        "        if table.struct_size > size_of::<binlog_store>() {",
        "store::implementations::a_store_that_breaks_its_promises_is_an_error",
    ),
    defect(
        "more bytes of a range are taken than were asked for",
        "src/store/table/given.rs",
        "(bytes.len() as u64).saturating_add(len as u64) <= *wanted",
        "len as u64 <= u64::MAX - *wanted",
        "store::implementations::a_store_that_breaks_its_promises_is_an_error",
    ),
    defect(
        "when a store may be asked again is lost on the way",
        "src/store/table/offered.rs",
        "(BINLOG_STORE_LATER, i64::try_from(after.as_millis()).unwrap_or(i64::MAX))",
        "(BINLOG_STORE_LATER, if after.is_zero() { 0 } else { -1 })",
        "store::implementations::a_table_of_functions",
    ),
    defect(
        "an object that is there counts as stored now",
        "src/store/table/given.rs",
        "Ok(if exists == 0 { Stored::New } else { Stored::Exists })",
        "Ok(if exists < 2 { Stored::New } else { Stored::Exists })",
        "store::implementations::a_table_of_functions",
    ),
    defect(
        "a cache that others may write is believed",
        "src/store/remote/cache.rs",
        "    if own.mode() & 0o022 != 0 {",
        "    if own.mode() & 0o022 == 0o10000 {",
        "lib::store::remote::cache::tests::a_directory_that_others_may_write_is_no_cache",
    ),
    defect(
        "a cache that others may replace is believed",
        "src/store/remote/cache.rs",
        "        if facts.mode() & 0o1002 == 0o002 {",
        "        if facts.mode() & 0o1002 == 0o10000 {",
        "lib::store::remote::cache::tests::a_directory_that_others_may_write_is_no_cache",
    ),
    defect(
        "a store's failure without a message has none",
        "src/store/table/given.rs",
        "let message = message.filter(|message| !message.is_empty()).unwrap_or_else(|| NO_REASON.to_owned());",
        "let message = message.unwrap_or_default();",
        "store::implementations::a_store_that_breaks_its_promises_is_an_error",
    ),
]
