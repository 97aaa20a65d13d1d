package io.binlog.spark;

import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import io.binlog.Segment;
import java.io.File;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The names of the logs of places that have several. A name is in the headers of segments: to find a new one, all of them
 * are opened. In a directory that is done when there is a file that was not there before, in a store every minute.
 */
final class LogNames {
  private static final long STALE_NANOS = Duration.ofMinutes(1).toNanos();

  /** In place of time and length: the header was read. */
  private static final String READ = "";

  private static final class Known {
    final Set<String> names = new TreeSet<>();
    /** The files then; of one whose header was not there yet, its time and length. */
    final Map<String, String> files = new HashMap<>();
    long since;
  }

  private final Map<String, Known> places = new HashMap<>();

  /** Those of the place that the reader has open. */
  Set<String> of(String place, BinlogReader reader) throws BinlogException {
    // Before the headers are looked at: a file that appears meanwhile is new the next time.
    Map<String, String> files = files(place);
    Known known = places.get(place);
    if (known != null && !isStale(known, place, files)) return known.names;
    Known found = new Known();
    found.files.putAll(files);
    for (Segment segment : reader.segments()) {
      found.names.add(segment.name());
      // What lies in a store has no path.
      String at = segment.location();
      found.files.replace(at.substring(at.lastIndexOf('/') + 1), READ);
    }
    found.since = System.nanoTime();
    places.put(place, found);
    return found.names;
  }

  private static boolean isStale(Known known, String place, Map<String, String> files) {
    if (Places.isUrl(place)) return System.nanoTime() - known.since > STALE_NANOS;
    for (Map.Entry<String, String> file : files.entrySet()) {
      String then = known.files.get(file.getKey());
      if (then == null || !then.equals(READ) && !then.equals(file.getValue())) return true;
    }
    return files.isEmpty();
  }

  /** The files of a directory that may be segments, each with its time and length; none for another place. */
  private static Map<String, String> files(String place) {
    File[] all = Places.isUrl(place) ? null : new File(place).listFiles();
    Map<String, String> files = new HashMap<>();
    for (File file : all == null ? new File[0] : all) {
      if (file.getName().contains(".binlog")) files.put(file.getName(), file.lastModified() + " " + file.length());
    }
    return files;
  }
}
