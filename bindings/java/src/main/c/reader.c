/* A reader: the headers of a log's segments, the number of records of each type, and the splits of a plan. */
#include "glue.h"

typedef binlog_status open_function(const char *, const binlog_reader_options *, binlog_reader **, binlog_error **);

/* By a path, or by the token of a split. */
static jlong open_by(JNIEnv *env, open_function *open, jbyteArray place, jobject options) {
  struct arena arena = {0};
  binlog_reader *reader = NULL;
  const char *where = arena_text(env, &arena, place);
  const binlog_reader_options *how = reader_options_of(env, &arena, options);
  if (!arena.failed) {
    binlog_error *err = NULL;
    callbacks_handed_over(&arena);
    const binlog_status status = open(where, how, &reader, &err);
    if (status < 0) raise_error(env, status, err);
  }
  arena_free(&arena);
  return AS_JLONG(reader);
}

NATIVE(jlong, readerOpen)(JNIEnv *env, jclass class, jbyteArray path, jobject options) {
  (void)class;
  return open_by(env, binlog_reader_open, path, options);
}

NATIVE(jlong, splitOpen)(JNIEnv *env, jclass class, jbyteArray token, jobject options) {
  (void)class;
  return open_by(env, binlog_split_open, token, options);
}

NATIVE(void, readerClose)(JNIEnv *env, jclass class, jlong reader) {
  (void)env, (void)class;
  binlog_reader_close(HANDLE(binlog_reader, reader));
}

static jobjectArray texts_of(JNIEnv *env, const char *const *texts, size_t n) {
  jclass bytes_class = (*env)->FindClass(env, "[B");
  if (bytes_class == NULL) return NULL;
  jobjectArray array = (*env)->NewObjectArray(env, (jsize)n, bytes_class, NULL);
  for (size_t i = 0; array != NULL && i < n; i++) {
    jbyteArray bytes = bytes_of(env, texts[i]);
    if (bytes == NULL) return NULL;
    (*env)->SetObjectArrayElement(env, array, (jsize)i, bytes);
    (*env)->DeleteLocalRef(env, bytes);
  }
  return array;
}

static void add_segment(JNIEnv *env, jobject list, const binlog_segment *segment) {
  jbyteArray path = bytes_of(env, segment->path);
  jbyteArray name = path == NULL ? NULL : bytes_of(env, segment->name);
  jbyteArray content_type = name == NULL ? NULL : bytes_of(env, segment->content_type);
  jobjectArray parameters =
      content_type == NULL ? NULL : texts_of(env, segment->parameters, 2 * segment->parameter_count);
  if (parameters == NULL) return;
  (*env)->CallStaticVoidMethod(env, upcalls.class, upcalls.segment, list, (jlong)segment->sequence,
                               (jlong)segment->first_id, (jlong)segment->created_ns, (jlong)segment->bytes, path, name,
                               content_type, parameters);
}

NATIVE(void, readerSegments)(JNIEnv *env, jclass class, jlong reader, jobject list) {
  (void)class;
  binlog_error *err = NULL;
  size_t count = 0;
  binlog_status status = binlog_reader_segment_count(HANDLE(binlog_reader, reader), &count, &err);
  for (size_t i = 0; status == BINLOG_OK && i < count; i++) {
    binlog_segment segment;
    status = binlog_reader_segment(HANDLE(binlog_reader, reader), i, &segment, &err);
    if (status != BINLOG_OK) break;
    if ((*env)->PushLocalFrame(env, 16) != 0) return;
    add_segment(env, list, &segment);
    (*env)->PopLocalFrame(env, NULL);
    if ((*env)->ExceptionCheck(env)) return;
  }
  if (status < 0) raise_error(env, status, err);
}

NATIVE(void, readerCounts)(JNIEnv *env, jclass class, jlong reader, jobject list) {
  (void)class;
  binlog_error *err = NULL;
  struct borrowed_callback callback = {env, list};
  const binlog_status status = binlog_reader_counts(HANDLE(binlog_reader, reader), on_type_count, &callback, &err);
  if (status < 0) raise_error(env, status, err);
}

NATIVE(void, readerTypes)(JNIEnv *env, jclass class, jlong reader, jobject list) {
  (void)class;
  binlog_error *err = NULL;
  struct borrowed_callback callback = {env, list};
  const binlog_status status = binlog_reader_types(HANDLE(binlog_reader, reader), on_type_info, &callback, &err);
  if (status < 0) raise_error(env, status, err);
}

static void add_split(JNIEnv *env, jobject list, const binlog_split *split) {
  jbyteArray token = bytes_of(env, split->token);
  jbyteArray location = token == NULL ? NULL : bytes_of(env, split->location);
  if (location == NULL) return;
  (*env)->CallStaticVoidMethod(env, upcalls.class, upcalls.split, list, token, location, (jlong)split->first_id,
                               (jlong)split->last_id, (jlong)split->records, (jlong)split->bytes,
                               (jlong)split->first_time_ns, (jlong)split->last_time_ns);
}

/* Adds the splits of the plan, until an exception is pending. */
static binlog_status add_splits(JNIEnv *env, jobject list, const binlog_plan *plan, binlog_error **err) {
  size_t count = 0;
  binlog_status status = binlog_plan_count(plan, &count, err);
  for (size_t i = 0; status == BINLOG_OK && i < count; i++) {
    binlog_split split;
    status = binlog_plan_split(plan, i, &split, err);
    if (status != BINLOG_OK || (*env)->PushLocalFrame(env, 4) != 0) break;
    add_split(env, list, &split);
    (*env)->PopLocalFrame(env, NULL);
    if ((*env)->ExceptionCheck(env)) break;
  }
  return status;
}

NATIVE(void, readerPlan)(JNIEnv *env, jclass class, jlong reader, jobject filter, jobject options, jobject list) {
  (void)class;
  struct arena arena = {0};
  const binlog_filter *wanted = filter_of(env, &arena, filter);
  const binlog_plan_options *how = plan_options_of(env, &arena, options);
  if (!arena.failed) {
    binlog_error *err = NULL;
    binlog_plan *plan = NULL;
    binlog_status status = binlog_reader_plan(HANDLE(binlog_reader, reader), wanted, how, &plan, &err);
    if (status == BINLOG_OK) status = add_splits(env, list, plan, &err);
    binlog_plan_close(plan);
    if (status < 0) raise_error(env, status, err);
  }
  arena_free(&arena);
}
