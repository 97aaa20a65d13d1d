package io.binlog;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.AbstractMap;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Pairs of strings of a record, in their order; a key may occur more than once. Immutable, and decoded only when it
 * is used.
 */
public final class Metadata implements Iterable<Map.Entry<String, String>> {
  private static final Metadata NONE = new Metadata(new byte[0], 0, 0);

  private final byte[] bytes;
  private final int from;
  private final int to;

  Metadata(byte[] bytes, int from, int to) {
    this.bytes = bytes;
    this.from = from;
    this.to = to;
  }

  /**
   * No pairs.
   *
   * @return the same one always
   */
  public static Metadata none() {
    return NONE;
  }

  /**
   * The pairs of the given strings.
   *
   * @param pairs key, value, key, value and so on
   * @return the pairs in this order
   * @throws IllegalArgumentException for a key without a value, and for text that UTF-8 cannot hold
   */
  public static Metadata of(String... pairs) {
    if (pairs.length % 2 != 0) {
      throw new IllegalArgumentException("the key \"" + pairs[pairs.length - 1] + "\" without a value");
    }
    if (pairs.length == 0) return NONE;
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (String text : pairs) put(out, text);
    return encoded(out);
  }

  /**
   * The pairs of a map.
   *
   * @param pairs keys and values
   * @return the pairs in the map's order
   * @throws IllegalArgumentException for text that UTF-8 cannot hold
   */
  public static Metadata of(Map<String, String> pairs) {
    if (pairs.isEmpty()) return NONE;
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (Map.Entry<String, String> pair : pairs.entrySet()) {
      put(out, pair.getKey());
      put(out, pair.getValue());
    }
    return encoded(out);
  }

  /**
   * These pairs and one more.
   *
   * @param key its key
   * @param value its value
   * @return a new object
   * @throws IllegalArgumentException for text that UTF-8 cannot hold
   */
  public Metadata with(String key, String value) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(bytes, from, to - from);
    put(out, key);
    put(out, value);
    return encoded(out);
  }

  private static Metadata encoded(ByteArrayOutputStream out) {
    byte[] all = out.toByteArray();
    return new Metadata(all, 0, all.length);
  }

  private static void put(ByteArrayOutputStream out, String text) {
    if (text == null) throw new NullPointerException("a key or a value of metadata is null");
    byte[] utf8 = Text.utf8(text);
    int rest = utf8.length;
    for (; rest > 0x7f; rest >>>= 7) out.write(rest & 0x7f | 0x80);
    out.write(rest);
    out.write(utf8, 0, utf8.length);
  }

  /** For an append; null when there are no pairs. */
  byte @Nullable [] bytes() {
    if (from == to) return null;
    return from == 0 && to == bytes.length ? bytes : Arrays.copyOfRange(bytes, from, to);
  }

  /**
   * Whether there are no pairs.
   *
   * @return true when there are none
   */
  public boolean isEmpty() {
    return from == to;
  }

  /**
   * The number of pairs.
   *
   * @return 0 or more
   */
  public int size() {
    int n = 0;
    for (Walk walk = new Walk(); walk.at < to; n++) {
      walk.skip();
      walk.skip();
    }
    return n;
  }

  /**
   * The value of the first pair with this key.
   *
   * @param key the key
   * @return its value, or null when there is no such pair
   */
  public @Nullable String get(String key) {
    byte[] wanted = key.getBytes(StandardCharsets.UTF_8);
    Walk walk = new Walk();
    while (walk.at < to) {
      boolean found = walk.isNext(wanted);
      if (found) return walk.text();
      walk.skip();
    }
    return null;
  }

  /**
   * All pairs in their order.
   *
   * @return a list of its own, which cannot be changed
   */
  public List<Map.Entry<String, String>> entries() {
    List<Map.Entry<String, String>> all = new ArrayList<>();
    Walk walk = new Walk();
    while (walk.at < to) {
      String key = walk.text();
      all.add(new AbstractMap.SimpleImmutableEntry<>(key, walk.text()));
    }
    return Collections.unmodifiableList(all);
  }

  /**
   * All pairs in their order.
   *
   * @return an iterator that removes nothing
   */
  @Override
  public Iterator<Map.Entry<String, String>> iterator() {
    return entries().iterator();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Metadata
        && Arrays.equals(bytes, from, to, ((Metadata) other).bytes, ((Metadata) other).from, ((Metadata) other).to);
  }

  @Override
  public int hashCode() {
    int hash = 1;
    for (int i = from; i < to; i++) hash = 31 * hash + bytes[i];
    return hash;
  }

  /**
   * The pairs as text.
   *
   * @return such as {@code {host=example.org, unit=°C}}
   */
  @Override
  public String toString() {
    StringBuilder out = new StringBuilder("{");
    for (Map.Entry<String, String> pair : entries()) {
      if (out.length() > 1) out.append(", ");
      out.append(pair);
    }
    return out.append('}').toString();
  }

  /** Goes from string to string: the library has checked that the bytes are whole pairs of UTF-8. */
  private final class Walk {
    int at = from;

    private int length() {
      int length = 0;
      for (int shift = 0; ; shift += 7) {
        byte b = bytes[at++];
        length |= (b & 0x7f) << shift;
        if (b >= 0) return length;
      }
    }

    void skip() {
      int length = length();
      at += length;
    }

    boolean isNext(byte[] wanted) {
      int length = length();
      at += length;
      return Arrays.equals(bytes, at - length, at, wanted, 0, wanted.length);
    }

    String text() {
      int length = length();
      at += length;
      return new String(bytes, at - length, length, StandardCharsets.UTF_8);
    }
  }
}
