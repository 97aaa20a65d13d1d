/* Separates closing a writer from calls that are so short that two locked instructions in each would be a tenth of
   them. A thread that is inside records so in its own memory, by a plain store, and the closing thread has the
   kernel issue a barrier on all threads (membarrier) before it looks. Where that is not available, and for a call
   within another's callback, calls inside are counted. */
#ifndef BLGO_GATE_H
#define BLGO_GATE_H

#include <binlog.h>
#include <stddef.h>
#include <stdint.h>

/* The gate of one writer. It outlives the writer, for late calls. */
typedef struct blgo_gate {
  binlog_writer *writer;
  int shut;     /* no call enters any more */
  long counted; /* calls inside that no thread records */
} blgo_gate;

/* The record of a thread. */
typedef struct blgo_thread {
  const blgo_gate *inside; /* NULL for none */
  int listed;              /* the closing thread looks at it */
  struct blgo_thread *previous, *next;
  /* Whose function this thread runs, or NULL: a writer (its gate), shipper, reader or cursor; and the thread that waits
     for it within C: that one may run a function of another object. */
  const void *caller;
  const struct blgo_thread *outer;
  /* The reader or cursor whose call this thread makes, or NULL: it calls the listener of losses. */
  const void *reporter;
} blgo_thread;

extern _Thread_local blgo_thread blgo_this_thread __attribute__((tls_model("initial-exec")));

/* A goroutine that is bound to its thread runs a function that an object (0: none) has called in the thread `outer`,
   which waits. Goroutines have no memory of their own; their thread has. */
void blgo_begin_function(uintptr_t caller, const blgo_thread *outer);
void blgo_end_function(void);
/* This thread, or NULL if it runs no such function. */
const blgo_thread *blgo_function(void);
/* Whether this thread runs a function that the object has called, or one that was called within such a function. */
int blgo_is_calling_here(const void *object);
static inline int blgo_is_calling(const void *object) {
  const blgo_thread *me = &blgo_this_thread;
  return __builtin_expect(me->caller != NULL || me->outer != NULL, 0) && blgo_is_calling_here(object);
}

/* For calls that have no place in their thread's record. 0 when the gate is shut. */
int blgo_enter_counted(blgo_gate *gate);
void blgo_leave_counted(blgo_gate *gate);

/* Refuses later calls, without waiting. */
void blgo_refuse(blgo_gate *gate);
/* Refuses later calls and waits for those inside. */
void blgo_shut(blgo_gate *gate);

/* 0 when the gate is shut. Otherwise the caller leaves, with the value of `record`. */
static inline int blgo_enter(blgo_gate *gate, blgo_thread **record) {
  blgo_thread *me = &blgo_this_thread;
  if (__builtin_expect(!me->listed || me->inside != NULL, 0)) {
    *record = NULL;
    return blgo_enter_counted(gate);
  }
  *record = me;
  __atomic_store_n(&me->inside, gate, __ATOMIC_RELAXED);
  /* For the compiler only: the barrier of blgo_shut keeps the processor from looking before it has stored the
     record. */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (__builtin_expect(!__atomic_load_n(&gate->shut, __ATOMIC_ACQUIRE), 1)) return 1;
  __atomic_store_n(&me->inside, NULL, __ATOMIC_RELEASE);
  return 0;
}

static inline void blgo_leave(blgo_gate *gate, blgo_thread *record) {
  if (__builtin_expect(record != NULL, 1)) __atomic_store_n(&record->inside, NULL, __ATOMIC_RELEASE);
  else blgo_leave_counted(gate);
}

#endif
