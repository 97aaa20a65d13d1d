/* Keeps closing a writer apart from the calls that are so short that two locked instructions in each would be a tenth of
   them: whoever is in says so in memory of its thread, by a plain store, and whoever closes has the kernel pass a barrier
   on all threads (membarrier) before it looks. Where that cannot be had, and for a call within another's callback, those
   who are in are counted. */
#ifndef BLGO_GATE_H
#define BLGO_GATE_H

#include <binlog.h>
#include <stddef.h>
#include <stdint.h>

/* The gate of one writer. It outlives the writer, for those who come late. */
typedef struct blgo_gate {
  binlog_writer *writer;
  int shut;     /* nobody gets in any more */
  long counted; /* who is in and not told by a thread */
} blgo_gate;

/* What a thread tells. */
typedef struct blgo_thread {
  const blgo_gate *inside; /* NULL for none */
  int listed;              /* whoever closes looks at it */
  struct blgo_thread *previous, *next;
  /* The gate of the writer whose function this thread runs, or NULL, and the thread that waits for it within C: it may run a
     function of another writer. */
  const blgo_gate *caller;
  const struct blgo_thread *outer;
} blgo_thread;

extern _Thread_local blgo_thread blgo_this_thread __attribute__((tls_model("initial-exec")));

/* A goroutine that is bound to its thread runs a function that the gate's writer (0: no writer) has called in the thread
   `outer`, which waits. Go's goroutines have no memory of their own; their thread has. */
void blgo_begin_function(uintptr_t gate, const blgo_thread *outer);
void blgo_end_function(void);
/* This thread, or NULL if it runs no such function. */
const blgo_thread *blgo_function(void);
/* Whether this thread runs a function that the gate's writer has called, or one that was called within such a function. */
int blgo_is_calling_here(const blgo_gate *gate);
static inline int blgo_is_calling(const blgo_gate *gate) {
  const blgo_thread *me = &blgo_this_thread;
  return __builtin_expect(me->caller != NULL || me->outer != NULL, 0) && blgo_is_calling_here(gate);
}

/* The way in for those who find no room in what their thread tells. 0 when the gate is shut. */
int blgo_enter_counted(blgo_gate *gate);
void blgo_leave_counted(blgo_gate *gate);

/* Turns away who comes and waits for who is in. */
void blgo_shut(blgo_gate *gate);

/* 0 when the gate is shut. Otherwise the caller leaves, with what it got in `told`. */
static inline int blgo_enter(blgo_gate *gate, blgo_thread **told) {
  blgo_thread *me = &blgo_this_thread;
  if (__builtin_expect(!me->listed || me->inside != NULL, 0)) {
    *told = NULL;
    return blgo_enter_counted(gate);
  }
  *told = me;
  __atomic_store_n(&me->inside, gate, __ATOMIC_RELAXED);
  /* For the compiler only: that the processor does not look before it has told is what the barrier of blgo_shut is for. */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (__builtin_expect(!__atomic_load_n(&gate->shut, __ATOMIC_ACQUIRE), 1)) return 1;
  __atomic_store_n(&me->inside, NULL, __ATOMIC_RELEASE);
  return 0;
}

static inline void blgo_leave(blgo_gate *gate, blgo_thread *told) {
  if (__builtin_expect(told != NULL, 1)) __atomic_store_n(&told->inside, NULL, __ATOMIC_RELEASE);
  else blgo_leave_counted(gate);
}

#endif
