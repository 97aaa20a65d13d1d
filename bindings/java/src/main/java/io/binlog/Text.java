package io.binlog;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Collection;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Strings and times in the form in which they are passed to C. */
final class Text {
  private Text() {}

  /**
   * @throws IllegalArgumentException for half of a surrogate pair, which has no bytes in UTF-8
   */
  static byte[] utf8(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (!Character.isSurrogate(c)) continue;
      if (!Character.isHighSurrogate(c) || i + 1 == text.length() || !Character.isLowSurrogate(text.charAt(i + 1))) {
        throw new IllegalArgumentException("half of a surrogate pair at " + i);
      }
      i++;
    }
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** As {@link #terminated(String)}; null for null. */
  static byte @Nullable [] terminatedOrNull(@Nullable String text) {
    return text == null ? null : terminated(text);
  }

  /**
   * With a NUL at the end, for C.
   *
   * @throws IllegalArgumentException when there is a NUL in the text already
   */
  static byte[] terminated(String text) {
    if (text.indexOf('\0') >= 0) throw new IllegalArgumentException("a NUL in \"" + text.replace("\0", "\\0") + "\"");
    byte[] bytes = utf8(text);
    return Arrays.copyOf(bytes, bytes.length + 1);
  }

  /** Key, value, key, value ... */
  static byte[][] terminated(Map<String, String> pairs) {
    byte[][] all = new byte[2 * pairs.size()][];
    int i = 0;
    for (Map.Entry<String, String> pair : pairs.entrySet()) {
      all[i++] = terminated(pair.getKey());
      all[i++] = terminated(pair.getValue());
    }
    return all;
  }

  static byte[][] terminated(Iterable<String> texts, int count) {
    byte[][] all = new byte[count][];
    int i = 0;
    for (String text : texts) all[i++] = terminated(text);
    return all;
  }

  static String text(byte[] utf8) {
    return new String(utf8, StandardCharsets.UTF_8);
  }

  static @Nullable String textOrNull(byte @Nullable [] utf8) {
    return utf8 == null ? null : text(utf8);
  }

  private static final long SECOND = 1_000_000_000L;

  /**
   * Nanoseconds since the Unix epoch.
   *
   * @throws ArithmeticException when 64 bits do not hold them: before 1677-09-21 or after 2262-04-11
   */
  static long nanos(Instant time) {
    long seconds = time.getEpochSecond();
    // One second nearer to the epoch: the first of the times that fit would overflow otherwise.
    return seconds < 0
        ? Math.addExact(Math.multiplyExact(seconds + 1, SECOND), time.getNano() - SECOND)
        : Math.addExact(Math.multiplyExact(seconds, SECOND), time.getNano());
  }

  static Instant instant(long nanos) {
    return Instant.ofEpochSecond(Math.floorDiv(nanos, SECOND), Math.floorMod(nanos, SECOND));
  }

  /**
   * Milliseconds, at least one.
   *
   * @throws IllegalArgumentException for a time that is not positive, or over {@code max} milliseconds
   */
  static long millis(Duration time, long max) {
    if (time.isNegative() || time.isZero()) throw new IllegalArgumentException("a time of " + time);
    long millis;
    try {
      millis = Math.max(1, time.toMillis());
    } catch (ArithmeticException e) {
      millis = Long.MAX_VALUE;
    }
    if (millis > max) throw new IllegalArgumentException("a time of " + time + " is over " + max + " milliseconds");
    return millis;
  }

  private static final Pattern URL = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]*://");

  /** Whether it is the URL of a store. */
  static boolean isUrl(String location) {
    return URL.matcher(location).lookingAt();
  }

  /**
   * @throws UnsupportedOperationException for an object in a store
   */
  static Path path(String location) {
    // As a path it would lose a slash.
    if (isUrl(location)) throw new UnsupportedOperationException("what lies in a store has no path: " + location);
    return Paths.get(location);
  }

  /**
   * Permission bits.
   *
   * @throws IllegalArgumentException for none
   */
  static int mode(Set<PosixFilePermission> permissions) {
    if (permissions.isEmpty()) throw new IllegalArgumentException("no permissions");
    int mode = 0;
    // In the order of rwxrwxrwx.
    for (PosixFilePermission permission : permissions) mode |= 0400 >> permission.ordinal();
    return mode;
  }

  /** Permission bits in octal notation; null for none. */
  static @Nullable String octal(int mode) {
    return mode == 0 ? null : "0" + Integer.toOctalString(mode);
  }

  /** The URL of a store without the parts that may contain a secret. */
  static String harmless(String url) {
    if (url.startsWith("exec:")) return "exec:...";
    int options = url.indexOf('?');
    return (options < 0 ? url : url.substring(0, options) + "?...").replaceFirst("//[^/]*@", "//...@");
  }

  /** Names and values in turn, without default values: null, 0, false, and empty lists. */
  static String said(String what, Object[] said) {
    StringJoiner all = new StringJoiner(", ", what + "{", "}");
    for (int i = 0; i < said.length; i += 2) {
      Object value = said[i + 1];
      boolean isDefault =
          value == null
              || value instanceof Number && ((Number) value).longValue() == 0
              || value instanceof Collection && ((Collection<?>) value).isEmpty()
              || value instanceof Map && ((Map<?, ?>) value).isEmpty()
              || Boolean.FALSE.equals(value);
      if (isDefault) continue;
      if (Boolean.TRUE.equals(value)) all.add(said[i].toString());
      else all.add(said[i] + "=" + (value instanceof int[] ? Arrays.toString((int[]) value) : value));
    }
    return all.toString();
  }

  /**
   * @throws IllegalArgumentException for values less than zero
   */
  static long notNegative(long number, String what) {
    if (number < 0) throw new IllegalArgumentException(what + " of " + number);
    return number;
  }
}
