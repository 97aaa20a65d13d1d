// binlog.hpp against the built library: every member, both ways to hear of errors, ownership. Built as C++17 and C++20.
#include "check.h"

#include "binlog.hpp"

#include <array>
#include <fstream>
#include <list>
#include <type_traits>

namespace {

static_assert(!std::is_copy_constructible_v<binlog::writer> && std::is_nothrow_move_constructible_v<binlog::writer>);
static_assert(!std::is_copy_constructible_v<binlog::reader> && std::is_nothrow_move_constructible_v<binlog::reader>);
static_assert(!std::is_copy_constructible_v<binlog::cursor> && std::is_nothrow_move_constructible_v<binlog::cursor>);
static_assert(std::is_nothrow_copy_constructible_v<binlog::error>, "an exception is copied while it flies");

// The error that the call throws.
template <class Call>
binlog::error thrown_by(Call call) {
  try {
    call();
  } catch (const binlog::error& e) {
    CHECK(e.what()[0] != '\0' && e.status() < 0);
    return e;
  }
  CHECK(!"nothing was thrown");
  std::abort();
}

void writing(const std::string& log) {
  binlog::writer_options options;
  options.name = "app";
  options.content_type = "text/plain";
  options.parameters = {{"host", "here"}};
  options.codec = binlog::codec::lz4;
  options.background = true;
  options.flush_interval = binlog::never;
  options.full_disk = binlog::full_disk::wait;
  options.full_disk_wait = std::chrono::seconds(5);
  auto w = binlog::writer::open(log, options);
  CHECK(w.dropped() == 0);

  // Everything that has bytes is a payload.
  const std::vector<std::uint8_t> vector{'v', 'e', 'c'};
  const std::array<std::byte, 2> array{std::byte{'a'}, std::byte{'r'}};
  CHECK(w.append(1, "literal") == 1);
  CHECK(w.append(1, std::string("string")) == 2);
  CHECK(w.append(1, std::string_view("view")) == 3);
  CHECK(w.append(1, vector) == 4);
  CHECK(w.append(1, array) == 5);
  CHECK(w.append(1, {"pointer and size", 7}) == 6);
  CHECK(w.append(1, "") == 7);

  binlog::metadata who;
  who.add("who", "me").add("where", "").add("who", "not me");
  binlog::record r{2, "with metadata", who, 1'500'000'000};
  CHECK(w.append(r) == 8);
#if __cplusplus >= 202002L
  CHECK(w.append({.type = 2, .data = "designated", .metadata = binlog::metadata{{"k", "v"}}}) == 9);
#else
  CHECK(w.append(binlog::record{2, "designated", binlog::metadata{{"k", "v"}}}) == 9);
#endif

  CHECK(w.gather(3, {"ga", std::string("th"), "er"}) == 10);
  CHECK(w.gather(3, std::list<std::string>{"a ", "list"}) == 11);
  CHECK(w.gather(3, std::vector<std::vector<std::uint8_t>>{vector, vector}) == 12);
  const std::vector<binlog::slice> slices{"sli", "ces"};
  CHECK(w.gather(3, slices) == 13);
  CHECK(w.gather({3, {}, who, 0}, {"with ", "head"}) == 14);
  CHECK(w.try_gather(binlog::record{3}, slices).value() == 15);

  binlog::batch batch{{4, "first"}, {4, "second", who}};
  batch.add(4, "third").add(binlog::record{4, "fourth"});
  CHECK(batch.size() == 4 && w.append_batch(batch) == 16);
  CHECK(w.append_batch({{4, "fifth"}, {4, "sixth"}}) == 20);

  binlog::packed packed;
  packed.add({5, "packed", who, 7}).add({5, "again"});
  CHECK(w.append_packed(packed) == 22);

  const auto named = w.type("app.named", "text/plain");
  CHECK(named >= BINLOG_TYPE_NAMED && w.try_type("app.named", "text/plain").value() == named);
  CHECK(w.append(named, "named") == 24);

  w.flush();
  w.tick();
  CHECK(w.position().flushed_id == 24);
  w.roll();
  CHECK(w.append(6, "in the next segment") == 25);
  w.sync();
  CHECK(w.position().durable_id == 25 && w.position().appended_id == 25);
  w.close();
  w.close();  // twice is fine
  CHECK(!w);
}

void reading(const std::string& log) {
  const auto reader = binlog::reader::open(log);
  const auto segments = reader.segments();
  CHECK(segments.size() == 2 && segments[1].first_id == 25 && std::string(segments[0].name) == "app");

  const std::vector<std::string> expected{
      "literal", "string", "view", "vec", "ar", "pointer", "", "with metadata", "designated", "gather", "a list",
      "vecvec", "slices", "with head", "slices", "first", "second", "third", "fourth", "fifth", "sixth", "packed",
      "again", "named", "in the next segment"};
  std::size_t n = 0;
  for (const binlog::record_view& r : reader.records()) {
    CHECK(r.id() == n + 1 && r.text() == expected.at(n) && r.size() == expected[n].size());
    CHECK(r.has_payload() && !r.is_event() && r.bytes().size() == r.size());
    if (r.id() == 8) {
      CHECK(r.time_ns() == 1'500'000'000 && r.type() == 2);
      CHECK(std::chrono::duration_cast<std::chrono::milliseconds>(r.time().time_since_epoch()).count() == 1500);
      std::string all;
      for (const auto& [key, value] : r.metadata()) all += std::string(key) + "=" + std::string(value) + ";";
      CHECK(all == "who=me;where=;who=not me;");
      CHECK(r.metadata().find("who") == "me" && r.metadata().find("where") == "" && !r.metadata().find("why"));
    } else if (r.id() == 9) {
      CHECK(r.metadata().find("k") == "v");
    } else if (r.id() == 14) {
      CHECK(r.time_ns() == 0 && !r.metadata().empty());
    } else if (r.id() == 1) {
      CHECK(r.metadata().empty() && r.metadata().begin() == r.metadata().end());
    }
    n++;
  }
  CHECK(n == expected.size());

  // Batches and frames tell the same.
  auto cursor = reader.records();
  std::array<binlog::record_view, 4> room;
  n = 0;
  for (auto some = cursor.next_batch(room); !some.empty(); some = cursor.next_batch(room))
    for (const auto& r : some) CHECK(r.text() == expected.at(n++));
  CHECK(n == expected.size() && cursor.tail().state == BINLOG_TAIL_CLOSED && cursor.tail().next_id == 26);
  cursor = reader.records();
  std::vector<std::uint8_t> memory(300);
  n = 0;
  for (auto frames = cursor.read_packed(memory); !frames.empty(); frames = cursor.read_packed(memory))
    for (const auto& r : frames) CHECK(r.id() == n + 1 && r.text() == expected.at(n++));
  CHECK(n == expected.size());

  binlog::filter wanted;
  wanted.type_names = {"app.named"};
  wanted.types = {6};
  wanted.headers_only = true;
  auto found = reader.records(wanted);
  const auto first = found.next();
  CHECK(first && first->id() == 24 && !first->has_payload() && first->size() == 5 && first->bytes().empty());
  CHECK(found.type_name(first->type()) == "app.named" && !found.try_type_name(1));
  CHECK(found.next()->id() == 25 && !found.next());

  binlog::filter events;
  events.events = true;
  bool any = false;
  for (const auto& r : reader.records(events)) any = any || r.is_event();
  CHECK(any);
}

void errors(const std::string& scratch) {
  // The same failure, thrown and returned.
  const std::string missing = scratch + "/missing";
  const auto thrown = thrown_by([&] { binlog::reader::open(missing); });
  CHECK(thrown.status() == BINLOG_E_NOT_FOUND && thrown.path() == missing && thrown.record_id() == 0);
  const auto returned = binlog::reader::try_open(missing);
  CHECK(!returned && !returned.has_value() && returned.status() == BINLOG_E_NOT_FOUND);
  CHECK(std::string(returned.error().what()) == thrown.what());
  CHECK(thrown_by([&] { returned.value(); }).status() == BINLOG_E_NOT_FOUND);

  const std::string log = scratch + "/errors";
  binlog::writer_options small;
  small.full_disk_wait = std::chrono::seconds(1);
  CHECK(binlog::writer::try_open(log, small).status() == BINLOG_E_INVALID);  // a wait without full_disk::wait
  small.full_disk_wait = binlog::never;
  small.record_max_bytes = 10;
  auto w = binlog::writer::try_open(log, small);
  CHECK(w && w.status() == BINLOG_OK);
  CHECK(w->try_append(1, "01234567890").status() == BINLOG_E_TOO_LARGE);
  CHECK(thrown_by([&] { w->append(BINLOG_TYPE_EVENT, "x"); }).status() == BINLOG_E_INVALID);
  CHECK(thrown_by([&] { w->append_batch({{1, "fine"}, {1, "01234567890"}}); }).status() == BINLOG_E_TOO_LARGE);
  CHECK(thrown_by([&] { w->gather(1, {"012345", "67890"}); }).status() == BINLOG_E_TOO_LARGE);
  CHECK(thrown_by([&] { binlog::metadata().add("k", "\xFF"); }).status() == BINLOG_E_INVALID);
  CHECK(binlog::writer::try_open(log).status() == BINLOG_E_LOCKED);
  const std::uint8_t noise[] = {9, 9, 9};  // neither frames nor pairs
  CHECK(thrown_by([&] { binlog::packed_view(noise).begin(); }).status() == BINLOG_E_INVALID);
  CHECK(thrown_by([&] { binlog::metadata_view(noise).begin(); }).status() == BINLOG_E_CORRUPT);

  // Moved-from, closed and never opened ones answer instead of crashing.
  binlog::writer moved = std::move(*w);
  CHECK(w->try_append(1, "x").status() == BINLOG_E_INVALID && w->try_close().has_value());
  CHECK(moved.append(1, "fine") == 1);
  moved.close();
  CHECK(moved.try_dropped().status() == BINLOG_E_INVALID);
  CHECK(moved.try_flush().status() == BINLOG_E_INVALID && moved.try_position().status() == BINLOG_E_INVALID);
  CHECK(binlog::reader().try_records().status() == BINLOG_E_INVALID);
  CHECK(binlog::reader().try_segments().status() == BINLOG_E_INVALID);
  CHECK(binlog::cursor().try_next().status() == BINLOG_E_INVALID);

  // Damage is an exception out of the loop, with its place.
  const std::string file = scratch + "/file";
  auto single = binlog::writer::open_file(file);
  CHECK(single.try_roll().status() == BINLOG_E_UNSUPPORTED);
  single.append(1, "good");
  single.flush();
  single.append(1, "soon to be bad");
  single.close();
  std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(f)), std::istreambuf_iterator<char>());
  f.clear();
  f.seekp(static_cast<std::streamoff>(content.find("to be bad")));
  f.put('T').flush();
  int good = 0;
  const auto damage = thrown_by([&] {
    for (const auto& r : binlog::reader::open(file).records()) good += r.text() == "good";
  });
  CHECK(good == 1 && damage.status() == BINLOG_E_CORRUPT && damage.path() == file && damage.offset() > 0);
}

void following(const std::string& log) {
  auto w = binlog::writer::open(log);
  w.append(1, "one");
  w.flush();
  binlog::cursor cursor;
  {
    const auto reader = binlog::reader::open(log);
    cursor = reader.records();
  }  // the cursor outlives its reader
  int seen = 0;
  for (const auto& r : cursor) seen += r.text() == "one";
  CHECK(seen == 1 && cursor.tail().state == BINLOG_TAIL_LIVE);
  w.append(1, "two");
  w.flush();
  for (const auto& r : cursor) seen += r.text() == "two";  // goes on where it stopped
  CHECK(seen == 2);
  {
    const auto dies_open = std::move(w);  // its destructor closes the log
  }
  CHECK(!cursor.next() && cursor.tail().state == BINLOG_TAIL_CLOSED);
}

void test(const char* scratch) {
  const std::string base(scratch);
  try {
    writing(base + "/log");
    reading(base + "/log");
    errors(base);
    following(base + "/follow");
    CHECK(binlog::version()[0] != '\0');
  } catch (const binlog::error& e) {
    check_failed(__FILE__, __LINE__, e.what());
  }
}

}  // namespace

int main(int argc, char** argv) { return test_main(argc, argv, test); }
