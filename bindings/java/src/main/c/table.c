/* Tables: the columns of a log in Arrow's C data interface. Java gets the addresses of their buffers as numbers. */
#include "glue.h"

#include <errno.h>
#include <stdlib.h>

NATIVE(jlong, tableOpen)(JNIEnv *env, jclass class, jlong reader, jobject filter, jobject options) {
  (void)class;
  struct arena arena = {0};
  struct ArrowArrayStream *stream = NULL;
  const binlog_filter *wanted = filter_of(env, &arena, filter);
  const binlog_table_options *how = table_options_of(env, &arena, options);
  if (!arena.failed) {
    stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
      raise_no_memory(env);
    } else {
      binlog_error *err = NULL;
      const binlog_status status =
          binlog_reader_table(HANDLE(binlog_reader, reader), wanted, how, stream, &err);
      if (status < 0) {
        raise_error(env, status, err);
        free(stream);
        stream = NULL;
      }
    }
  }
  arena_free(&arena);
  return AS_JLONG(stream);
}

NATIVE(void, tableClose)(JNIEnv *env, jclass class, jlong table) {
  (void)env, (void)class;
  struct ArrowArrayStream *stream = HANDLE(struct ArrowArrayStream, table);
  stream->release(stream);
  free(stream);
}

/* The status that an errno of the stream stands for; see binlog_reader_table. */
static binlog_status status_of(int code) {
  switch (code) {
    case EBADMSG: return BINLOG_E_CORRUPT;
    case ESTALE: return BINLOG_E_MISSED;
    case ENOMEM: return BINLOG_E_NO_MEMORY;
    case EOVERFLOW: return BINLOG_E_TOO_LARGE;
    case ENOTSUP: return BINLOG_E_UNSUPPORTED;
    default: return BINLOG_E_IO;
  }
}

static void raise_last(JNIEnv *env, struct ArrowArrayStream *stream, int code) {
  const char *line = stream->get_last_error(stream);
  const binlog_status status = status_of(code);
  raise_line(env, status, line != NULL ? line : binlog_status_name(status), status == BINLOG_E_IO ? code : 0);
}

/* A column and what belongs to it, as TableColumn; NULL with an exception pending. */
static jobject column_of(JNIEnv *env, const struct ArrowSchema *schema) {
  if ((*env)->PushLocalFrame(env, 8) != 0) return NULL;
  jobject children = (*env)->CallStaticObjectMethod(env, upcalls.class, upcalls.columns);
  for (int64_t i = 0; !(*env)->ExceptionCheck(env) && i < schema->n_children; i++) {
    jobject child = column_of(env, schema->children[i]);
    if (child == NULL) break;
    (*env)->CallStaticVoidMethod(env, upcalls.class, upcalls.add_column, children, child);
    (*env)->DeleteLocalRef(env, child);
  }
  jobject dictionary = NULL;
  if (!(*env)->ExceptionCheck(env) && schema->dictionary != NULL) dictionary = column_of(env, schema->dictionary);
  jobject made = NULL;
  if (!(*env)->ExceptionCheck(env)) {
    jbyteArray name = bytes_of(env, schema->name != NULL ? schema->name : "");
    jbyteArray format = name == NULL ? NULL : bytes_of(env, schema->format);
    if (format != NULL)
      made = (*env)->CallStaticObjectMethod(env, upcalls.class, upcalls.column, name, format, children, dictionary);
  }
  return (*env)->PopLocalFrame(env, (*env)->ExceptionCheck(env) ? NULL : made);
}

NATIVE(jobject, tableColumns)(JNIEnv *env, jclass class, jlong table) {
  (void)class;
  struct ArrowArrayStream *stream = HANDLE(struct ArrowArrayStream, table);
  struct ArrowSchema schema;
  const int code = stream->get_schema(stream, &schema);
  if (code != 0) {
    raise_last(env, stream, code);
    return NULL;
  }
  jobject columns = column_of(env, &schema);
  schema.release(&schema);
  return columns;
}

/* Length, nulls, offset and buffers of an array, then those of its children and of its dictionary. */
static size_t numbers_in(const struct ArrowArray *array) {
  size_t count = 4 + (size_t)array->n_buffers;
  for (int64_t i = 0; i < array->n_children; i++) count += numbers_in(array->children[i]);
  if (array->dictionary != NULL) count += numbers_in(array->dictionary);
  return count;
}

static jlong *put_numbers(jlong *to, const struct ArrowArray *array) {
  *to++ = array->length;
  *to++ = array->null_count;
  *to++ = array->offset;
  *to++ = array->n_buffers;
  for (int64_t i = 0; i < array->n_buffers; i++) *to++ = AS_JLONG(array->buffers[i]);
  for (int64_t i = 0; i < array->n_children; i++) to = put_numbers(to, array->children[i]);
  if (array->dictionary != NULL) to = put_numbers(to, array->dictionary);
  return to;
}

/* The address of the batch, and its numbers; NULL with an exception pending. */
static jlongArray layout_of(JNIEnv *env, struct ArrowArray *batch) {
  const size_t count = 1 + numbers_in(batch);
  jlong *numbers = malloc(count * sizeof *numbers);
  if (numbers == NULL) {
    raise_no_memory(env);
    return NULL;
  }
  numbers[0] = AS_JLONG(batch);
  put_numbers(numbers + 1, batch);
  jlongArray layout = (*env)->NewLongArray(env, (jsize)count);
  if (layout != NULL) (*env)->SetLongArrayRegion(env, layout, 0, (jsize)count, numbers);
  free(numbers);
  return layout;
}

static void release(struct ArrowArray *batch) {
  if (batch->release != NULL) batch->release(batch);
  free(batch);
}

NATIVE(jlongArray, tableNext)(JNIEnv *env, jclass class, jlong table) {
  (void)class;
  struct ArrowArrayStream *stream = HANDLE(struct ArrowArrayStream, table);
  struct ArrowArray *batch = calloc(1, sizeof *batch);
  if (batch == NULL) {
    raise_no_memory(env);
    return NULL;
  }
  const int code = stream->get_next(stream, batch);
  jlongArray layout = NULL;
  if (code != 0) {
    batch->release = NULL;
    raise_last(env, stream, code);
  } else if (batch->release != NULL) {
    layout = layout_of(env, batch);
  }
  if (layout == NULL) release(batch);
  return layout;
}

NATIVE(void, batchRelease)(JNIEnv *env, jclass class, jlong batch) {
  (void)env, (void)class;
  release(HANDLE(struct ArrowArray, batch));
}

NATIVE(jobject, bufferAt)(JNIEnv *env, jclass class, jlong address, jlong length) {
  (void)class;
  return (*env)->NewDirectByteBuffer(env, HANDLE(void, address), length);
}
