//! Calls of the C interface in any order, with NULL and wrong numbers among the arguments, but within the promises of a
//! caller: handles are used while they are open, and memory is as long as stated.

mod arguments;
mod reading;
mod writing;

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::ptr::null_mut;

use binlog::ffi::*;

use crate::input::Input;
use crate::scratch::Scratch;

/// The logs that are written and read: a directory, one with the background thread's options, and a single file.
const LOGS: usize = 3;
/// Calls of one run.
const MOST: usize = 60;

/// What a program that uses the library holds.
struct Program<'a> {
    input: Input<'a>,
    paths: [CString; LOGS],
    writers: [*mut binlog_writer; LOGS],
    readers: [*mut binlog_reader; 2],
    cursors: [*mut binlog_cursor; 3],
    /// Payloads that each log has accepted, in order.
    taken: [Vec<Vec<u8>>; LOGS],
    scratch: Scratch,
}

/// The bytes choose the calls and their arguments.
pub fn calls(bytes: &[u8]) {
    let scratch = Scratch::new();
    let path = |name: &str| CString::new(scratch.path().join(name).as_os_str().as_bytes()).expect("no NUL");
    let mut program = Program {
        input: Input::new(bytes),
        paths: [path("log"), path("background"), path("file.binlog")],
        writers: [null_mut(); LOGS],
        readers: [null_mut(); 2],
        cursors: [null_mut(); 3],
        taken: Default::default(),
        scratch,
    };
    for _ in 0..MOST {
        if program.input.is_empty() {
            break;
        }
        program.call();
    }
    program.end();
}

impl Program<'_> {
    fn call(&mut self) {
        let which = self.input.u8();
        match which % 28 {
            0 => self.open_writer(),
            1 => self.append(),
            2 => self.append_record(),
            3 => self.gather(),
            4 => self.gather_record(),
            5 => self.append_batch(),
            6 => self.append_packed(),
            7 => self.name_a_type(),
            8 => self.on_writer(binlog_writer_flush),
            9 => self.on_writer(binlog_writer_sync),
            10 => self.on_writer(binlog_writer_tick),
            11 => self.on_writer(binlog_writer_roll),
            12 => self.position(),
            13 => self.close_writer(),
            14 => self.open_reader(),
            15 => self.segments(),
            16 => self.close_reader(),
            17 => self.open_cursor(),
            18 | 19 => self.next(),
            20 => self.next_batch(),
            21 => self.read_packed(),
            22 => self.tail(),
            23 => self.type_name(),
            24 => self.close_cursor(),
            25 => self.put_metadata(),
            26 => self.put_packed(),
            _ => self.small_calls(),
        }
    }

    /// Closes what is open, in an order that the input chooses, and compares the logs with the accepted payloads.
    fn end(mut self) {
        if self.input.u8() & 1 != 0 {
            self.close_all_reading();
        }
        for log in 0..LOGS {
            self.close_writer_of(log);
        }
        self.close_all_reading();
        for (path, taken) in self.paths.iter().zip(&self.taken) {
            let path = std::path::Path::new(path.to_str().expect("a path of ours"));
            if path.exists() {
                assert_holds(path, taken);
            }
        }
        drop(self.scratch);
    }

    fn close_all_reading(&mut self) {
        for cursor in &mut self.cursors {
            // SAFETY: open, or NULL.
            unsafe { binlog_cursor_close(std::mem::replace(cursor, null_mut())) };
        }
        for reader in &mut self.readers {
            // SAFETY: open, or NULL.
            unsafe { binlog_reader_close(std::mem::replace(reader, null_mut())) };
        }
    }
}

fn assert_holds(path: &std::path::Path, taken: &[Vec<u8>]) {
    let options = binlog::ReaderOptions { mode: binlog::ReaderMode::Strict, ..binlog::ReaderOptions::default() };
    let reader = binlog::Reader::open(path, options).expect("a closed log");
    let mut cursor = reader.cursor(&binlog::Filter::default()).expect("no filter");
    for (i, payload) in taken.iter().enumerate() {
        let record = cursor.next().expect("no damage").expect("every record that was taken");
        assert_eq!(record.id, i as u64 + 1);
        assert!(record.payload == payload, "record {} is another", record.id);
    }
    assert!(cursor.next().expect("no damage").is_none(), "more than was taken");
}
