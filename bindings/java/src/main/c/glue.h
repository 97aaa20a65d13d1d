/* Shared by the files of the glue. The glue passes arguments from Java to binlog.h and returns results; it decides
 * nothing. Each function Java_io_binlog_Native_* is documented at its declaration in Java, in Native.java.
 *
 * No function here enters a critical section of the JVM (GetPrimitiveArrayCritical): an append can wait for a disk,
 * and the garbage collector would wait with it. Bytes of the heap are copied. */
#ifndef BINLOG_JNI_GLUE_H
#define BINLOG_JNI_GLUE_H

#include <binlog.h>
#include <jni.h>
#include <stddef.h>
#include <stdint.h>

/* A native method of io.binlog.Native. */
#define NATIVE(result, name) JNIEXPORT result JNICALL Java_io_binlog_Native_##name

/* A handle in Java's representation. */
#define HANDLE(type, value) ((type *)(intptr_t)(value))
#define AS_JLONG(pointer) ((jlong)(intptr_t)(pointer))

/* ---- load.c: the JVM and what is called in it ---- */

/* The class io.binlog.Upcalls and its static methods; set once, when the library is loaded. */
struct upcalls {
  jclass class;
  jmethodID exception, hook, check, failure, loss, pruned, type_count, type_info, segment, split, tail;
  jmethodID columns, add_column, column;
  jmethodID compressed, progress, ship_event, ship_problem, ship_status;
};
extern struct upcalls upcalls;

/* The environment of this thread. A thread of the library is attached to the JVM, as a daemon, until it ends; NULL
 * when the JVM takes no more threads, because it is ending. */
JNIEnv *attached_env(void);

/* ---- errors.c ---- */

/* The contents of `err` as a BinlogException that is not thrown; NULL with an exception pending. Does not free it. */
jthrowable exception_of(JNIEnv *env, const binlog_error *err);

/* Throws `err` as a BinlogException, and frees it. With a NULL it throws one with the status only. */
void raise_error(JNIEnv *env, binlog_status status, binlog_error *err);

/* Throws a BinlogException of one line, where there is no error object; os_code may be 0. */
void raise_line(JNIEnv *env, binlog_status status, const char *what, int os_code);

/* Throws a BinlogException about something that is too long for the JVM. */
void raise_too_large(JNIEnv *env, const char *what);

/* Throws the exception for missing memory outside of the heap. */
void raise_no_memory(JNIEnv *env);

/* A byte[] of the text, without its NUL; NULL for a NULL, and with an exception pending when there is no memory. */
jbyteArray bytes_of(JNIEnv *env, const char *text);

/* ---- memory.c: what lives until the end of one call ---- */

struct callback;

/* Begin with {0}. After `failed`, an exception is pending. */
struct arena {
  struct chunk *chunks;
  struct callback *callbacks; /* made, and not yet the library's */
  int failed;
};

void *arena_take(JNIEnv *env, struct arena *arena, size_t size); /* zeros, or NULL */
void arena_free(struct arena *arena);

/* A copy of a byte[] that Java has terminated with a NUL; NULL for a null. */
const char *arena_text(JNIEnv *env, struct arena *arena, jbyteArray bytes);
/* Copies of the texts in a byte[][], and their number. */
const char *const *arena_texts(JNIEnv *env, struct arena *arena, jobjectArray texts, size_t *count);

/* Fields of a Java object, by name. */
jint int_field(JNIEnv *env, struct arena *arena, jobject object, const char *name);
jlong long_field(JNIEnv *env, struct arena *arena, jobject object, const char *name);
jobject object_field(JNIEnv *env, struct arena *arena, jobject object, const char *name, const char *signature);
const char *text_field(JNIEnv *env, struct arena *arena, jobject object, const char *name);
const char *const *texts_field(JNIEnv *env, struct arena *arena, jobject object, const char *name, size_t *count);

/* ---- callbacks.c ---- */

/* A Java object that the library calls, as userdata; the arena owns it until callbacks_handed_over. */
struct callback *callback_new(JNIEnv *env, struct arena *arena, jobject target);
/* To be called right before the call that takes the callbacks: from then on the library drops each of them. */
void callbacks_handed_over(struct arena *arena);
void callbacks_forget(struct callback *first);
/* For callbacks that live only as long as a call of Java does: nothing is created, nothing is dropped. */
struct borrowed_callback {
  JNIEnv *env;
  jobject target;
};

void callback_drop(void *userdata);
binlog_status on_hook(void *userdata, const binlog_segment_file *segment, binlog_hook_result *result);
int32_t on_roll_check(void *userdata, const binlog_segment_state *state);
void on_failure(void *userdata, const binlog_error *error);
void on_loss(void *userdata, const binlog_loss *loss);
/* Of a borrowed_callback. */
void on_borrowed_loss(void *userdata, const binlog_loss *loss);
void on_pruned(void *userdata, const binlog_pruned *pruned);
void on_type_count(void *userdata, const binlog_type_count *counted);
void on_type_info(void *userdata, const binlog_type_info *info);
/* The facts as a TypeInfo, which is also added to the list, unless that is NULL; NULL with an exception pending. */
jobject type_info(JNIEnv *env, jobject list, const binlog_type_info *info);
void on_compressed(void *userdata, const binlog_compressed *compressed);
int32_t on_progress(void *userdata, const binlog_progress *progress);

/* For a shipper's callbacks, two of which get the same userdata. */
struct borrowed_shipping {
  JNIEnv *env;
  jobject listener; /* of events */
  jobject problems; /* a list, for a call that verifies */
};

int32_t on_ship_event(void *userdata, const binlog_ship_event *event);
void on_ship_problem(void *userdata, const binlog_ship_problem *problem);

/* ---- options.c: the Java objects of NativeOptions.java as the structs of binlog.h; NULL for a null ---- */

const binlog_roll_options *roll_options_of(JNIEnv *env, struct arena *arena, jobject from);
const binlog_retention *retention_of(JNIEnv *env, struct arena *arena, jobject from);
const binlog_required *required_of(JNIEnv *env, struct arena *arena, jobject from);
const binlog_writer_options *writer_options_of(JNIEnv *env, struct arena *arena, jobject from);
const binlog_reader_options *reader_options_of(JNIEnv *env, struct arena *arena, jobject from);
const binlog_filter *filter_of(JNIEnv *env, struct arena *arena, jobject from);
const binlog_plan_options *plan_options_of(JNIEnv *env, struct arena *arena, jobject from);
const binlog_table_options *table_options_of(JNIEnv *env, struct arena *arena, jobject from);
/* Without a callback, which the caller may add. */
binlog_compress_options *compress_options_of(JNIEnv *env, struct arena *arena, jobject from);
const binlog_ship_options *ship_options_of(JNIEnv *env, struct arena *arena, jobject from);

#endif
