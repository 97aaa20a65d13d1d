// binlog.hpp: rolling, hooks, retention, required facts and waiting. Built as C++17 and C++20.
#include "check.h"

#include "binlog.hpp"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

// The error that a call throws.
template <class F>
binlog::error thrown_by(F f) {
  try {
    f();
  } catch (const binlog::error& e) {
    return e;
  }
  check_failed(__FILE__, __LINE__, "nothing was thrown");
  std::abort();
}

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

// Whatever the result of a call, functions are given back: what they own is freed once.
void functions_are_given_back(const std::string& base) {
  const auto held = std::make_shared<int>(0);
  const auto use = [held](const auto&) { ++*held; };
  binlog::writer_options options;
  options.on_open = {use, binlog::hook::move_to(base)};
  options.on_close = {use, use};
  options.on_failure = use;
  options.roll.check = [held](const binlog::segment_state&) { return ++*held < 0; };
  const auto before = held.use_count();

  options.file_group = "no such group";
  CHECK(binlog::writer::try_open(base + "/refused", options).status() == BINLOG_E_INVALID);
  CHECK(held.use_count() == before);
  options.file_group.clear();
  options.on_open = {use, binlog::hook::change_extension("no dot")};
  CHECK(thrown_by([&] { binlog::writer::open(base + "/refused", options); }).status() == BINLOG_E_INVALID);
  options.on_open = {use};
  auto w = binlog::writer::open(base + "/given-back", options);
  CHECK(held.use_count() > before);
  w.append(1, "x");
  w.close();
  w = binlog::writer();
  CHECK(held.use_count() == before);
  binlog::writer none;
  CHECK(none.try_set_roll(options.roll).status() == BINLOG_E_INVALID && held.use_count() == before);
}

void hooks(const std::string& log) {
  std::vector<std::string> lines, failures;
  binlog::writer_options options;
  options.name = "orders";
  options.on_open = {[&](const binlog::segment_file& s) { lines.push_back("open " + std::to_string(s.sequence)); }};
  options.on_close = {
      [&](const binlog::segment_file& s) { lines.push_back(std::string("close ") + s.reason); },
      binlog::hook::change_extension(".done"),
      [&](const binlog::segment_file& s) -> std::optional<std::string> {
        CHECK(ends_with(s.path, ".done"));
        const std::string moved = std::string(s.path) + ".moved";
        CHECK(std::rename(s.path, moved.c_str()) == 0);
        return moved;
      },
      [](const binlog::segment_file& s) {
        CHECK(ends_with(s.path, ".moved"));
        throw std::runtime_error("the archive is away");
      },
      [](const binlog::segment_file&) { throw 7; },
      binlog::hook::remove()};
  options.on_failure = [&](const binlog::failure& f) {
    CHECK(f.status == BINLOG_E_IO && !f.path.empty());
    failures.push_back(f.message);
    throw std::runtime_error("is lost");
  };
  auto w = binlog::writer::open(log, options);
  w.append(1, "one");
  CHECK(w.try_roll("").status() == BINLOG_E_INVALID);
  w.roll("by hand");
  w.append(1, "two");
  CHECK(w.failures() == 2 && w.try_failures().value() == 2);
  w.close();
  CHECK(failures.size() == 4 && failures[0].find("the archive is away") != std::string::npos);
  std::string closes, opens;
  for (const auto& line : lines) (line[0] == 'o' ? opens : closes) += line + ";";
  CHECK(opens == "open 1;open 2;" && closes == "close by hand;close close;");
}

void rules(const std::string& base) {
  int failures = 0;
  binlog::writer_options options;
  options.flush_records = 1;
  options.roll.records = 2;
  options.keep.segments = 2;
  options.on_failure = [&](const binlog::failure& f) { failures += ends_with(f.message, "undecided"); };
  auto w = binlog::writer::open(base + "/rules", options);
  for (int i = 0; i < 7; i++) w.append(1, "x");
  w.flush();
  CHECK(binlog::reader::open(base + "/rules").segments().size() <= 2);

  binlog::roll_options roll;
  roll.name_template = "{name}-%Q";
  CHECK(thrown_by([&] { w.set_roll(roll); }).status() == BINLOG_E_INVALID);
  roll.name_template = "{name}-%Y.{seq}";
  roll.check = [](const binlog::segment_state& s) -> bool {
    if (s.records == 1) throw std::runtime_error("undecided");
    return s.records >= 3;
  };
  w.set_roll(roll);
  for (int i = 0; i < 7; i++) w.append(1, "y");
  w.close();
  CHECK(failures > 0);
  // The strings of a segment live as long as the reader.
  const auto reader = binlog::reader::open(base + "/rules");
  const auto last = reader.segments().back();
  CHECK(std::string(last.path).find("/default-2") != std::string::npos);
}

void requirements(const std::string& log) {
  binlog::writer_options options;
  options.parameters = {{"region", "eu"}};
  binlog::writer::open(log, options).close();
  binlog::reader_options reading;
  reading.require.parameters = {{"region", "eu"}};
  reading.require.name = "default";
  binlog::reader::open(log, reading);
  reading.require.content_type = "text/plain";
  CHECK(thrown_by([&] { binlog::reader::open(log, reading); }).status() == BINLOG_E_MISMATCH);
  options.require.parameters = {{"region", "us"}};
  CHECK(binlog::writer::try_open(log, options).status() == BINLOG_E_MISMATCH);
}

void waiting_and_missing(const std::string& log) {
  binlog::writer_options options;
  options.roll.records = 2;
  auto w = binlog::writer::open(log, options);
  w.append(1, "one");
  w.flush();
  auto cursor = binlog::reader::open(log).records();
  CHECK(cursor.next()->id() == 1 && !cursor.next());
  CHECK(!cursor.wait(0s) && !cursor.wait(-1h) && !cursor.wait(20ms) && !cursor.try_wait(1.5us).value());
  std::thread later([&] {
    std::this_thread::sleep_for(20ms);
    w.append(1, "two");
    w.flush();
  });
  cursor.wait();
  CHECK(cursor.next()->id() == 2);
  later.join();
  for (int i = 3; i <= 9; i++) w.append(1, "more");
  w.heartbeat();
  CHECK(cursor.wait(std::chrono::hours::max()));

  CHECK(binlog::prune(log, {0ms, 2, 0}, true).size() == 3);
  const auto gone = binlog::prune(log, {0ms, 2, 0}, false, "default");
  CHECK(gone.size() == 3 && gone[0].sequence == 1 && gone[2].last_id == 6 && gone[1].reason == "segments");
  CHECK(binlog::try_prune(log, {}).status() == BINLOG_E_INVALID);
  // The wait has opened the segment with 3 and 4, which is read to its end.
  CHECK(cursor.next()->id() == 3 && cursor.next()->id() == 4);
  const auto missed = thrown_by([&] { cursor.next(); });
  CHECK(missed.status() == BINLOG_E_MISSED && missed.missed() == std::pair(std::uint64_t{5}, std::uint64_t{6}));
  CHECK(cursor.next()->id() == 7 && !thrown_by([&] { binlog::reader::open(log + "-none"); }).missed());
}

void test(const char* scratch) {
  const std::string base(scratch);
  try {
    functions_are_given_back(base);
    hooks(base + "/hooks");
    rules(base);
    requirements(base + "/required");
    waiting_and_missing(base + "/waiting");
  } catch (const binlog::error& e) {
    check_failed(__FILE__, __LINE__, e.what());
  }
}

}  // namespace

int main(int argc, char** argv) { return test_main(argc, argv, test); }
