"""The C interface through ctypes, as far as the table needs it: include/binlog.h describes each field."""
import contextlib
import ctypes as c
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OK, END = 0, 1
CORRUPT, NOT_FOUND, LOCKED, UNSUPPORTED, MISSED = -3, -4, -5, -7, -11
PREFIX, STRICT, SALVAGE = 0, 1, 2
HEADERS, EVENTS, NEWEST_FIRST = 1, 2, 4
TAILS = ["more", "closed", "live", "unclosed", "torn", "corrupt"]
NAMED, EVENT = 0x40000000, 0x80000000


class Record(c.Structure):
    _fields_ = [("id", c.c_uint64), ("time_ns", c.c_int64), ("data", c.c_void_p), ("len", c.c_size_t),
                ("metadata", c.c_void_p), ("metadata_len", c.c_size_t), ("type", c.c_uint32), ("flags", c.c_uint32),
                ("reserved", c.c_uint64 * 2)]


class Position(c.Structure):
    _fields_ = [("appended", c.c_uint64), ("flushed", c.c_uint64), ("durable", c.c_uint64),
                ("reserved", c.c_uint64 * 3)]


class Slice(c.Structure):
    _fields_ = [("data", c.c_void_p), ("len", c.c_size_t)]


class Loss(c.Structure):
    _fields_ = [("path", c.c_char_p), ("reason", c.c_char_p), ("offset", c.c_uint64), ("bytes", c.c_uint64),
                ("first_id", c.c_uint64), ("last_id", c.c_uint64), ("first_page", c.c_uint64),
                ("page_count", c.c_uint64), ("durable", c.c_uint32), ("kind", c.c_uint32),
                ("reserved", c.c_uint64 * 2)]


class WriterOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("flags", c.c_uint32), ("codec", c.c_uint32), ("codec_level", c.c_int32),
                ("block_bytes", c.c_uint32), ("name", c.c_char_p), ("content_type", c.c_char_p),
                ("parameters", c.c_void_p), ("parameter_count", c.c_size_t), ("segment_bytes", c.c_uint64),
                ("record_max_bytes", c.c_uint64), ("flush_records", c.c_uint64), ("flush_bytes", c.c_uint64),
                ("sync_records", c.c_uint64), ("sync_bytes", c.c_uint64), ("flush_interval_ms", c.c_uint32),
                ("sync_interval_ms", c.c_uint32), ("file_mode", c.c_uint32), ("full_disk", c.c_uint32),
                ("full_disk_wait_ms", c.c_uint64), ("index_bytes", c.c_uint64), ("roll", c.c_void_p),
                ("keep", c.c_void_p), ("require", c.c_void_p), ("on_open", c.c_void_p), ("on_open_count", c.c_size_t),
                ("on_close", c.c_void_p), ("on_close_count", c.c_size_t), ("on_failure", c.c_void_p),
                ("on_failure_userdata", c.c_void_p), ("on_failure_drop", c.c_void_p), ("heartbeat_ms", c.c_uint64),
                ("file_group", c.c_char_p), ("archive", c.c_void_p), ("fill_ahead_bytes", c.c_uint64),
                ("reserved", c.c_uint64 * 4)]


LOSS_CALL = c.CFUNCTYPE(None, c.c_void_p, c.POINTER(Loss))


class ReaderOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("flags", c.c_uint32), ("mode", c.c_uint32), ("on_loss", LOSS_CALL),
                ("on_loss_userdata", c.c_void_p), ("on_loss_drop", c.c_void_p), ("require", c.c_void_p),
                ("cache", c.c_char_p), ("cache_bytes", c.c_uint64), ("credentials", c.c_char_p),
                ("block_max_bytes", c.c_uint64), ("log", c.c_char_p), ("open_store", c.c_void_p),
                ("open_store_userdata", c.c_void_p), ("reserved", c.c_uint64 * 2)]


class Filter(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("flags", c.c_uint32), ("reserved32", c.c_uint32),
                ("from_id", c.c_uint64), ("to_id", c.c_uint64), ("from_time_ns", c.c_int64), ("to_time_ns", c.c_int64),
                ("types", c.c_void_p), ("type_count", c.c_size_t), ("type_names", c.c_void_p),
                ("type_name_count", c.c_size_t), ("metadata", c.c_void_p), ("metadata_count", c.c_size_t),
                ("last", c.c_uint64), ("reserved", c.c_uint64 * 5)]


class Tail(c.Structure):
    _fields_ = [("state", c.c_uint32), ("reserved32", c.c_uint32), ("next_id", c.c_uint64), ("offset", c.c_uint64),
                ("unread_bytes", c.c_uint64), ("path", c.c_char_p), ("reason", c.c_char_p),
                ("reserved", c.c_uint64 * 2)]


class TypeCount(c.Structure):
    _fields_ = [("type", c.c_uint32), ("reserved32", c.c_uint32), ("records", c.c_uint64), ("name", c.c_char_p),
                ("reserved", c.c_uint64 * 2)]


COUNT_CALL = c.CFUNCTYPE(None, c.c_void_p, c.POINTER(TypeCount))


def directory():
    return pathlib.Path(os.environ.get("BINLOG_LIB_DIR", ROOT / "target" / "release")).resolve()


LIB = c.CDLL(str(directory() / "libbinlog.so"))
LIB.binlog_error_message.restype = c.c_char_p
LIB.binlog_error_message.argtypes = [c.c_void_p]
for name in ("binlog_error_free", "binlog_reader_close", "binlog_cursor_close"):
    getattr(LIB, name).argtypes = [c.c_void_p]
    getattr(LIB, name).restype = None


class Error(Exception):
    def __init__(self, status, text, missed=None):
        super().__init__(f"{status}: {text}")
        self.status, self.text, self.missed = status, text, missed


