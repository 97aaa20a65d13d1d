/* A DuckDB extension with one table function, over DuckDB's stable C extension API (1.2 and later):
 *
 *   SELECT type_name, count(*) FROM read_binlog('logs', type := 'order.placed', since := '2026-03-01') GROUP BY 1;
 *
 * The log is planned once for each query, and DuckDB's threads take its splits one after the other. Only the columns that
 * the query needs are read; without payload and text no payload is. */
#define DUCKDB_EXTENSION_NAME binlog
#define DUCKDB_EXTENSION_API_VERSION_MAJOR 1
#define DUCKDB_EXTENSION_API_VERSION_MINOR 2
#define DUCKDB_EXTENSION_API_VERSION_PATCH 0
#include <duckdb_extension.h>

#include <binlog.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

DUCKDB_EXTENSION_EXTERN

/* The columns in the order of their bits in binlog_table_options. */
enum { ID, TIME, TYPE, TYPE_NAME, METADATA, LENGTH, PAYLOAD, TEXT, COLUMNS };
static const struct {
  const char *name;
  duckdb_type type;
} columns[COLUMNS] = {
    {"id", DUCKDB_TYPE_UBIGINT},      {"time", DUCKDB_TYPE_TIMESTAMP_NS}, {"type", DUCKDB_TYPE_UINTEGER},
    {"type_name", DUCKDB_TYPE_VARCHAR}, {"metadata", DUCKDB_TYPE_MAP},    {"length", DUCKDB_TYPE_UBIGINT},
    {"payload", DUCKDB_TYPE_BLOB},    {"text", DUCKDB_TYPE_VARCHAR},
};

/* What the call asks for. */
struct request {
  char *path, *type_name;
  uint32_t type;
  bool has_type;
  int64_t since, until;
};

/* A query: its splits, and the columns that it needs. */
struct scan {
  const struct request *request;
  binlog_plan *plan;
  size_t splits;
  atomic_size_t next;
  uint32_t bits;
  idx_t column_count, *wanted; /* column_count of them */
};

/* A thread of a query: the batch of the split that it is reading. */
struct part {
  bool is_open;
  struct ArrowArrayStream stream;
  struct ArrowArray batch;
  int64_t row;
};

/* The message of an error, which is closed; valid until the next call in this thread. */
static const char *message_of(binlog_error *error, binlog_status status) {
  static _Thread_local char message[1024];
  const char *text = error ? binlog_error_message(error) : binlog_status_name(status);
  strncpy(message, text, sizeof message - 1);
  binlog_error_free(error);
  return message;
}

static void free_request(void *data) {
  struct request *request = data;
  duckdb_free(request->path);
  duckdb_free(request->type_name);
  free(request);
}

static void free_scan(void *data) {
  struct scan *scan = data;
  binlog_plan_close(scan->plan);
  free(scan->wanted);
  free(scan);
}

static void end_batch(struct part *part) {
  if (part->batch.release) part->batch.release(&part->batch);
  part->row = 0;
}

static void end_split(struct part *part) {
  end_batch(part);
  if (part->is_open) part->stream.release(&part->stream);
  part->is_open = false;
}

static void free_part(void *data) {
  end_split(data);
  free(data);
}

static binlog_filter filter_of(const struct request *request) {
  binlog_filter filter;
  binlog_filter_init(&filter, sizeof filter);
  filter.from_time_ns = request->since;
  filter.to_time_ns = request->until;
  if (request->type_name) {
    filter.type_names = (const char *const *)&request->type_name;
    filter.type_name_count = 1;
  } else if (request->has_type) {
    filter.types = &request->type;
    filter.type_count = 1;
  }
  return filter;
}

/* A number, or else a name, as the binlog command takes it. */
static void take_type(struct request *request, char *text) {
  char *end;
  unsigned long number = strtoul(text, &end, 10);
  if (*text >= '0' && *text <= '9' && *end == 0 && number <= UINT32_MAX) {
    request->type = (uint32_t)number;
    request->has_type = true;
    duckdb_free(text);
  } else {
    request->type_name = text;
  }
}

static int64_t take_time(duckdb_bind_info info, const char *name) {
  duckdb_value value = duckdb_bind_get_named_parameter(info, name);
  int64_t time = value && !duckdb_is_null_value(value) ? duckdb_get_timestamp_ns(value).nanos : 0;
  duckdb_destroy_value(&value);
  return time;
}

static duckdb_logical_type type_of(int column) {
  if (columns[column].type != DUCKDB_TYPE_MAP) return duckdb_create_logical_type(columns[column].type);
  duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
  duckdb_logical_type map = duckdb_create_map_type(text, text);
  duckdb_destroy_logical_type(&text);
  return map;
}

