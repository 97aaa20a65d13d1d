// binlog.hpp with -fno-exceptions -fno-rtti: every call by its try_ form. With CALLS_WHAT_THROWS it must not compile.
#include "check.h"

#include "binlog.hpp"

static void writes(const std::string& log) {
  auto opened = binlog::writer::try_open(log);
  CHECK(opened);
  binlog::writer writer = std::move(*opened);
  binlog::metadata pairs;
  CHECK(pairs.try_add("host", "here"));
  CHECK(pairs.try_add("user", "somebody"));
  const auto id = writer.try_append(binlog::record{7, "a payload", pairs, {}});
  CHECK(id && *id == 1);
  const auto refused = writer.try_append(0x90000000u, "of a type that is not the user's");
  CHECK(!refused && refused.status() == BINLOG_E_INVALID && *refused.error().what() != '\0');
  CHECK(writer.try_sync());
#ifdef CALLS_WHAT_THROWS
  writer.append(7, "this would throw");
#endif
  CHECK(writer.try_close());
}

static void reads(const std::string& log) {
  auto reader = binlog::reader::try_open(log);
  CHECK(reader);
  auto cursor = reader->try_records();
  CHECK(cursor);
  auto found = cursor->try_next();
  CHECK(found && *found);
  const binlog::record_view record = **found;
  CHECK(record.id() == 1 && record.type() == 7 && record.text() == "a payload");
  auto pairs = record.metadata();
  const auto host = pairs.try_find("host");
  CHECK(host && *host && **host == "here");
  binlog::metadata_view::value_type pair;
  std::string all;
  for (auto more = pairs.try_next(pair); more && *more; more = pairs.try_next(pair))
    all += std::string(pair.first) + "=" + std::string(pair.second) + ";";
  CHECK(all == "host=here;user=somebody;");
  found = cursor->try_next();
  CHECK(found && !*found);

  const auto missing = binlog::reader::try_open(log + "-of-nobody");
  CHECK(!missing && missing.status() == BINLOG_E_NOT_FOUND);
}

static void packs() {
  binlog::packed frames;
  CHECK(frames.try_add(binlog::record{1, "one", {}, {}}));
  CHECK(frames.try_add(binlog::record{2, "two", {}, {}}));
  auto view = frames.view();
  binlog::record_view record;
  std::uint32_t sum = 0;
  for (auto more = view.try_next(record); more && *more; more = view.try_next(record)) sum += record.type();
  CHECK(sum == 3);
  CHECK(!binlog::packed_view("no frames").try_next(record));
}

static void test(const char* scratch) {
  const std::string log = std::string(scratch) + "/log";
  writes(log);
  reads(log);
  packs();
}

int main(int argc, char** argv) { return test_main(argc, argv, test); }
