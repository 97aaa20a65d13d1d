// Follows a log while it is being written, and continues after a restart where it had stopped: it only stores the id of
// the last record that it has processed. Records that were removed in the meantime are reported, by id.
//
// Usage: tail
#include <binlog.hpp>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>

using namespace std::chrono_literals;

// A position that survives: it is renamed over the old one, and a crash leaves one of the two and never half of one.
class position {
 public:
  explicit position(std::string path) : path_(std::move(path)) { std::ifstream(path_) >> id_; }
  std::uint64_t id() const { return id_; }
  void store(std::uint64_t id) {
    const std::string next = path_ + ".new";
    if (!(std::ofstream(next) << id << '\n' << std::flush) || std::rename(next.c_str(), path_.c_str()) != 0)
      throw std::runtime_error(path_ + " could not be written");
    id_ = id;
  }

 private:
  std::string path_;
  std::uint64_t id_ = 0;
};

// The log may not exist yet: the program that is started first waits for the other.
static binlog::reader open_log(const std::string& directory) {
  for (;;) {
    auto reader = binlog::reader::try_open(directory);
    if (reader.status() != BINLOG_E_NOT_FOUND) return std::move(reader).value();
    std::this_thread::sleep_for(10ms);
  }
}

static void follow(const std::string& directory, int count) {
  position done("tail-position");
  binlog::filter behind;
  behind.from_id = done.id() + 1;
  auto cursor = open_log(directory).records(behind);  // the cursor keeps what it needs of the reader
  std::cout << "following from record " << behind.from_id << " on\n";
  while (count > 0) {
    const auto next = cursor.try_next();
    if (next.status() == BINLOG_E_MISSED) {
      // We were away for longer than old segments are kept. Reported once; the next call continues after the gap.
      const auto [first, last] = next.error().missed().value();
      std::cout << "missed the records " << first << " to " << last << '\n';
    } else if (const auto record = next.value()) {  // throws any other error
      std::cout << record->id() << ": " << record->text() << '\n';
      done.store(record->id());  // only now: a crash before this shows it once more, and none is ever left out
      count--;
    } else {
      cursor.wait();  // "no more, for now", over rolls and restarts of the writer; also with a time limit
    }
  }
}

static void write_lines(const std::string& directory, int from, int to, const binlog::writer_options& options) {
  auto writer = binlog::writer::open(directory, options);
  for (int i = from; i <= to; i++) {
    writer.append(0, "line " + std::to_string(i));
    std::this_thread::sleep_for(2ms);
  }
  writer.close();
}

int main() try {
  binlog::writer_options options;
  options.flush_records = 1;  // readers see each record as soon as it is appended
  options.roll.records = 5;

  std::thread writer([&] { write_lines("tail-log", 1, 12, options); });
  follow("tail-log", 7);
  writer.join();
  std::cout << "... here the consumer is away, and the log goes on: only its last two segments are kept\n";
  options.keep.segments = 2;
  write_lines("tail-log", 13, 22, options);
  follow("tail-log", 7);
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
