/* binlog.hpp: the C++17 face of binlog.h. Header only; link with -lbinlog.

   There are two ways to handle errors, the same everywhere: `x()` throws binlog::error, `try_x()` returns a binlog::result that
   contains either the value or the error (and throws nothing but std::bad_alloc). The end of a log is not an error.
   Callbacks for losses, progress or shipping, hooks and checks for rolling may throw anything: see
   loss_function, progress_function, ship_function, hook and roll_check.

   Ownership: writer, appender, reader, cursor and shipper own their handle, move and never copy; every call of a moved-from or
   closed one fails with BINLOG_E_INVALID. They may be destroyed in any order. A destructor cannot report a failed close: call
   writer::close() where that matters.
   Views: slice, record, batch, metadata_view, packed_view and record_view own no memory. Arguments must live until
   the call returns (for a batch: until it was appended); data from a cursor lives until that cursor's next call.
   Threads: a writer, a reader and a shipper may be used by many threads at once, but closed, moved or destroyed by one, after the
   others are done. Cursors and appenders belong to one thread at a time.
   Units: times are nanoseconds since 1970-01-01 UTC, sizes are bytes, ids count records from 1. */
#ifndef BINLOG_HPP
#define BINLOG_HPP

#include "binlog.h"
#include "binlog/ship.hpp"
#include "binlog/appender.hpp"
#include "binlog/compress.hpp"
#include "binlog/error.hpp"
#include "binlog/loss.hpp"
#include "binlog/reader.hpp"
#include "binlog/record.hpp"
#include "binlog/recovery.hpp"
#include "binlog/rolling.hpp"
#include "binlog/span.hpp"
#include "binlog/table.hpp"
#include "binlog/writer.hpp"

namespace binlog {

inline const char* version() noexcept { return binlog_version(); }

}  // namespace binlog
#endif
