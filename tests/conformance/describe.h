/* The contents of a log, as the canonical JSON that tests/golden/README.md describes: for conform.c alone. */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include <binlog.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("conform: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

static void check(binlog_status status, binlog_error *err) {
  if (status != BINLOG_OK) fail("%s: %s", binlog_status_name(status), binlog_error_message(err));
}

/* ---------------------------------------------------------------- text */

/* Text that grows; set it to zeros. */
struct text {
  char *bytes;
  size_t len, room;
};

static void put(struct text *text, const char *bytes, size_t len) {
  if (text->room - text->len < len) {
    text->room = 2 * text->room + len;
    text->bytes = realloc(text->bytes, text->room);
    if (text->bytes == NULL) fail("no memory");
  }
  if (len > 0) memcpy(text->bytes + text->len, bytes, len);
  text->len += len;
}

static void put_text(struct text *text, const char *string) { put(text, string, strlen(string)); }

static void put_unsigned(struct text *text, uint64_t number) {
  char digits[24];
  snprintf(digits, sizeof digits, "%" PRIu64, number);
  put_text(text, digits);
}

static void put_signed(struct text *text, int64_t number) {
  char digits[24];
  snprintf(digits, sizeof digits, "%" PRId64, number);
  put_text(text, digits);
}

/* A JSON string with as few escapes as possible. */
static void put_string(struct text *text, const char *bytes, size_t len) {
  static const char named[] = {'b', 't', 'n', 0, 'f', 'r'}; /* for the characters from 8 on */
  put(text, "\"", 1);
  for (size_t i = 0; i < len; i++) {
    const unsigned char c = (unsigned char)bytes[i];
    char escaped[8] = {'\\', (char)c, 0};
    if (c >= 8 && c <= 13 && named[c - 8] != 0)
      escaped[1] = named[c - 8];
    else if (c < 0x20)
      snprintf(escaped, sizeof escaped, "\\u%04x", c);
    else if (c != '"' && c != '\\')
      memmove(escaped, escaped + 1, 2);
    put_text(text, escaped);
  }
  put(text, "\"", 1);
}

static void put_metadata(struct text *text, const binlog_record *record) {
  const uint8_t *rest = record->metadata;
  size_t len = record->metadata_len;
  binlog_slice key, value;
  binlog_status status;
  const char *between = "";
  put_text(text, "[");
  while ((status = binlog_metadata_next(&rest, &len, &key, &value)) == BINLOG_OK) {
    put_text(text, between);
    put_text(text, "[");
    put_string(text, (const char *)key.data, key.len);
    put_text(text, ",");
    put_string(text, (const char *)value.data, value.len);
    put_text(text, "]");
    between = ",";
  }
  if (status != BINLOG_END) fail("a cursor shows metadata that are no pairs: %s", binlog_status_name(status));
  put_text(text, "]");
}

/* ---------------------------------------------------------------- the contents of a log, as JSON */

/* As in zlib. */
static uint32_t crc32_of(const uint8_t *data, size_t len) {
  static uint32_t table[256];
  if (table[1] == 0) {
    for (uint32_t i = 0; i < 256; i++) {
      uint32_t sum = i;
      for (int bit = 0; bit < 8; bit++) sum = sum >> 1 ^ (sum & 1 ? 0xEDB88320u : 0);
      table[i] = sum;
    }
  }
  uint32_t sum = 0xFFFFFFFFu;
  for (size_t i = 0; i < len; i++) sum = sum >> 8 ^ table[(sum ^ data[i]) & 0xFF];
  return sum ^ 0xFFFFFFFFu;
}

/* NULL for a number that is no event of this version. */
static const char *event_name(uint32_t type) {
  switch (type) {
    case BINLOG_EVENT_STARTED: return "STARTED";
    case BINLOG_EVENT_STOPPED: return "STOPPED";
    case BINLOG_EVENT_HEARTBEAT: return "HEARTBEAT";
    case BINLOG_EVENT_ROTATE_NEXT: return "ROTATE_NEXT";
    case BINLOG_EVENT_ROTATE_PREV: return "ROTATE_PREV";
    case BINLOG_EVENT_OPENED: return "OPENED";
    case BINLOG_EVENT_CLOSED: return "CLOSED";
    case BINLOG_EVENT_RECOVERED: return "RECOVERED";
    case BINLOG_EVENT_DROPPED: return "DROPPED";
    case BINLOG_EVENT_TYPE: return "TYPE";
    case BINLOG_EVENT_SCHEMA: return "SCHEMA";
    default: return NULL;
  }
}

static void put_event(struct text *text, const binlog_record *record) {
  put_text(text, "{\"before_id\":");
  put_unsigned(text, record->id);
  put_text(text, ",\"event\":\"");
  put_text(text, event_name(record->type));
  put_text(text, "\",\"metadata\":");
  put_metadata(text, record);
  put_text(text, ",\"time\":");
  put_signed(text, record->time_ns);
  put_text(text, "}");
}

static void put_record(struct text *text, const binlog_record *record, const binlog_cursor *cursor) {
  if (record->len <= 64) {
    put_text(text, "{\"hex\":\"");
    for (size_t i = 0; i < record->len; i++) {
      char digits[3];
      snprintf(digits, sizeof digits, "%02x", ((const uint8_t *)record->data)[i]);
      put(text, digits, 2);
    }
    put_text(text, "\"");
  } else {
    put_text(text, "{\"crc32\":");
    put_unsigned(text, crc32_of(record->data, record->len));
  }
  put_text(text, ",\"id\":");
  put_unsigned(text, record->id);
  put_text(text, ",\"length\":");
  put_unsigned(text, record->len);
  put_text(text, ",\"metadata\":");
  put_metadata(text, record);
  put_text(text, ",\"time\":");
  put_signed(text, record->time_ns);
  put_text(text, ",\"type\":");
  put_unsigned(text, record->type);
  binlog_slice name;
  if (binlog_cursor_type_name(cursor, record->type, &name, NULL) == BINLOG_OK) {
    put_text(text, ",\"type_name\":");
    put_string(text, (const char *)name.data, name.len);
  }
  put_text(text, "}");
}

/* The key of the pair at a[0] and that at b[0]. */
static int by_key(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void put_hex(struct text *text, const void *bytes, size_t len) {
  char digits[3];
  put_text(text, "\"");
  for (size_t i = 0; i < len; i++) {
    snprintf(digits, sizeof digits, "%02x", ((const uint8_t *)bytes)[i]);
    put_text(text, digits);
  }
  put_text(text, "\"");
}

static void put_type(struct text *text, const binlog_type_info *info) {
  static const uint8_t none[sizeof info->schema_sha256];
  put_text(text, "{\"content_type\":");
  put_string(text, info->content_type, strlen(info->content_type));
  put_text(text, ",\"encoding\":");
  put_string(text, info->encoding, strlen(info->encoding));
  put_text(text, ",\"message\":");
  put_string(text, info->message, strlen(info->message));
  put_text(text, ",\"name\":");
  put_string(text, info->name, strlen(info->name));
  if (info->schema != NULL) {
    put_text(text, ",\"schema\":");
    put_hex(text, info->schema, info->schema_len);
  }
  if (memcmp(info->schema_sha256, none, sizeof none) != 0) {
    put_text(text, ",\"schema_sha256\":");
    put_hex(text, info->schema_sha256, sizeof none);
  }
  put_text(text, ",\"type\":");
  put_unsigned(text, info->type);
  put_text(text, "}\n");
}

static void put_segment(struct text *text, const binlog_segment *segment) {
  put_text(text, "{\"content_type\":");
  put_string(text, segment->content_type, strlen(segment->content_type));
  put_text(text, ",\"first_id\":");
  put_unsigned(text, segment->first_id);
  put_text(text, ",\"name\":");
  put_string(text, segment->name, strlen(segment->name));
  put_text(text, ",\"parameters\":{");
  const char **pairs = malloc((2 * segment->parameter_count + 1) * sizeof *pairs);
  if (pairs == NULL) fail("no memory");
  if (segment->parameter_count > 0) memcpy(pairs, segment->parameters, 2 * segment->parameter_count * sizeof *pairs);
  qsort(pairs, segment->parameter_count, 2 * sizeof *pairs, by_key);
  for (size_t i = 0; i < segment->parameter_count; i++) {
    if (i > 0) put_text(text, ",");
    put_string(text, pairs[2 * i], strlen(pairs[2 * i]));
    put_text(text, ":");
    put_string(text, pairs[2 * i + 1], strlen(pairs[2 * i + 1]));
  }
  free(pairs);
  put_text(text, "},\"sequence\":");
  put_unsigned(text, segment->sequence);
  put_text(text, "}");
}

static void put_loss(struct text *text, const binlog_loss *loss) {
  const char *slash = strrchr(loss->path, '/');
  const char *file = slash == NULL ? loss->path : slash + 1;
  put_text(text, "{\"bytes\":");
  put_unsigned(text, loss->bytes);
  put_text(text, loss->durable ? ",\"durable\":true,\"file\":" : ",\"durable\":false,\"file\":");
  put_string(text, file, strlen(file));
  put_text(text, ",\"first_id\":");
  put_unsigned(text, loss->first_id);
  put_text(text, ",\"first_page\":");
  put_unsigned(text, loss->first_page);
  put_text(text, ",\"kind\":");
  put_unsigned(text, loss->kind);
  put_text(text, ",\"last_id\":");
  put_unsigned(text, loss->last_id);
  put_text(text, ",\"offset\":");
  put_unsigned(text, loss->offset);
  put_text(text, ",\"page_count\":");
  put_unsigned(text, loss->page_count);
  put_text(text, "}");
}

static void put_tail(struct text *text, const binlog_tail *tail) {
  static const char *const states[] = {"more", "closed", "live", "unclosed", "torn", "corrupt"};
  put_text(text, "{\"next_id\":");
  put_unsigned(text, tail->next_id);
  put_text(text, ",\"offset\":");
  put_unsigned(text, tail->offset);
  put_text(text, ",\"state\":\"");
  put_text(text, states[tail->state]);
  put_text(text, "\",\"unread_bytes\":");
  put_unsigned(text, tail->unread_bytes);
  put_text(text, "}");
}

/* Frees the error. */
static void put_error(struct text *text, binlog_error *err) {
  put_text(text, "{\"error\":\"");
  for (const char *c = binlog_status_name(binlog_error_status(err)) + strlen("E_"); *c != '\0'; c++) {
    const char lower = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    if (lower != '_') put(text, &lower, 1);
  }
  put_text(text, "\",\"offset\":");
  if (binlog_error_offset(err) < 0)
    put_text(text, "null");
  else
    put_signed(text, binlog_error_offset(err));
  put_text(text, "}");
  binlog_error_free(err);
}

#endif
