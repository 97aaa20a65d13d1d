/* A writer, except for its appends. */
#include "glue.h"

typedef binlog_status (*plain_call)(binlog_writer *, binlog_error **);

static void plain(JNIEnv *env, jlong writer, plain_call call) {
  binlog_error *err = NULL;
  const binlog_status status = call(HANDLE(binlog_writer, writer), &err);
  if (status < 0) raise_error(env, status, err);
}

NATIVE(jlong, writerOpen)(JNIEnv *env, jclass class, jbyteArray path, jboolean single_file, jobject options) {
  (void)class;
  struct arena arena = {0};
  binlog_writer *writer = NULL;
  const char *where = arena_text(env, &arena, path);
  const binlog_writer_options *how = writer_options_of(env, &arena, options);
  if (!arena.failed) {
    binlog_error *err = NULL;
    callbacks_handed_over(&arena);
    const binlog_status status = single_file ? binlog_writer_open_file(where, how, &writer, &err)
                                             : binlog_writer_open(where, how, &writer, &err);
    if (status < 0) raise_error(env, status, err);
  }
  arena_free(&arena);
  return AS_JLONG(writer);
}

NATIVE(void, writerClose)(JNIEnv *env, jclass class, jlong writer) {
  (void)class;
  plain(env, writer, binlog_writer_close);
}

NATIVE(void, writerFlush)(JNIEnv *env, jclass class, jlong writer) {
  (void)class;
  plain(env, writer, binlog_writer_flush);
}

NATIVE(void, writerSync)(JNIEnv *env, jclass class, jlong writer) {
  (void)class;
  plain(env, writer, binlog_writer_sync);
}

NATIVE(void, writerTick)(JNIEnv *env, jclass class, jlong writer) {
  (void)class;
  plain(env, writer, binlog_writer_tick);
}

NATIVE(void, writerHeartbeat)(JNIEnv *env, jclass class, jlong writer) {
  (void)class;
  plain(env, writer, binlog_writer_heartbeat);
}

NATIVE(void, writerRoll)(JNIEnv *env, jclass class, jlong writer) {
  (void)class;
  plain(env, writer, binlog_writer_roll);
}

NATIVE(void, writerRollBecause)(JNIEnv *env, jclass class, jlong writer, jbyteArray reason) {
  (void)class;
  struct arena arena = {0};
  const char *why = arena_text(env, &arena, reason);
  if (!arena.failed) {
    binlog_error *err = NULL;
    const binlog_status status = binlog_writer_roll_because(HANDLE(binlog_writer, writer), why, &err);
    if (status < 0) raise_error(env, status, err);
  }
  arena_free(&arena);
}

NATIVE(void, writerSetRoll)(JNIEnv *env, jclass class, jlong writer, jobject roll) {
  (void)class;
  struct arena arena = {0};
  const binlog_roll_options *rules = roll_options_of(env, &arena, roll);
  if (!arena.failed) {
    binlog_error *err = NULL;
    callbacks_handed_over(&arena);
    const binlog_status status = binlog_writer_set_roll(HANDLE(binlog_writer, writer), rules, &err);
    if (status < 0) raise_error(env, status, err);
  }
  arena_free(&arena);
}

NATIVE(jint, writerType)(JNIEnv *env, jclass class, jlong writer, jbyteArray name, jbyteArray content_type) {
  (void)class;
  struct arena arena = {0};
  uint32_t type = 0;
  const char *called = arena_text(env, &arena, name);
  const char *content = arena_text(env, &arena, content_type);
  if (!arena.failed) {
    binlog_error *err = NULL;
    const binlog_status status = binlog_writer_type(HANDLE(binlog_writer, writer), called, content, &type, &err);
    if (status < 0) raise_error(env, status, err);
  }
  arena_free(&arena);
  return (jint)type;
}

NATIVE(jint, writerTypeOf)(JNIEnv *env, jclass class, jlong writer, jbyteArray name, jbyteArray content_type,
                           jbyteArray encoding, jbyteArray message, jbyteArray schema) {
  (void)class;
  struct arena arena = {0};
  uint32_t type = 0;
  binlog_type_options options = {.struct_size = sizeof options};
  options.name = arena_text(env, &arena, name);
  options.content_type = arena_text(env, &arena, content_type);
  options.encoding = arena_text(env, &arena, encoding);
  options.message = arena_text(env, &arena, message);
  options.schema = arena_text(env, &arena, schema);
  if (!arena.failed) {
    options.schema_len = (size_t)(*env)->GetArrayLength(env, schema);
    binlog_error *err = NULL;
    const binlog_status status = binlog_writer_type_of(HANDLE(binlog_writer, writer), &options, &type, &err);
    if (status < 0) raise_error(env, status, err);
  }
  arena_free(&arena);
  return (jint)type;
}

NATIVE(void, writerPosition)(JNIEnv *env, jclass class, jlong writer, jlongArray out) {
  (void)class;
  binlog_error *err = NULL;
  binlog_position position;
  const binlog_status status = binlog_writer_position(HANDLE(binlog_writer, writer), &position, &err);
  if (status < 0) {
    raise_error(env, status, err);
    return;
  }
  const jlong ids[] = {(jlong)position.appended_id, (jlong)position.flushed_id, (jlong)position.durable_id};
  (*env)->SetLongArrayRegion(env, out, 0, 3, ids);
}

typedef binlog_status (*counting_call)(const binlog_writer *, uint64_t *, binlog_error **);

static jlong counted(JNIEnv *env, jlong writer, counting_call call) {
  binlog_error *err = NULL;
  uint64_t count = 0;
  const binlog_status status = call(HANDLE(binlog_writer, writer), &count, &err);
  if (status < 0) raise_error(env, status, err);
  return (jlong)count;
}

NATIVE(jlong, writerDropped)(JNIEnv *env, jclass class, jlong writer) {
  (void)class;
  return counted(env, writer, binlog_writer_dropped);
}

NATIVE(jlong, writerFailures)(JNIEnv *env, jclass class, jlong writer) {
  (void)class;
  return counted(env, writer, binlog_writer_failures);
}
