// A log that rolls, keeps its newest segments, and reports each that begins or ends: hooks are functions, and may
// throw.
//
// Usage: rolling [LOG DIRECTORY]
#include <binlog.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

namespace fs = std::filesystem;

int main(int argc, char** argv) try {
  const std::string directory = argc > 1 ? argv[1] : "rolling-log";
  const auto name = [](const char* path) { return fs::path(path).filename().string(); };

  binlog::writer_options options;
  options.name = "orders";
  options.segment_bytes = 100 << 20;
  // Rules may be combined; the first that is met rolls. Others: period with zone, age.
  options.roll.records = 4;
  options.roll.check = [](const binlog::segment_state& segment) { return segment.bytes > 64 << 20; };
  // The newest three segments stay, including the one that is being written.
  options.keep.segments = 3;

  options.on_open = {[&](const binlog::segment_file& segment) {
    std::cout << "open:   " << name(segment.path) << " from record " << segment.first_id << " on\n";
  }};
  // Two steps for each segment that is closed and durable, the last one included; one that fails does not stop the other.
  options.on_close = {
      [&](const binlog::segment_file& segment) {
        if (segment.sequence == 2) throw std::runtime_error("the list of segments is being read");
        std::ofstream(directory + "/segments.txt", std::ios::app) << name(segment.path) << '\n';
      },
      [&](const binlog::segment_file& segment) {
        std::cout << "closed: " << name(segment.path) << ", " << segment.records << " records, by " << segment.reason
                  << '\n';
      }};
  options.on_failure = [](const binlog::failure& failure) {
    const std::size_t what = failure.message.rfind(": ");
    std::cout << "failed: " << fs::path(failure.path).filename().string() << failure.message.substr(what) << '\n';
  };

  auto writer = binlog::writer::open(directory, options);
  for (int i = 1; i <= 14; i++) {
    writer.append(1, "order number " + std::to_string(i));
    if (i == 6) writer.roll("the price list");
    if (i == 10) {  // rules change at any time, and begin with a new segment
      binlog::roll_options larger;
      larger.records = 100;
      writer.set_roll(larger);
    }
  }
  std::cout << writer.failures() << " failure beside the writing\n";
  writer.close();

  const auto reader = binlog::reader::open(directory);
  for (const binlog::segment& segment : reader.segments())
    std::cout << "kept:   " << name(segment.path) << " from record " << segment.first_id << " on\n";
  std::size_t count = 0;
  for (const binlog::record_view& record : reader.records()) count += record.size() > 0;
  std::cout << count << " records are there\n";
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
