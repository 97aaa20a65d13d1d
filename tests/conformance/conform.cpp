/* The C++ program of the conformance suite: tests/conformance/README.md describes its commands.

     conform read PATH [CONDITION]... | salvage PATH | write DIR COUNT | stage DIR COUNT | tail DIR COUNT */
#include <binlog.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

/* ---------------------------------------------------------------- the contents of a log, as JSON */

/* With as few escapes as possible. */
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const std::string_view named = "btn?fr"; /* for the characters from 8 on, but 11 */
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte >= 8 && byte <= 13 && byte != 11) {
      out += {'\\', named[byte - 8u]};
    } else if (byte < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string metadata_of(const binlog::record_view& record) {
  std::string out = "[";
  for (const auto& [key, value] : record.metadata()) {
    if (out.size() > 1) out += ',';
    out += '[' + quoted(key) + ',' + quoted(value) + ']';
  }
  return out + ']';
}

/* As in zlib. */
std::uint32_t crc32_of(binlog::span<const std::uint8_t> bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> sums{};
    for (std::uint32_t i = 0; i < sums.size(); i++) {
      std::uint32_t sum = i;
      for (int bit = 0; bit < 8; bit++) sum = sum >> 1 ^ ((sum & 1) != 0 ? 0xEDB88320u : 0u);
      sums[i] = sum;
    }
    return sums;
  }();
  std::uint32_t sum = 0xFFFFFFFFu;
  for (const std::uint8_t byte : bytes) sum = sum >> 8 ^ table[(sum ^ byte) & 0xFF];
  return ~sum;
}

/* Empty for a number that is no event of this version. */
std::string event_name(const binlog::record_view& record) {
  static const std::map<std::uint32_t, std::string> names{
      {BINLOG_EVENT_STARTED, "STARTED"},         {BINLOG_EVENT_STOPPED, "STOPPED"},
      {BINLOG_EVENT_HEARTBEAT, "HEARTBEAT"},     {BINLOG_EVENT_ROTATE_NEXT, "ROTATE_NEXT"},
      {BINLOG_EVENT_ROTATE_PREV, "ROTATE_PREV"}, {BINLOG_EVENT_OPENED, "OPENED"},
      {BINLOG_EVENT_CLOSED, "CLOSED"},           {BINLOG_EVENT_RECOVERED, "RECOVERED"},
      {BINLOG_EVENT_DROPPED, "DROPPED"},         {BINLOG_EVENT_TYPE, "TYPE"},
      {BINLOG_EVENT_SCHEMA, "SCHEMA"},
  };
  const auto found = names.find(record.type());
  return record.is_event() && found != names.end() ? found->second : "";
}

std::string event_line(const binlog::record_view& event) {
  return "{\"before_id\":" + std::to_string(event.id()) + ",\"event\":" + quoted(event_name(event)) +
         ",\"metadata\":" + metadata_of(event) + ",\"time\":" + std::to_string(event.time_ns()) + '}';
}

std::string record_line(const binlog::record_view& record, const binlog::cursor& cursor) {
  std::string out;
  if (record.size() <= 64) {
    out = "{\"hex\":\"";
    const char* digits = "0123456789abcdef";
    for (const std::uint8_t byte : record.bytes()) out += {digits[byte >> 4], digits[byte & 15]};
    out += '"';
  } else {
    out = "{\"crc32\":" + std::to_string(crc32_of(record.bytes()));
  }
  out += ",\"id\":" + std::to_string(record.id()) + ",\"length\":" + std::to_string(record.size()) +
         ",\"metadata\":" + metadata_of(record) + ",\"time\":" + std::to_string(record.time_ns()) +
         ",\"type\":" + std::to_string(record.type());
  if (const auto name = cursor.try_type_name(record.type())) out += ",\"type_name\":" + quoted(*name);
  return out + '}';
}

std::string segment_line(const binlog::segment& segment) {
  std::map<std::string, std::string> parameters; /* sorted */
  for (std::size_t i = 0; i < segment.parameter_count; i++)
    parameters[segment.parameters[2 * i]] = segment.parameters[2 * i + 1];
  std::string out = "{\"content_type\":" + quoted(segment.content_type) +
                    ",\"first_id\":" + std::to_string(segment.first_id) + ",\"name\":" + quoted(segment.name) +
                    ",\"parameters\":{";
  const char* between = "";
  for (const auto& [key, value] : parameters) {
    out += between + quoted(key) + ':' + quoted(value);
    between = ",";
  }
  return out + "},\"sequence\":" + std::to_string(segment.sequence) + '}';
}

std::string loss_line(const binlog::loss& loss) {
  const std::string path = loss.path;
  return "{\"bytes\":" + std::to_string(loss.bytes) + ",\"durable\":" + (loss.durable != 0 ? "true" : "false") +
         ",\"file\":" + quoted(path.substr(path.rfind('/') + 1)) + ",\"first_id\":" + std::to_string(loss.first_id) +
         ",\"first_page\":" + std::to_string(loss.first_page) + ",\"kind\":" + std::to_string(loss.kind) + ",\"last_id\":" + std::to_string(loss.last_id) +
         ",\"offset\":" + std::to_string(loss.offset) + ",\"page_count\":" + std::to_string(loss.page_count) + '}';
}

