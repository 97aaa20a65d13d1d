// The quick start again, in C++17. Functions throw binlog::error; try_ ones return a binlog::result instead.
#include <binlog.hpp>

#include <iostream>

int main() try {
  {
    auto writer = binlog::writer::open("quickstart-log");
    const auto login = writer.type("login", "text/plain");

    writer.append(7, "any bytes");
    const binlog::metadata where{{"host", "example.org"}};
    writer.append({login, "alice", where});
    writer.gather(login, {"bo", "b"});  // one record, from parts
    writer.append_batch({{login, "carol", where}, {login, "dave"}});  // all of them or none

    writer.sync();   // survives a power cut
    writer.close();  // the destructor would close, too, but could not report a failure
  }

  const auto reader = binlog::reader::open("quickstart-log");
  binlog::filter logins;
  logins.type_names = {"login"};
  for (const binlog::record_view& record : reader.records(logins)) {
    std::cout << "record " << record.id() << ": " << record.text();
    if (const auto host = record.metadata().find("host")) std::cout << " from " << *host;
    std::cout << '\n';
  }

  if (const auto missing = binlog::reader::try_open("no-such-log"); !missing)
    std::cout << "as expected: " << missing.error().what() << '\n';
} catch (const binlog::error& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
