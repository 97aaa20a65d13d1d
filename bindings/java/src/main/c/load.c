/* The library and the JVM that has loaded it. */
#include "glue.h"

#include <pthread.h>

struct upcalls upcalls;

static JavaVM *vm;
/* Its value is set in the threads that were attached here: its destructor detaches them when they end. */
static pthread_key_t attached;

static void detach(void *unused) {
  (void)unused;
  (*vm)->DetachCurrentThread(vm);
}

JNIEnv *attached_env(void) {
  JNIEnv *env = NULL;
  if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_1_8) == JNI_OK) return env;
  JavaVMAttachArgs args = {JNI_VERSION_1_8, (char *)"binlog", NULL};
  if ((*vm)->AttachCurrentThreadAsDaemon(vm, (void **)&env, &args) != JNI_OK) return NULL;
  /* Without it the thread would stay attached for ever: do not call back at all. */
  if (pthread_setspecific(attached, &attached) != 0) {
    (*vm)->DetachCurrentThread(vm);
    return NULL;
  }
  return env;
}

static jmethodID method(JNIEnv *env, const char *name, const char *signature) {
  if ((*env)->ExceptionCheck(env)) return NULL;
  return (*env)->GetStaticMethodID(env, upcalls.class, name, signature);
}

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *loading, void *reserved) {
  (void)reserved;
  vm = loading;
  JNIEnv *env = NULL;
  if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_1_8) != JNI_OK) return JNI_ERR;
  jclass found = (*env)->FindClass(env, "io/binlog/Upcalls");
  if (found == NULL) return JNI_ERR;
  /* Weak, because a class loader that is no longer used has to be collected. During a callback an object or a frame
     of this loader exists. */
  upcalls.class = (*env)->NewWeakGlobalRef(env, found);
  (*env)->DeleteLocalRef(env, found);
  if (upcalls.class == NULL) return JNI_ERR;
  upcalls.exception = method(env, "exception", "(I[B[BJIJJJ)Lio/binlog/BinlogException;");
  upcalls.hook = method(env, "hook", "(Ljava/lang/Object;[B[B[BJJJJJ)[[B");
  upcalls.check = method(env, "check", "(Ljava/lang/Object;[BJJJJJJ)Z");
  upcalls.failure = method(env, "failure", "(Ljava/lang/Object;I[B[BJI)V");
  upcalls.loss = method(env, "loss", "(Ljava/lang/Object;[B[BJJJJJJZI)V");
  upcalls.pruned = method(env, "pruned", "(Ljava/lang/Object;[B[BJJJJ)V");
  upcalls.type_count = method(env, "typeCount", "(Ljava/lang/Object;IJ[BZ)V");
  upcalls.type_info =
      method(env, "typeInfo", "(Ljava/lang/Object;I[B[B[B[B[B[B)Lio/binlog/TypeInfo;");
  upcalls.segment = method(env, "segment", "(Ljava/lang/Object;JJJJ[B[B[B[[B)V");
  upcalls.split = method(env, "split", "(Ljava/lang/Object;[B[BJJJJJJ)V");
  upcalls.tail = method(env, "tail", "(IJJJ[B[B)Lio/binlog/Tail;");
  upcalls.columns = method(env, "columns", "()Ljava/util/List;");
  upcalls.add_column = method(env, "addColumn", "(Ljava/lang/Object;Ljava/lang/Object;)V");
  upcalls.column =
      method(env, "column", "([B[BLjava/lang/Object;Ljava/lang/Object;)Lio/binlog/TableColumn;");
  upcalls.compressed = method(env, "compressed", "(Ljava/lang/Object;[B[B[BJJJJZ)V");
  upcalls.progress = method(env, "progress", "(Ljava/lang/Object;[BJJ)Z");
  upcalls.ship_event =
      method(env, "shipEvent", "(Ljava/lang/Object;IZ[BJJLio/binlog/BinlogException;J)Z");
  upcalls.ship_problem = method(env, "shipProblem", "(Ljava/lang/Object;IZJJ[B[B)V");
  upcalls.ship_status = method(env, "shipStatus", "([B[BI[J)Lio/binlog/ShipStatus;");
  if ((*env)->ExceptionCheck(env)) return JNI_ERR;
  if (pthread_key_create(&attached, detach) != 0) return JNI_ERR;
  return JNI_VERSION_1_8;
}
