/* An appender, whose records Java stages by itself; append.c has the calls for what it does not stage. */
#include "glue.h"

NATIVE(jlong, appenderOpen)(JNIEnv *env, jclass class, jlong writer, jlong hand_over_bytes, jobject area, jint size) {
  (void)class;
  binlog_appender_options options;
  if (binlog_appender_options_init(&options, sizeof options) != BINLOG_OK) return 0;
  options.hand_over_bytes = (uint64_t)hand_over_bytes;
  binlog_appender *appender = NULL;
  binlog_error *err = NULL;
  const binlog_status status = binlog_appender_open_area(HANDLE(binlog_writer, writer), &options,
      (*env)->GetDirectBufferAddress(env, area), (size_t)size, &appender, &err);
  if (status < 0) raise_error(env, status, err);
  return AS_JLONG(appender);
}

NATIVE(jboolean, appenderPacked)(JNIEnv *env, jclass class, jlong appender, jobject buffer, jint len) {
  (void)class;
  binlog_error *err = NULL;
  const void *frames = (*env)->GetDirectBufferAddress(env, buffer);
  const binlog_status status =
      binlog_appender_append_packed(HANDLE(binlog_appender, appender), frames, (size_t)len, &err);
  if (status < 0) raise_error(env, status, err);
  return status == BINLOG_OK;
}

NATIVE(void, appenderSettle)(JNIEnv *env, jclass class, jlong appender) {
  (void)class;
  binlog_error *err = NULL;
  const binlog_status status = binlog_appender_settle(HANDLE(binlog_appender, appender), &err);
  if (status < 0) raise_error(env, status, err);
}

NATIVE(jlong, appenderFlush)(JNIEnv *env, jclass class, jlong appender) {
  (void)class;
  binlog_error *err = NULL;
  uint64_t last_id = 0;
  const binlog_status status = binlog_appender_flush(HANDLE(binlog_appender, appender), &last_id, &err);
  if (status < 0) raise_error(env, status, err);
  return (jlong)last_id;
}

NATIVE(void, appenderClose)(JNIEnv *env, jclass class, jlong appender) {
  (void)class;
  binlog_error *err = NULL;
  const binlog_status status = binlog_appender_close(HANDLE(binlog_appender, appender), NULL, &err);
  if (status < 0) raise_error(env, status, err);
}
