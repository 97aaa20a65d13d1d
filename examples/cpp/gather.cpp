// Messages of a header and a body that lie apart: written as one record without putting them together first, and read
// back as header and body, without a copy either. A second look reads no payload at all.
//
// Usage: gather [LOG DIRECTORY]
#include <binlog.hpp>

#include <cstring>
#include <iostream>
#include <string>
#include <vector>

struct header {
  std::uint32_t request;
  std::uint32_t status;
  std::uint64_t body_bytes;
};

int main(int argc, char** argv) try {
  const std::string directory = argc > 1 ? argv[1] : "gather-log";
  std::uint32_t response = 0;
  {
    auto writer = binlog::writer::open(directory);
    response = writer.type("http.response", "application/octet-stream");
    const std::vector<std::string> bodies = {"<p>hello</p>", std::string(300000, 'x'), ""};
    std::uint32_t request = 0;
    for (const std::string& body : bodies) {
      const header head{++request, body.empty() ? 204u : 200u, body.size()};
      const binlog::metadata where{{"host", "example.org"}};
      // Type, time and metadata as in any record; the parts are needed until the call returns. A large part is written
      // from where it is.
      const auto id = writer.gather({response, {}, where}, {binlog::slice(&head, sizeof head), body});
      std::cout << "response " << request << " is record " << id << '\n';
    }
    writer.close();
  }

  const auto reader = binlog::reader::open(directory);
  for (const binlog::record_view& record : reader.records()) {
    const auto bytes = record.bytes();  // views, until the cursor's next step
    header head;
    if (bytes.size() < sizeof head) throw std::runtime_error("a response is shorter than its header");
    std::memcpy(&head, bytes.data(), sizeof head);  // a view may begin at any address
    const auto body = record.text().substr(sizeof head);
    std::cout << "response " << head.request << ": status " << head.status << ", " << body.size() << " bytes, begins with '"
              << body.substr(0, 3) << "'\n";
  }

  binlog::filter headers;
  headers.headers_only = true;
  std::size_t bytes = 0;
  for (const binlog::record_view& record : reader.records(headers)) bytes += record.size();
  std::cout << bytes << " bytes of payload, none of which was read this time\n";
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
