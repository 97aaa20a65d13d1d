// From the Python binary logger (MapLogger) to this library. What its users loved: objects are logged and read back by
// their class. Here the class's name is the name of a type, and two small templates do the rest.
//
// | MapLogger                                  | here                                                              |
// |--------------------------------------------|-------------------------------------------------------------------|
// | class MyLog(BinaryLoggable)                | struct my_log with type_name, to_bytes, from_bytes                |
// | with MapLogger(path) as logger             | logger log(path): closed at the end of the block, by exceptions too |
// | logger.write(loggable)                     | log.write(object)                                                 |
// | logger.read(path, MyLog)                   | read<my_log>(path, each)                                          |
// | map of record positions, written by close  | an index in the log, written as it grows                          |
//
// What changes: a log that was never closed is whole up to its last flush and needs no restoring; a torn or damaged
// file is reported with its offset, and every other record stays readable; files may be larger than 4 GB; reading one
// class touches only its records; and nothing in the file is code, as the pickled map was.
#include <binlog.hpp>

#include <cstring>
#include <iostream>
#include <string>
#include <unordered_map>

// class StringLog(BinaryLoggable):
//     def to_bytes(self): return self.text.encode()
//     def from_bytes(self, data): self.text = data.decode()
struct string_log {
  static constexpr const char* type_name = "StringLog";
  std::string text;

  std::string to_bytes() const { return text; }
  static string_log from_bytes(std::string_view bytes) { return {std::string(bytes)}; }
};

struct temperature {
  static constexpr const char* type_name = "Temperature";
  double celsius;

  std::string to_bytes() const { return std::string(reinterpret_cast<const char*>(&celsius), sizeof celsius); }
  static temperature from_bytes(std::string_view bytes) {
    temperature t{};
    if (bytes.size() != sizeof t.celsius) throw std::runtime_error("a Temperature has 8 bytes");
    std::memcpy(&t.celsius, bytes.data(), sizeof t.celsius);
    return t;
  }
};

class logger {
 public:
  // A log that is a single file, as MapLogger's was. binlog::writer::open takes a directory instead, and rolls.
  explicit logger(const std::string& path) : writer_(binlog::writer::open_file(path)) {}

  template <class T>
  std::uint64_t write(const T& object) {
    const auto known = types_.find(T::type_name);
    const auto type = known != types_.end() ? known->second : types_[T::type_name] = writer_.type(T::type_name);
    return writer_.append(type, object.to_bytes());
  }
  void close() { writer_.close(); }

 private:
  binlog::writer writer_;
  std::unordered_map<std::string, std::uint32_t> types_;
};

template <class T, class Each>
void read(const std::string& path, Each each) {
  binlog::filter of_this_class;
  of_this_class.type_names = {T::type_name};
  const auto reader = binlog::reader::open(path);
  for (const binlog::record_view& record : reader.records(of_this_class)) each(T::from_bytes(record.text()));
}

int main(int argc, char** argv) try {
  const std::string path = argc > 1 ? argv[1] : "the_logger.binlog";

  // with MapLogger("the_logger.log") as logger:
  {
    logger log(path);
    // logger.write(StringLog("first"))
    log.write(string_log{"first"});
    log.write(temperature{21.5});
    log.write(string_log{"second"});
    log.write(temperature{-3.25});
    log.close();  // the end of the block would close, too, but could not report a failure
  }

  // for entry in logger.read("the_logger.log", StringLog):
  //     print(entry.text)
  read<string_log>(path, [](const string_log& entry) { std::cout << entry.text << '\n'; });
  read<temperature>(path, [](const temperature& entry) { std::cout << entry.celsius << " degrees\n"; });

  for (const binlog::type_count& counted : binlog::reader::open(path).counts())
    std::cout << counted.records << " of " << counted.name << '\n';
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
