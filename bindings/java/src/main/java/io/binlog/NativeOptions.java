package io.binlog;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Options as C reads them, field by field and by name, in options.c: numbers as in binlog.h, text ending with a NUL,
 * pairs as key, value, key, value.
 */
final class NativeOptions {
  private NativeOptions() {}

  static final class Writer {
    int flags;
    int codec;
    int codecLevel;
    int blockBytes;
    byte @Nullable [] name;
    byte @Nullable [] contentType;
    byte @Nullable [][] parameters;
    long segmentBytes;
    long recordMaxBytes;
    long flushRecords;
    long flushBytes;
    long syncRecords;
    long syncBytes;
    int flushIntervalMillis;
    int syncIntervalMillis;
    int fileMode;
    int fullDisk;
    long fullDiskWaitMillis;
    long indexBytes;
    long fillAheadBytes;
    long schemaBytes;
    @Nullable Roll roll;
    @Nullable Keep keep;
    @Nullable Require require;
    Step @Nullable [] onOpen;
    Step @Nullable [] onClose;
    @Nullable Object onFailure;
    long heartbeatMillis;
    byte @Nullable [] fileGroup;
    @Nullable Ship ship;
  }

  static final class Reader {
    int mode;
    @Nullable Require require;
    @Nullable Object onLoss;
    byte @Nullable [] cache;
    long cacheBytes;
    byte @Nullable [] credentials;
    long blockMaxBytes;
    byte @Nullable [] log;
  }

  static final class Plan {
    long targetBytes;
    long most;
  }

  static final class Table {
    int columns;
    int flags;
    byte @Nullable [][] metadata;
    long batchRows;
    long batchBytes;
  }

  static final class Roll {
    long periodSeconds;
    long ageMillis;
    long records;
    byte @Nullable [] zone;
    byte @Nullable [] nameTemplate;
    @Nullable Object check;
  }

  static final class Keep {
    long ageMillis;
    long segments;
    long bytes;
    int flags;
  }

  static final class Compress {
    int flags;
    int codec;
    int level;
    int threads;
    int blockBytes;
    int whole;
  }

  static final class Ship {
    int flags;
    int inFlight;
    int threads;
    byte @Nullable [] url;
    byte @Nullable [] credentials;
    @Nullable Keep keep;
    @Nullable Keep keepRemote;
    @Nullable Compress compress;
    long partBytes;
    long bandwidth;
    long timeoutMillis;
    long firstDelayMillis;
    long longestDelayMillis;
    long patienceMillis;
    long staleMillis;
    long closeWaitMillis;
    int fileMode;
  }

  static final class Require {
    byte @Nullable [] name;
    byte @Nullable [] contentType;
    byte @Nullable [][] parameters;
  }

  static final class Step {
    int kind;
    byte @Nullable [] argument;
    @Nullable Object call;
  }

  static final class Filter {
    int flags;
    long fromId;
    long toId;
    long fromTimeNanos;
    long toTimeNanos;
    int @Nullable [] types;
    byte @Nullable [][] typeNames;
    byte @Nullable [][] metadata;
    long last;
  }

  static Step[] steps(List<Hook> hooks, Handle owner, Upcalls.@Nullable FailureTarget failures) {
    Step[] steps = new Step[hooks.size()];
    for (int i = 0; i < steps.length; i++) steps[i] = hooks.get(i).step(owner, failures);
    return steps;
  }
}
