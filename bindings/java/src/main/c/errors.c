/* Errors of the library as exceptions. */
#include "glue.h"

#include <string.h>

jbyteArray bytes_of(JNIEnv *env, const char *text) {
  if (text == NULL) return NULL;
  const jsize len = (jsize)strlen(text);
  jbyteArray bytes = (*env)->NewByteArray(env, len);
  if (bytes != NULL) (*env)->SetByteArrayRegion(env, bytes, 0, len, (const jbyte *)text);
  return bytes;
}

jthrowable exception_of(JNIEnv *env, const binlog_error *err) {
  uint64_t first = 0, last = 0;
  (void)binlog_error_missed(err, &first, &last);
  jbyteArray message = bytes_of(env, binlog_error_message(err));
  jbyteArray path = message != NULL ? bytes_of(env, binlog_error_path(err)) : NULL;
  if (path == NULL) return NULL;
  jthrowable made = (*env)->CallStaticObjectMethod(
      env, upcalls.class, upcalls.exception, (jint)binlog_error_status(err), message, path,
      (jlong)binlog_error_offset(err), (jint)binlog_error_os_code(err), (jlong)binlog_error_record_id(err),
      (jlong)first, (jlong)last);
  return (*env)->ExceptionCheck(env) ? NULL : made;
}

void raise_line(JNIEnv *env, binlog_status status, const char *what, int os_code) {
  jbyteArray message = bytes_of(env, what);
  jbyteArray path = message != NULL ? bytes_of(env, "") : NULL;
  if (path == NULL) return;
  jthrowable made = (*env)->CallStaticObjectMethod(env, upcalls.class, upcalls.exception, (jint)status, message, path,
                                                   (jlong)-1, (jint)os_code, (jlong)0, (jlong)0, (jlong)0);
  if (!(*env)->ExceptionCheck(env)) (*env)->Throw(env, made);
}

void raise_error(JNIEnv *env, binlog_status status, binlog_error *err) {
  if (err == NULL) {
    raise_line(env, status, binlog_status_name(status), 0);
    return;
  }
  jthrowable made = exception_of(env, err);
  if (made != NULL) (*env)->Throw(env, made);
  binlog_error_free(err);
}

void raise_too_large(JNIEnv *env, const char *what) { raise_line(env, BINLOG_E_TOO_LARGE, what, 0); }

void raise_no_memory(JNIEnv *env) { raise_line(env, BINLOG_E_NO_MEMORY, "no memory outside of the heap", 0); }
