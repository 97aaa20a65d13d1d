// Many threads append to one log, each through an appender of its own: it takes no lock, and gives no ids. What the log has
// at which moment is the writer's: flush, sync and close take what all appenders have appended before.
//
// Usage: threads [LOG DIRECTORY]
#include <binlog.hpp>

#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

int main(int argc, char** argv) try {
  const std::string directory = argc > 1 ? argv[1] : "threads-log";
  constexpr int threads = 4, each = 10'000;
  {
    auto writer = binlog::writer::open(directory);
    const auto measured = writer.type("measured", "text/plain");

    std::vector<binlog::appender> appenders;
    for (int i = 0; i < threads; i++) appenders.push_back(binlog::appender::open(writer));
    std::vector<std::thread> running;
    for (int i = 0; i < threads; i++)
      running.emplace_back([&, i] {
        binlog::appender& mine = appenders[i];
        for (int n = 0; n < each; n++) mine.append(measured, "sensor " + std::to_string(i));
        mine.close();  // returns the id of its last record; the destructor would close, too
      });
    for (auto& thread : running) thread.join();

    writer.sync();
    std::cout << "durable up to record " << writer.position().durable_id << '\n';
    writer.close();
  }

  std::map<std::string, int> counts;
  for (const binlog::record_view& record : binlog::reader::open(directory).records()) counts[std::string(record.text())]++;
  for (const auto& [sensor, count] : counts) std::cout << sensor << ": " << count << " records\n";
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
