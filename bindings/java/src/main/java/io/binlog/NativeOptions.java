package io.binlog;

import java.util.List;

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
    byte[] name;
    byte[] contentType;
    byte[][] parameters;
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
    Roll roll;
    Keep keep;
    Require require;
    Step[] onOpen;
    Step[] onClose;
    Object onFailure;
    long heartbeatMillis;
    byte[] fileGroup;
    Archive archive;
  }

  static final class Reader {
    int mode;
    Require require;
    Object onLoss;
    byte[] cache;
    long cacheBytes;
    byte[] credentials;
    long blockMaxBytes;
  }

  static final class Roll {
    long periodSeconds;
    long ageMillis;
    long records;
    byte[] zone;
    byte[] nameTemplate;
    Object check;
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

  static final class Archive {
    int flags;
    int inFlight;
    int threads;
    byte[] url;
    byte[] credentials;
    Keep keep;
    Compress compress;
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
    byte[] name;
    byte[] contentType;
    byte[][] parameters;
  }

  static final class Step {
    int kind;
    byte[] argument;
    Object call;
  }

  static final class Filter {
    int flags;
    long fromId;
    long toId;
    long fromTimeNanos;
    long toTimeNanos;
    int[] types;
    byte[][] typeNames;
    byte[][] metadata;
    long last;
  }

  static Step[] steps(List<Hook> hooks, Handle owner) {
    Step[] steps = new Step[hooks.size()];
    for (int i = 0; i < steps.length; i++) steps[i] = hooks.get(i).step(owner);
    return steps;
  }
}
