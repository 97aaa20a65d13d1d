/* binlog.hpp: a log divided into splits. */
#include "check.h"

#include <string>
#include <vector>

#include "binlog.hpp"

static void test(const char* scratch) {
  const std::string log = std::string(scratch) + "/log";
  {
    auto w = binlog::writer::open(log);
    for (int i = 1; i <= 1000; i++) {
      w.append(static_cast<std::uint32_t>(i % 2), "record " + std::to_string(i));
      if (i % 250 == 0) w.roll();
    }
    w.close();
  }
  binlog::filter wanted;
  wanted.types = {1};
  binlog::plan_options options;
  options.target_bytes = 1;
  std::vector<binlog::split> splits;
  {
    const auto reader = binlog::reader::open(log);
    splits = reader.plan(wanted, options);
    CHECK(reader.plan().size() == 1);
    options.most = 1;
    CHECK(reader.plan(wanted, options).size() == 1);
    wanted.types = {9};
    CHECK(reader.plan(wanted).empty());
    wanted.types = {1};
    wanted.last = 1;
    CHECK(reader.try_plan(wanted).status() == BINLOG_E_INVALID);
    wanted.last = 0;
    wanted.newest_first = true;
    CHECK(reader.try_plan(wanted).status() == BINLOG_E_INVALID);
    wanted.newest_first = false;
    wanted.type_names = {std::string("a\0b", 3)};
    CHECK(reader.try_plan(wanted).status() == BINLOG_E_INVALID);
    wanted.type_names.clear();
  }
  /* The splits live without the reader. */
  CHECK(splits.size() == 4 && splits[0].first_id == 1 && splits[3].last_id == 1000);
  std::uint64_t next = 1;
  for (const binlog::split& split : splits) {
    CHECK(split.records == 125 && split.bytes > 0 && split.first_time_ns <= split.last_time_ns);
    const auto part = binlog::reader::open_split(split.token);
    for (const binlog::record_view& record : part.records(wanted)) {
      CHECK(record.id() == next && record.id() >= split.first_id && record.id() <= split.last_id);
      next += 2;
    }
  }
  CHECK(next == 1001);

  CHECK(binlog::reader().try_plan().status() == BINLOG_E_INVALID);
  CHECK(binlog::reader::try_open_split("nonsense").status() == BINLOG_E_INVALID);
  CHECK(binlog::reader::try_open_split(splits[0].token + "\n").status() == BINLOG_E_INVALID);
  CHECK(binlog::reader::try_open_split(splits[0].token + std::string("\0x", 2)).status() == BINLOG_E_INVALID);
  std::string newer = splits[0].token;
  newer.replace(newer.find(":1:"), 3, ":7:");
  CHECK(binlog::reader::try_open_split(newer).status() == BINLOG_E_UNSUPPORTED);
}

int main(int argc, char** argv) { return test_main(argc, argv, test); }
