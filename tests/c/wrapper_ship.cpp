// binlog.hpp: compressing, shipping and reading from a store. Built as C++17 and C++20.
#include "check.h"

#include "binlog.hpp"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

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

struct stop_it : std::runtime_error {
  stop_it() : std::runtime_error("stop it") {}
};

template <class F>
bool throws_stop_it(F f) {
  try {
    f();
  } catch (const stop_it&) {
    return true;
  }
  return false;
}

void write_segments(const std::string& directory, int segments, const binlog::writer_options& options = {}) {
  auto writer = binlog::writer::open(directory, options);
  for (int i = 1; i <= segments * 40; i++) {
    writer.append(1, "order " + std::to_string(i));
    if (i % 40 == 0) writer.roll();
  }
  writer.close();
}

std::size_t count_records(const std::string& where, const binlog::reader_options& options = {}) {
  const auto reader = binlog::reader::open(where, options);
  std::size_t count = 0;
  for (const binlog::record_view& r : reader.records()) count += r.size() > 0;
  return count;
}

std::string store_at(const std::string& path) { return "file://" + path + "?create=true"; }

void compressing(const std::string& base) {
  const std::string log = base + "/compressed";
  write_segments(log, 3);
  binlog::compress_options options;
  options.dry_run = true;
  CHECK(binlog::compress(log, options).size() == 3);
  options.dry_run = false;

  // An exception stops the work, and leaves the call; so does a false result, as an error.
  unsigned calls = 0;
  options.on_progress = [&](const binlog::progress& p) -> bool {
    CHECK(p.path != nullptr && p.bytes > 0);
    if (++calls == 2) throw stop_it();
    return true;
  };
  CHECK(throws_stop_it([&] { (void)binlog::try_compress(log, options); }) && calls >= 2);
  options.on_progress = [](const binlog::progress&) { return false; };
  CHECK(thrown_by([&] { binlog::compress(log, options); }).status() == BINLOG_E_IO);
  options.on_progress = {};

  const auto made = binlog::compress(log, options);
  CHECK(made.size() == 3 && made[0].sequence == 1 && made[2].records == 40 && made[1].source_removed);
  CHECK(made[0].sha256.empty() && file_size(made[0].path.c_str()) == static_cast<long long>(made[0].bytes_after));
  CHECK(count_records(log) == 120);
  CHECK(binlog::decompress(log, {}, "default").size() == 3 && count_records(log) == 120);
  options.whole = binlog::whole_file::zstd;
  CHECK(binlog::compress(log, options).size() == 3 && count_records(log) == 120);
  CHECK(binlog::try_compress(log, {}, "a/b").status() == BINLOG_E_INVALID);
}

void shipping(const std::string& base) {
  const std::string log = base + "/shipped";
  write_segments(log, 3);
  binlog::ship_options options;
  CHECK(binlog::shipper::try_open(log, options).status() == BINLOG_E_INVALID);  // no URL
  options.url = store_at(base + "/store");
  options.compress.emplace();
  options.keep.segments = 2;
  auto shipper = binlog::shipper::open(log, options);
  CHECK(shipper.status().waiting_segments == 3 && std::string(shipper.status().log) == "default");
  CHECK(binlog::shipper::try_open(log, options).status() == BINLOG_E_LOCKED);

  CHECK(throws_stop_it([&] { (void)shipper.try_run([](const binlog::ship_event&) -> bool { throw stop_it(); }); }));
  CHECK(shipper.run([](const binlog::ship_event&) { return false; }).stopped == 1);
  unsigned uploaded = 0;
  const auto report = shipper.run([&](const binlog::ship_event& e) {
    uploaded += e.kind == BINLOG_SHIP_EVENT_UPLOADED;
    return true;
  });
  CHECK(report.uploaded_segments == uploaded && uploaded >= 2 && shipper.status().waiting_segments == 0);
  CHECK(shipper.metrics().find("binlog_ship_waiting_segments{log=\"default\"") != std::string::npos);
  CHECK(!shipper.last_failure());

  auto verified = shipper.verify(true);
  CHECK(verified.sums.sound_segments == 3 && verified.problems.empty());
  const std::string first = base + "/store/default.0000000001.z.binlog";
  CHECK(unlink(first.c_str()) == 0);
  verified = shipper.verify();
  CHECK(verified.sums.problems == 1 && verified.problems.size() == 1);
  CHECK(verified.problems[0].kind == BINLOG_SHIP_PROBLEM_MISSING && verified.problems[0].sequence == 1);
  CHECK(throws_stop_it([&] { (void)shipper.try_verify(false, [](const auto&) -> bool { throw stop_it(); }); }));

  auto moved = std::move(shipper);
  CHECK(!shipper && shipper.try_run().status() == BINLOG_E_INVALID && !shipper.last_failure());
  CHECK(shipper.try_metrics().status() == BINLOG_E_INVALID);
  moved.close();
  CHECK(moved.try_status().status() == BINLOG_E_INVALID);
}

void following(const std::string& base) {
  const std::string log = base + "/followed";
  write_segments(log, 1);
  binlog::ship_options options;
  options.url = store_at(base + "/followed-store");
  auto shipper = binlog::shipper::open(log, options);
  std::thread thread([&] { shipper.follow(); });
  write_segments(log, 2);
  while (shipper.status().uploaded_segments < 3) std::this_thread::yield();
  shipper.stop();
  thread.join();
  binlog::reader_options cached;
  cached.cache = base + "/cache";
  CHECK(count_records(options.url, cached) == 120 && count_records(options.url, cached) == 120);
}

void writing(const std::string& base) {
  const std::string log = base + "/written";
  binlog::writer_options options;
  CHECK(binlog::writer::open(base + "/nothing").try_ship_status().status() == BINLOG_E_NOT_FOUND);
  options.ship.emplace();
  options.ship->url = store_at(base + "/written-store");
  options.ship->close_wait = std::chrono::minutes(1);
  auto writer = binlog::writer::open(log, options);
  writer.append(1, "an order");
  writer.roll();
  while (writer.ship_status().uploaded_segments < 1) std::this_thread::yield();
  CHECK(writer.ship_metrics().find("# HELP") == 0 && !writer.ship_failure());
  writer.append(1, "another");
  writer.close();
  CHECK(count_records(options.ship->url) == 2);
  // A later shipper finds nothing left to ship, and its ledger allows retention to remove segments.
  binlog::retention keep;
  keep.segments = 1;
  CHECK(binlog::prune(log, keep).size() >= 2);
  write_segments(log, 1);
  CHECK(binlog::prune(log, keep).empty());
  keep.unshipped = true;
  CHECK(!binlog::prune(log, keep).empty());
}

void test(const char* scratch) {
  const std::string base = scratch;
  compressing(base);
  shipping(base);
  following(base);
  writing(base);
}

}  // namespace

int main(int argc, char** argv) { return test_main(argc, argv, test); }
