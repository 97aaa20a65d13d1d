#define _GNU_SOURCE
#include "gate.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/membarrier.h>
#include <sys/syscall.h>
static int membarrier(int command) { return (int)syscall(SYS_membarrier, command, 0, 0); }
static int can_pass_barriers(void) { return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0; }
static int pass_barrier(void) { return membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED); }
#else
static int can_pass_barriers(void) { return 0; }
static int pass_barrier(void) { return 0; }
#endif

_Thread_local blgo_thread blgo_this_thread;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* protects the list */
static blgo_thread *threads;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int can_list;

/* A thread ends: its memory will be freed. */
static void unlist(void *thread) {
  blgo_thread *me = thread;
  pthread_mutex_lock(&lock);
  me->listed = 0;
  if (me->previous != NULL) me->previous->next = me->next;
  else threads = me->next;
  if (me->next != NULL) me->next->previous = me->previous;
  pthread_mutex_unlock(&lock);
}

static void prepare(void) { can_list = can_pass_barriers() && pthread_key_create(&key, unlist) == 0; }

static void list(blgo_thread *me) {
  pthread_once(&once, prepare);
  if (!can_list || pthread_setspecific(key, me) != 0) return;
  pthread_mutex_lock(&lock);
  me->previous = NULL;
  me->next = threads;
  if (threads != NULL) threads->previous = me;
  threads = me;
  me->listed = 1;
  pthread_mutex_unlock(&lock);
}

void blgo_begin_function(uintptr_t caller, const blgo_thread *outer) {
  blgo_this_thread.caller = (const void *)caller;
  blgo_this_thread.outer = outer;
}

void blgo_end_function(void) { blgo_begin_function(0, NULL); }

const blgo_thread *blgo_function(void) {
  return blgo_this_thread.caller != NULL || blgo_this_thread.outer != NULL ? &blgo_this_thread : NULL;
}

int blgo_is_calling_here(const void *object) {
  for (const blgo_thread *thread = &blgo_this_thread; thread != NULL; thread = thread->outer)
    if (thread->caller == object) return object != NULL;
  return 0;
}

int blgo_enter_counted(blgo_gate *gate) {
  __atomic_add_fetch(&gate->counted, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&gate->shut, __ATOMIC_SEQ_CST)) {
    blgo_leave_counted(gate);
    return 0;
  }
  /* The next call of this thread is then a fast one. */
  if (!blgo_this_thread.listed) list(&blgo_this_thread);
  return 1;
}

void blgo_leave_counted(blgo_gate *gate) { __atomic_sub_fetch(&gate->counted, 1, __ATOMIC_SEQ_CST); }

static int is_anybody_in(const blgo_gate *gate) {
  if (__atomic_load_n(&gate->counted, __ATOMIC_SEQ_CST) != 0) return 1;
  int found = 0;
  pthread_mutex_lock(&lock);
  for (const blgo_thread *thread = threads; thread != NULL && !found; thread = thread->next)
    found = __atomic_load_n(&thread->inside, __ATOMIC_ACQUIRE) == gate;
  pthread_mutex_unlock(&lock);
  return found;
}

void blgo_refuse(blgo_gate *gate) { __atomic_store_n(&gate->shut, 1, __ATOMIC_SEQ_CST); }

void blgo_shut(blgo_gate *gate) {
  blgo_refuse(gate);
  /* After registering it does not fail. After the barrier a thread has either recorded that it is inside, or sees
     that the gate is shut. */
  (void)(can_list && pass_barrier());
  /* An append takes microseconds, unless it waits for a disk. */
  for (long pause_ns = 20000; is_anybody_in(gate); pause_ns = pause_ns < 1000000 ? 2 * pause_ns : pause_ns)
    nanosleep(&(struct timespec){.tv_nsec = pause_ns}, NULL);
}