std::string end_of(const binlog::tail& tail) {
  static const char* const states[] = {"more", "closed", "live", "unclosed", "torn", "corrupt"};
  return "{\"next_id\":" + std::to_string(tail.next_id) + ",\"offset\":" + std::to_string(tail.offset) +
         ",\"state\":\"" + states[tail.state] + "\",\"unread_bytes\":" + std::to_string(tail.unread_bytes) + '}';
}

std::string end_of(const binlog::error& error) {
  std::string kind;
  for (const char c : std::string_view(binlog_status_name(error.status())).substr(2))
    if (c != '_') kind += static_cast<char>(c - 'A' + 'a');
  const auto offset = error.offset() < 0 ? "null" : std::to_string(error.offset());
  return "{\"error\":\"" + kind + "\",\"offset\":" + offset + '}';
}

std::string list(const std::vector<std::string>& lines) {
  std::string out = "[";
  for (const std::string& line : lines) out += (out.size() > 1 ? ",\n    " : "\n    ") + line;
  return out + ']';
}

void read_log(const std::string& path, binlog::filter filter, bool salvage) {
  std::vector<std::string> events, losses, records, segments;
  std::string end;
  binlog::reader_options options;
  if (salvage) {
    options.mode = binlog::reader_mode::salvage;
    options.on_loss = [&](const binlog::loss& loss) { losses.push_back(loss_line(loss)); };
  }
  if (const auto reader = binlog::reader::try_open(path, options); !reader) {
    end = end_of(reader.error());
  } else {
    filter.events = true;
    auto cursor = reader->records(filter);
    try {
      for (const binlog::record_view& record : cursor) {
        if (event_name(record).empty())
          records.push_back(record_line(record, cursor));
        else
          events.push_back(event_line(record));
      }
      end = end_of(cursor.tail());
    } catch (const binlog::error& error) {
      end = end_of(error);
    }
    for (const binlog::segment& segment : reader->segments()) segments.push_back(segment_line(segment));
  }
  std::cout << "{\n  \"end\": " << end << ",\n  \"events\": " << list(events);
  if (salvage) std::cout << ",\n  \"losses\": " << list(losses);
  std::cout << ",\n  \"records\": " << list(records) << ",\n  \"segments\": " << list(segments) << "\n}\n";
}

/* ---------------------------------------------------------------- conditions */

binlog::filter filter_of(const std::vector<std::string>& conditions) {
  binlog::filter filter;
  for (const std::string& condition : conditions) {
    const std::size_t equals = std::min(condition.find('='), condition.size());
    const std::string what = condition.substr(0, equals);
    const std::string value = equals < condition.size() ? condition.substr(equals + 1) : "";
    if (what == "from_id")
      filter.from_id = std::stoull(value);
    else if (what == "to_id")
      filter.to_id = std::stoull(value);
    else if (what == "from_time")
      filter.from_time_ns = std::stoll(value);
    else if (what == "to_time")
      filter.to_time_ns = std::stoll(value);
    else if (what == "type")
      filter.types.push_back(static_cast<std::uint32_t>(std::stoul(value)));
    else if (what == "type_name")
      filter.type_names.push_back(value);
    else if (what == "last")
      filter.last = std::stoull(value);
    else if (condition == "newest_first")
      filter.newest_first = true;
    else if (const std::size_t middle = value.find('='); what == "pair" && middle != std::string::npos)
      filter.metadata.emplace_back(value.substr(0, middle), value.substr(middle + 1));
    else
      throw std::runtime_error(condition + " is no condition");
  }
  return filter;
}

/* ---------------------------------------------------------------- writing */

constexpr std::uint64_t run_records = 10, flush_records = 100, segment_records = 1000;

/* Record number `i` of a log that is written here, with the memory that it points to. */
struct numbered {
  std::vector<std::uint8_t> payload;
  binlog::metadata pairs;
  binlog::record record;

  numbered(std::uint64_t i, std::uint32_t named) : payload(i * 7919 % 700) {
    for (std::size_t j = 0; j < payload.size(); j++) payload[j] = static_cast<std::uint8_t>(i * 31 + j * 7);
    if (i % 3 == 0) pairs.add("i", std::to_string(i)).add("ключ", "значение");
    record.type = i % 5 == 0 ? named : static_cast<std::uint32_t>(i % 5);
    record.time_ns = 1'700'000'000'000'000'000 + static_cast<std::int64_t>(i) * 1000;
    record.data = binlog::slice(payload);
    record.metadata = pairs.view();
  }
  numbered(const numbered&) = delete; /* the record points into it; moving the vectors leaves their memory alone */
  numbered(numbered&&) = default;
};