def _call(function, *arguments):
    """Calls it with an err after the arguments; outcomes that are no error are returned."""
    error = c.c_void_p()
    status = getattr(LIB, function)(*arguments, c.byref(error))
    if status >= 0:
        return status
    text, missed = "", None
    if error.value:
        text = LIB.binlog_error_message(error).decode(errors="replace")
        if status == MISSED:
            first, last = c.c_uint64(), c.c_uint64()
            LIB.binlog_error_missed(error, c.byref(first), c.byref(last))
            missed = (first.value, last.value)
        LIB.binlog_error_free(error)
    raise Error(status, text, missed)


class Writer:
    def __init__(self, path, single=False, **options):
        given = WriterOptions(struct_size=c.sizeof(WriterOptions), flush_interval_ms=0xFFFFFFFF, **options)
        self.handle = c.c_void_p()
        opens = "binlog_writer_open_file" if single else "binlog_writer_open"
        _call(opens, os.fsencode(path), c.byref(given), c.byref(self.handle))

    def append(self, type_, payload, time_ns=None):
        buffer = c.create_string_buffer(payload, len(payload)) if payload else None
        record = Record(data=c.cast(buffer, c.c_void_p) if payload else None, len=len(payload), type=type_)
        if time_ns is not None:
            record.time_ns, record.flags = time_ns, 1
        out = c.c_uint64()
        _call("binlog_writer_append_record", self.handle, c.byref(record), c.byref(out))
        return out.value

    def type(self, name):
        out = c.c_uint32()
        _call("binlog_writer_type", self.handle, name.encode(), b"text/plain", c.byref(out))
        return out.value

    def flush(self):
        _call("binlog_writer_flush", self.handle)

    def sync(self):
        _call("binlog_writer_sync", self.handle)

    def roll(self):
        _call("binlog_writer_roll", self.handle)

    def position(self):
        out = Position()
        _call("binlog_writer_position", self.handle, c.byref(out))
        return out

    def close(self):
        handle, self.handle = self.handle, None
        if handle:
            _call("binlog_writer_close", handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class ReportedLoss:
    """A loss as it was reported."""

    def __init__(self, loss):
        self.path, self.reason = os.fsdecode(loss.path), loss.reason.decode(errors="replace")
        self.offset, self.bytes, self.durable = loss.offset, loss.bytes, bool(loss.durable)
        self.kind = loss.kind
        self.ids = (loss.first_id, loss.last_id) if loss.first_id else None

    def __repr__(self):
        return f"{os.path.basename(self.path)}@{self.offset}+{self.bytes} {self.ids} {self.reason}"


class Reader:
    def __init__(self, path, mode=PREFIX):
        self.losses, self.handle = [], c.c_void_p()
        self.call = LOSS_CALL(lambda _, loss: self.losses.append(ReportedLoss(loss.contents)))
        options = ReaderOptions(struct_size=c.sizeof(ReaderOptions), mode=mode, on_loss=self.call)
        _call("binlog_reader_open", os.fsencode(path), c.byref(options), c.byref(self.handle))

    def cursor(self, flags=0, **bounds):
        return Cursor(self, flags, **bounds)

    def counts(self):
        """Type or name -> records."""
        found = {}

        def each(_, counted):
            one = counted.contents
            found[one.name.decode() if one.name else one.type] = one.records

        call = COUNT_CALL(each)
        _call("binlog_reader_counts", self.handle, call, None)
        return found

    def close(self):
        handle, self.handle = self.handle, None
        LIB.binlog_reader_close(handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Cursor:
    def __init__(self, reader, flags, **bounds):
        self.reader, self.handle = reader, c.c_void_p()
        options = Filter(struct_size=c.sizeof(Filter), flags=flags, **bounds)
        _call("binlog_cursor_open", reader.handle, c.byref(options), c.byref(self.handle))

    def _shown(self, record):
        kind, payload = record.type, c.string_at(record.data, record.len) if record.len else b""
        if NAMED <= kind < EVENT:
            name = Slice()
            status = LIB.binlog_cursor_type_name(self.handle, c.c_uint32(kind), c.byref(name), None)
            kind = c.string_at(name.data, name.len).decode() if status == OK else f"unnamed {kind - NAMED}"
        return record.id, kind, payload

    def next(self):
        """(id, type or its name, payload), or None at the end."""
        record = Record()
        if _call("binlog_cursor_next", self.handle, c.byref(record)) == END:
            return None
        return self._shown(record)

    def get(self, number):
        record = Record()
        _call("binlog_cursor_get", self.handle, c.c_uint64(number), c.byref(record))
        return self._shown(record)

    def seek(self, number):
        _call("binlog_cursor_seek", self.handle, c.c_uint64(number))

    def tail(self):
        out = Tail()
        _call("binlog_cursor_tail", self.handle, c.byref(out))
        return TAILS[out.state]

    def rest(self, most=100_000):
        """All records that follow, and the error that ended them or None."""
        shown = []
        try:
            while (record := self.next()) is not None:
                shown.append(record)
                if len(shown) > most:
                    return shown, Error(0, "it never ends")
        except Error as error:
            return shown, error
        return shown, None

    def close(self):
        handle, self.handle = self.handle, None
        LIB.binlog_cursor_close(handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Read:
    """Everything that one reader shows: records, error, tail, losses."""

    def __init__(self, path, mode=PREFIX, flags=0, **bounds):
        self.shown, self.error, self.tail, self.losses = [], None, None, []
        try:
            with Reader(path, mode) as reader:
                self.losses = reader.losses
                with contextlib.closing(reader.cursor(flags, **bounds)) as cursor:
                    self.shown, self.error = cursor.rest()
                    self.tail = cursor.tail()
        except Error as error:
            self.error = error
