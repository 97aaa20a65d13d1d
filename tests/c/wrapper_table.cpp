/* binlog.hpp: a log as columns. */
#include "check.h"

#include <string>
#include <utility>

#include "binlog.hpp"

static void test(const char* scratch) {
  const std::string path = std::string(scratch) + "/log.binlog";
  {
    auto w = binlog::writer::open_file(path);
    for (int i = 0; i < 1000; i++) w.append(7, "text " + std::to_string(i));
    w.close();
  }
  binlog::table_options options;
  options.columns = BINLOG_COLUMN_ID | BINLOG_COLUMN_TEXT;
  options.metadata = {"host"};
  options.batch_rows = 300;
  binlog::table table;
  CHECK(!table && table.try_next().status() == BINLOG_E_INVALID);
  {
    const auto reader = binlog::reader::open(path);
    binlog::filter wanted;
    wanted.from_id = 2;
    table = reader.table(wanted, options);
    options.columns = 1u << 20;
    CHECK(reader.try_table({}, options).status() == BINLOG_E_INVALID);
    options.metadata = {std::string("a\0b", 3)};
    CHECK(reader.try_table({}, options).status() == BINLOG_E_INVALID);
  }
  CHECK(table.schema()->n_children == 3);
  std::uint64_t id = 2;
  binlog::arrow_array kept;
  for (binlog::arrow_array& batch : table) {
    const auto* ids = static_cast<const std::uint64_t*>(batch->children[0]->buffers[1]);
    for (std::int64_t row = 0; row < batch->length; row++) CHECK(ids[row] == id++);
    if (!kept) kept = std::move(batch);
  }
  CHECK(id == 1001 && !table.next());
  table.close();
  CHECK(kept->length == 300 && static_cast<const std::uint64_t*>(kept->children[0]->buffers[1])[299] == 301);
  ArrowArray released = kept.release();
  CHECK(!kept);
  released.release(&released);
}

int main(int argc, char** argv) { return test_main(argc, argv, test); }