/* What follows is the same for a writer and an appender. */
template <class Writer>
void gather(Writer& writer, const numbered& one) {
  const std::size_t len = one.payload.size(), third = len / 3, half = (len - third) / 2;
  const std::uint8_t* data = one.payload.data();
  binlog::record head = one.record;
  head.data = {};
  writer.gather(head, {{data, third}, {data + third, half}, {data + third + half, len - third - half}});
}

template <class Writer>
void append(Writer& writer, const std::vector<numbered>& run, std::uint64_t way) {
  binlog::batch batch;
  binlog::packed packed;
  for (const numbered& one : run) {
    if (way == 0) writer.append(one.record);
    if (way == 1) gather(writer, one);
    if (way == 2) batch.add(one.record);
    if (way == 3) packed.add(one.record);
  }
  if (way == 2) writer.append_batch(batch);
  if (way == 3) writer.append_packed(packed);
}

void write_log(const std::string& directory, std::uint64_t count, bool staged) {
  binlog::writer_options options;
  options.name = "conform";
  options.content_type = "application/x-conform";
  options.parameters = {{"writer", "cpp"}};
  if (!staged) options.roll.records = segment_records;
  auto writer = binlog::writer::open(directory, options);
  const std::uint32_t named = writer.type("conform.named", "text/plain");
  const std::uint64_t before = writer.position().appended_id;
  binlog::appender appender;
  if (staged) appender = binlog::appender::open(writer);
  for (std::uint64_t done = 0; done < count;) {
    std::vector<numbered> run;
    const std::uint64_t first = before + done + 1;
    while (run.size() < run_records && done + run.size() < count) run.emplace_back(first + run.size(), named);
    const std::uint64_t way = done / run_records % 4;
    if (staged)
      append(appender, run, way);
    else
      append(writer, run, way);
    done += run.size();
    if (done % flush_records == 0) writer.flush();
  }
  if (staged) appender.close();
  const std::uint64_t after = writer.position().appended_id;
  writer.close();
  if (after != before + count)
    throw std::runtime_error("the last id is " + std::to_string(after) + " after " + std::to_string(count) +
                             " records behind " + std::to_string(before));
}

/* ---------------------------------------------------------------- following */

binlog::reader open_soon(const std::string& directory) {
  const auto start = std::chrono::steady_clock::now();
  for (;;) {
    auto reader = binlog::reader::try_open(directory);
    const bool patient = std::chrono::steady_clock::now() - start < std::chrono::seconds(30);
    if (reader || reader.status() != BINLOG_E_NOT_FOUND || !patient) return std::move(reader).value();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void tail_log(const std::string& directory, std::uint64_t count) {
  binlog::filter filter;
  filter.from_id = 1;
  auto cursor = open_soon(directory).records(filter);
  for (std::uint64_t seen = 0; seen < count;) {
    if (const auto record = cursor.next()) {
      std::cout << record_line(*record, cursor) << '\n';
      seen++;
    } else if (!cursor.wait(std::chrono::seconds(60))) {
      throw std::runtime_error("no more than " + std::to_string(seen) + " of " + std::to_string(count) +
                               " records came in 60 s");
    }
  }
}

std::string hex_of(const void* bytes, std::size_t len) {
  std::string out;
  for (std::size_t i = 0; i < len; i++) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<const std::uint8_t*>(bytes)[i]);
    out += digits;
  }
  return quoted(out);
}

void list_types(const std::string& path) {
  for (const binlog::type_info& info : binlog::reader::open(path).types()) {
    std::cout << "{\"content_type\":" << quoted(info.content_type) << ",\"encoding\":" << quoted(info.encoding)
              << ",\"message\":" << quoted(info.message) << ",\"name\":" << quoted(info.name);
    if (!info.schema.empty()) std::cout << ",\"schema\":" << hex_of(info.schema.data(), info.schema.size());
    if (info.schema_sha256 != decltype(info.schema_sha256){})
      std::cout << ",\"schema_sha256\":" << hex_of(info.schema_sha256.data(), info.schema_sha256.size());
    std::cout << ",\"type\":" << info.type << "}\n";
  }
}

void run(const std::vector<std::string>& words) {
  const std::string command = words.empty() ? "" : words[0];
  if (words.size() >= 2 && command == "read")
    return read_log(words[1], filter_of({words.begin() + 2, words.end()}), false);
  if (words.size() == 2 && command == "salvage") return read_log(words[1], {}, true);
  if (words.size() == 2 && command == "types") return list_types(words[1]);
  if (words.size() == 3 && command == "write") return write_log(words[1], std::stoull(words[2]), false);
  if (words.size() == 3 && command == "stage") return write_log(words[1], std::stoull(words[2]), true);
  if (words.size() == 3 && command == "tail") return tail_log(words[1], std::stoull(words[2]));
  throw std::runtime_error("conform read PATH [CONDITION]... | salvage PATH | types PATH | write|stage|tail DIR COUNT");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(std::vector<std::string>(argv + 1, argv + argc));
    if (!std::cout.flush()) throw std::runtime_error("the output cannot be written");
    return 0;
  } catch (const std::exception& problem) {
    std::cerr << "conform: " << problem.what() << '\n';
    return 1;
  }
}
