// A log and its archive: a writer ships the segments that it closes to a store, compressed, and the log is read back from
// there. examples/c/archive.c does the same with a shipper beside the writer.
//
// Usage: archive [LOG DIRECTORY [URL OF THE STORE]]
//
// The URL may be one of s3://, gs://, az:// and swift://, whose credentials are in the environment; without one, the store is a
// directory beside the log.
#include <binlog.hpp>

#include <chrono>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>

int main(int argc, char** argv) try {
  using namespace std::chrono_literals;
  const std::string directory = argc > 1 ? argv[1] : "archive-log";
  const auto beside = "file://" + std::filesystem::current_path().string() + "/archive-store?create=true";

  binlog::ship_options archive;
  archive.url = argc > 2 ? argv[2] : beside;
  archive.compress.emplace();  // with zstd, and defaults for everything else
  archive.close_wait = 30s;    // closing the writer waits so long for what is still to be sent
  binlog::writer_options options;
  options.name = "orders";
  options.roll.records = 100;
  options.ship = archive;
  // Shipping never fails an append: it is retried, and the failure is reported here.
  options.on_failure = [](const binlog::failure& failure) { std::cerr << failure.message << '\n'; };

  auto writer = binlog::writer::open(directory, options);
  for (int i = 1; i <= 350; i++) writer.append(1, "{\"order\":" + std::to_string(i) + "}");
  std::cout << "shipping the log " << writer.ship_status().log << '\n';
  writer.close();  // rolls first, so that all records can be shipped

  // With the writer closed, a shipper ships what is left, if there is anything, and compares.
  auto shipper = binlog::shipper::open(directory, archive, "orders");
  shipper.run();
  const auto verified = shipper.verify();
  std::cout << verified.sums.sound_segments << " segments are in the store, " << verified.problems.size()
            << " problems\n";
  for (const auto& problem : verified.problems) std::cerr << problem.message << '\n';
  shipper.close();

  const auto reader = binlog::reader::open(archive.url);
  std::size_t count = 0;
  for (const binlog::record_view& record : reader.records()) count += record.size() > 0;
  auto cursor = reader.records();
  const auto found = cursor.get(150);
  std::cout << count << " records are there; the 150th is " << (found ? found->text() : "gone") << '\n';
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