static void bind(duckdb_bind_info info) {
  struct request *request = calloc(1, sizeof *request);
  if (!request) {
    duckdb_bind_set_error(info, "no memory");
    return;
  }
  duckdb_bind_set_bind_data(info, request, free_request);
  duckdb_value path = duckdb_bind_get_parameter(info, 0);
  request->path = duckdb_get_varchar(path);
  duckdb_destroy_value(&path);
  duckdb_value type = duckdb_bind_get_named_parameter(info, "type");
  if (type && !duckdb_is_null_value(type)) take_type(request, duckdb_get_varchar(type));
  duckdb_destroy_value(&type);
  request->since = take_time(info, "since");
  request->until = take_time(info, "until");
  for (int i = 0; i < COLUMNS; i++) {
    duckdb_logical_type column = type_of(i);
    duckdb_bind_add_result_column(info, columns[i].name, column);
    duckdb_destroy_logical_type(&column);
  }
  /* A log that is not there is an error of the statement, before it runs. */
  binlog_reader *reader = NULL;
  binlog_error *error = NULL;
  binlog_status status = binlog_reader_open(request->path, NULL, &reader, &error);
  if (status < 0) duckdb_bind_set_error(info, message_of(error, status));
  binlog_reader_close(reader);
}

static void begin_scan(duckdb_init_info info) {
  struct scan *scan = calloc(1, sizeof *scan);
  if (!scan) {
    duckdb_init_set_error(info, "no memory");
    return;
  }
  duckdb_init_set_init_data(info, scan, free_scan);
  scan->request = duckdb_init_get_bind_data(info);
  scan->column_count = duckdb_init_get_column_count(info);
  scan->wanted = calloc(scan->column_count + 1, sizeof *scan->wanted);
  if (!scan->wanted) {
    duckdb_init_set_error(info, "no memory");
    return;
  }
  for (idx_t i = 0; i < scan->column_count; i++) {
    /* Where only rows are counted, DuckDB asks for a column that is none of ours. */
    scan->wanted[i] = duckdb_init_get_column_index(info, i);
    if (scan->wanted[i] < COLUMNS) scan->bits |= 1u << scan->wanted[i];
  }
  if (!scan->bits) scan->bits = BINLOG_COLUMN_ID; /* none would be all */

  binlog_reader *reader = NULL;
  binlog_error *error = NULL;
  binlog_filter filter = filter_of(scan->request);
  binlog_status status = binlog_reader_open(scan->request->path, NULL, &reader, &error);
  if (status >= 0) status = binlog_reader_plan(reader, &filter, NULL, &scan->plan, &error);
  if (status >= 0) status = binlog_plan_count(scan->plan, &scan->splits, &error);
  binlog_reader_close(reader);
  if (status < 0) {
    duckdb_init_set_error(info, message_of(error, status));
    return;
  }
  duckdb_init_set_max_threads(info, scan->splits ? scan->splits : 1);
}

static void begin_part(duckdb_init_info info) {
  struct part *part = calloc(1, sizeof *part);
  if (part) duckdb_init_set_init_data(info, part, free_part);
  else duckdb_init_set_error(info, "no memory");
}

/* Opens the next split that no thread has taken; false when there is none, or with *error. */
static bool next_split(struct scan *scan, struct part *part, const char **error) {
  size_t at = atomic_fetch_add(&scan->next, 1);
  if (at >= scan->splits) return false;
  binlog_split split;
  binlog_reader *reader = NULL;
  binlog_error *failed = NULL;
  binlog_filter filter = filter_of(scan->request);
  binlog_table_options options;
  binlog_table_options_init(&options, sizeof options);
  options.columns = scan->bits;
  binlog_status status = binlog_plan_split(scan->plan, at, &split, &failed);
  if (status >= 0) status = binlog_split_open(split.token, NULL, &reader, &failed);
  if (status >= 0) status = binlog_reader_table(reader, &filter, &options, &part->stream, &failed);
  binlog_reader_close(reader);
  if (status < 0) {
    *error = message_of(failed, status);
    return false;
  }
  return part->is_open = true;
}

/* The next batch of the splits; false at the end of all, or with *error. */
static bool next_batch(struct scan *scan, struct part *part, const char **error) {
  for (;;) {
    end_batch(part);
    if (!part->is_open && !next_split(scan, part, error)) return false;
    if (part->stream.get_next(&part->stream, &part->batch) != 0) {
      *error = part->stream.get_last_error(&part->stream);
      return false;
    }
    if (part->batch.release) return true;
    end_split(part);
  }
}

static bool is_missing(const struct ArrowArray *array, int64_t row) {
  const uint8_t *bits = array->buffers[0];
  return bits && !(bits[row / 8] >> row % 8 & 1);
}

static void put_text(duckdb_vector vector, idx_t at, const struct ArrowArray *texts, int64_t row) {
  const int32_t *offsets = texts->buffers[1];
  const char *bytes = texts->buffers[2];
  size_t len = (size_t)(offsets[row + 1] - offsets[row]);
  duckdb_vector_assign_string_element_len(vector, at, len ? bytes + offsets[row] : "", len);
}

