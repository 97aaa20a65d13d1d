/* A reader: the headers of a log's segments, and the number of records of each type. */
#include "glue.h"

NATIVE(jlong, readerOpen)(JNIEnv *env, jclass class, jbyteArray path, jobject options) {
  (void)class;
  struct arena arena = {0};
  binlog_reader *reader = NULL;
  const char *where = arena_text(env, &arena, path);
  const binlog_reader_options *how = reader_options_of(env, &arena, options);
  if (!arena.failed) {
    binlog_error *err = NULL;
    callbacks_handed_over(&arena);
    const binlog_status status = binlog_reader_open(where, how, &reader, &err);
    if (status < 0) raise_error(env, status, err);
  }
  arena_free(&arena);
  return AS_JLONG(reader);
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
