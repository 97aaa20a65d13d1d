/* Types with encodings, messages and schemas: naming them, and what a cursor and a reader say of them. */
#include "check.h"

static const unsigned char schema[] = {0x0a, 0x00, 0xff, 0x7b, 0x00};
/* sha256sum of these bytes. */
static const char sum[] = "fc5468198f9431466ecd29582255163783a82e4ff89583ed170ac216c6c4261d";

struct seen {
  uint32_t types[8];
  size_t count;
};

static void on_type(void *userdata, const binlog_type_info *info) {
  struct seen *seen = (struct seen *)userdata;
  CHECK(seen->count < COUNT_OF(seen->types));
  CHECK(info->name != NULL && info->content_type != NULL && info->encoding != NULL && info->message != NULL);
  CHECK((info->schema == NULL) == (info->schema_len == 0));
  seen->types[seen->count++] = info->type;
}

/* The name has the numbers of two schemas; 7 is a number without a name. */
static void on_count(void *userdata, const binlog_type_count *counted) {
  struct seen *seen = (struct seen *)userdata;
  CHECK(seen->count < COUNT_OF(seen->types));
  if (counted->name == NULL) {
    CHECK(counted->type == 7 && counted->records == 1 && counted->several_numbers == 0);
  } else {
    CHECK(strcmp(counted->name, "order") == 0 && counted->records == 2 && counted->several_numbers == 1);
  }
  seen->types[seen->count++] = counted->type;
}

static void test(const char *scratch) {
  char *log = path_in(scratch, "log");
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_reader *r = NULL;
  binlog_cursor *c = NULL;
  binlog_record record;
  binlog_type_options order, plain, wrong;
  binlog_type_info info;
  uint32_t type = 0, again = 0, other = 0, none = 0;
  struct seen seen = {{0}, 0};
  char *big = (char *)calloc(1, (1 << 20) + 1);
  CHECK(big != NULL);
  CHECK_OK(binlog_writer_open(log, NULL, &w, &err), err);

  CHECK_IS(binlog_type_options_init(&order, sizeof order), BINLOG_OK);
  CHECK(order.struct_size == sizeof order && order.name == NULL);
  plain = order;
  plain.name = "order";
  plain.encoding = "json";
  order = plain;
  order.content_type = "application/x-protobuf";
  order.encoding = "protobuf";
  order.message = "shop.Order";
  order.schema = schema;
  order.schema_len = sizeof schema;
  CHECK_OK(binlog_writer_type_of(w, &plain, &other, &err), err);
  CHECK_OK(binlog_writer_type_of(w, &order, &type, &err), err);
  CHECK_OK(binlog_writer_type_of(w, &order, &again, &err), err);
  CHECK(type == again && type != other && type >= BINLOG_TYPE_NAMED && type < BINLOG_TYPE_EVENT);

  wrong = order;
  wrong.name = NULL;
  CHECK_FAILS(binlog_writer_type_of(w, &wrong, &none, &err), BINLOG_E_INVALID, err);
  wrong.name = "\xff";
  CHECK_FAILS(binlog_writer_type_of(w, &wrong, &none, &err), BINLOG_E_INVALID, err);
  wrong = order;
  wrong.encoding = NULL;
  CHECK_FAILS(binlog_writer_type_of(w, &wrong, &none, &err), BINLOG_E_INVALID, err);
  wrong = order;
  wrong.schema = NULL;
  CHECK_FAILS(binlog_writer_type_of(w, &wrong, &none, &err), BINLOG_E_INVALID, err);
  wrong.schema = big;
  wrong.schema_len = (1 << 20) + 1;
  CHECK_FAILS(binlog_writer_type_of(w, &wrong, &none, &err), BINLOG_E_TOO_LARGE, err);
  wrong.schema_len = 1 << 20; /* as much as all may have together, of which a part is taken */
  CHECK_FAILS(binlog_writer_type_of(w, &wrong, &none, &err), BINLOG_E_TOO_LARGE, err);
  wrong = order;
  wrong.reserved[1] = 1;
  CHECK_FAILS(binlog_writer_type_of(w, &wrong, &none, &err), BINLOG_E_INVALID, err);
  wrong = order;
  wrong.struct_size = 3;
  CHECK_FAILS(binlog_writer_type_of(w, &wrong, &none, &err), BINLOG_E_INVALID, err);
  CHECK(none == 0);

  CHECK_OK(binlog_writer_append(w, type, "x", 1, NULL, &err), err);
  CHECK_OK(binlog_writer_append(w, 7, "y", 1, NULL, &err), err);
  CHECK_OK(binlog_writer_append(w, other, "z", 1, NULL, &err), err);
  CHECK_OK(binlog_writer_close(w, &err), err);

  CHECK_OK(binlog_reader_open(log, NULL, &r, &err), err);
  CHECK_OK(binlog_cursor_open(r, NULL, &c, &err), err);
  CHECK_OK(binlog_cursor_next(c, &record, &err), err);
  CHECK(record.type == type);
  CHECK_OK(binlog_cursor_type(c, type, &info, &err), err);
  CHECK(info.type == type && info.schema_len == sizeof schema && memcmp(info.schema, schema, sizeof schema) == 0);
  CHECK(strcmp(info.name, "order") == 0 && strcmp(info.content_type, "application/x-protobuf") == 0);
  CHECK(strcmp(info.encoding, "protobuf") == 0 && strcmp(info.message, "shop.Order") == 0);
  for (size_t i = 0; i < sizeof info.schema_sha256; i++) {
    char digits[3];
    snprintf(digits, sizeof digits, "%02x", info.schema_sha256[i]);
    CHECK(memcmp(digits, sum + 2 * i, 2) == 0);
  }
  CHECK_OK(binlog_cursor_type(c, other, &info, &err), err);
  CHECK(strcmp(info.encoding, "json") == 0 && info.schema == NULL && info.message[0] == '\0');
  for (size_t i = 0; i < sizeof info.schema_sha256; i++) CHECK(info.schema_sha256[i] == 0);
  CHECK_FAILS(binlog_cursor_type(c, 7, &info, &err), BINLOG_E_NOT_FOUND, err);
  CHECK_OK(binlog_reader_types(r, on_type, &seen, &err), err);
  CHECK(seen.count == 2 && seen.types[0] == other && seen.types[1] == type);
  CHECK_FAILS(binlog_reader_types(r, NULL, &seen, &err), BINLOG_E_INVALID, err);
  seen.count = 0;
  CHECK_OK(binlog_reader_counts(r, on_count, &seen, &err), err);
  CHECK(seen.count == 2 && seen.types[0] == (type < other ? type : other));
  binlog_cursor_close(c);
  binlog_reader_close(r);
  free(big), free(log);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