static void put_missing(duckdb_vector vector, idx_t at) {
  duckdb_vector_ensure_validity_writable(vector);
  duckdb_validity_set_row_invalid(duckdb_vector_get_validity(vector), at);
}

static void put_maps(duckdb_vector vector, const struct ArrowArray *maps, int64_t from, idx_t rows) {
  const int32_t *offsets = maps->buffers[1];
  const struct ArrowArray *pairs = maps->children[0];
  idx_t count = (idx_t)(offsets[from + (int64_t)rows] - offsets[from]);
  duckdb_list_entry *entries = duckdb_vector_get_data(vector);
  for (idx_t i = 0; i < rows; i++) {
    int32_t first = offsets[from + (int64_t)i];
    entries[i].offset = (uint64_t)(first - offsets[from]);
    entries[i].length = (uint64_t)(offsets[from + (int64_t)i + 1] - first);
  }
  duckdb_list_vector_reserve(vector, count);
  duckdb_list_vector_set_size(vector, count);
  duckdb_vector child = duckdb_list_vector_get_child(vector);
  for (int side = 0; side < 2; side++) {
    duckdb_vector texts = duckdb_struct_vector_get_child(child, (idx_t)side);
    for (idx_t i = 0; i < count; i++) put_text(texts, i, pairs->children[side], offsets[from] + (int64_t)i);
  }
}

static void put_column(duckdb_vector vector, int column, const struct ArrowArray *array, int64_t from, idx_t rows) {
  switch (column) {
    case ID:
    case TIME:
    case LENGTH:
      memcpy(duckdb_vector_get_data(vector), (const uint64_t *)array->buffers[1] + from, rows * sizeof(uint64_t));
      break;
    case TYPE:
      memcpy(duckdb_vector_get_data(vector), (const uint32_t *)array->buffers[1] + from, rows * sizeof(uint32_t));
      break;
    case METADATA:
      put_maps(vector, array, from, rows);
      break;
    default:
      for (idx_t i = 0; i < rows; i++) {
        int64_t row = from + (int64_t)i;
        if (is_missing(array, row)) put_missing(vector, i);
        else if (column == TYPE_NAME) put_text(vector, i, array->dictionary, ((const int32_t *)array->buffers[1])[row]);
        else put_text(vector, i, array, row);
      }
  }
}

static void read_rows(duckdb_function_info info, duckdb_data_chunk output) {
  struct scan *scan = duckdb_function_get_init_data(info);
  struct part *part = duckdb_function_get_local_init_data(info);
  const char *error = NULL;
  if ((!part->batch.release || part->row == part->batch.length) && !next_batch(scan, part, &error)) {
    if (error) duckdb_function_set_error(info, error);
    duckdb_data_chunk_set_size(output, 0);
    return;
  }
  idx_t rows = duckdb_vector_size(), left = (idx_t)(part->batch.length - part->row);
  if (rows > left) rows = left;
  for (idx_t i = 0; i < scan->column_count; i++) {
    if (scan->wanted[i] >= COLUMNS) continue;
    int column = (int)scan->wanted[i];
    /* A batch has the wanted columns alone, in the order of their bits. */
    int at = __builtin_popcount(scan->bits & ((1u << column) - 1));
    put_column(duckdb_data_chunk_get_vector(output, i), column, part->batch.children[at], part->row, rows);
  }
  part->row += (int64_t)rows;
  duckdb_data_chunk_set_size(output, rows);
}

DUCKDB_EXTENSION_ENTRYPOINT(duckdb_connection connection, duckdb_extension_info info,
                            struct duckdb_extension_access *access) {
  duckdb_table_function function = duckdb_create_table_function();
  duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
  duckdb_logical_type time = duckdb_create_logical_type(DUCKDB_TYPE_TIMESTAMP_NS);
  duckdb_table_function_set_name(function, "read_binlog");
  duckdb_table_function_add_parameter(function, text);
  duckdb_table_function_add_named_parameter(function, "type", text);
  duckdb_table_function_add_named_parameter(function, "since", time);
  duckdb_table_function_add_named_parameter(function, "until", time);
  duckdb_table_function_set_bind(function, bind);
  duckdb_table_function_set_init(function, begin_scan);
  duckdb_table_function_set_local_init(function, begin_part);
  duckdb_table_function_set_function(function, read_rows);
  duckdb_table_function_supports_projection_pushdown(function, true);
  duckdb_state state = duckdb_register_table_function(connection, function);
  if (state != DuckDBSuccess) access->set_error(info, "read_binlog could not be registered");
  duckdb_destroy_logical_type(&time);
  duckdb_destroy_logical_type(&text);
  duckdb_destroy_table_function(&function);
  return state == DuckDBSuccess;
}
