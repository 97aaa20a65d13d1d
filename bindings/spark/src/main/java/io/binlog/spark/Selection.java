package io.binlog.spark;

import io.binlog.Filter;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Which records are read: those that meet all conditions, exactly as the library's filter does. Immutable. A method that
 * narrows it returns null for a condition that the filter cannot express beside those that are there.
 */
final class Selection implements Serializable {
  private static final long serialVersionUID = 1L;

  static final Selection ALL = new Selection();
  static final Selection NOTHING = ALL.nothing();

  private boolean nothing;
  /** Both included; 0 = no bound. */
  private long fromId;
  private long toId;
  /** From the first on, before the second; 0 = no bound, as in the filter. */
  private long fromNs;
  private long toNs;
  /** At most one of the next three is not null. */
  private @Nullable Set<Long> types;
  private @Nullable Set<String> names;
  private @Nullable String prefix;
  private Map<String, String> metadata = Map.of();

  private Selection() {}

  private Selection copy() {
    Selection copy = new Selection();
    copy.nothing = nothing;
    copy.fromId = fromId;
    copy.toId = toId;
    copy.fromNs = fromNs;
    copy.toNs = toNs;
    copy.types = types;
    copy.names = names;
    copy.prefix = prefix;
    copy.metadata = metadata;
    return copy;
  }

  private Selection nothing() {
    Selection copy = copy();
    copy.nothing = true;
    return copy;
  }

  boolean isNothing() {
    return nothing;
  }

  /** Whether the index states how many records are selected: no condition but on ids. */
  boolean isOfIdsAlone() {
    return types == null && names == null && prefix == null && hasNoTimesOrMetadata();
  }

  /** Whether the conditions are on ids and types alone, which the counts of the index distinguish. */
  boolean hasNoTimesOrMetadata() {
    return fromNs == 0 && toNs == 0 && metadata.isEmpty();
  }

  boolean hasTypes() {
    return types != null;
  }

  boolean hasIds() {
    return fromId != 0 || toId != 0;
  }

  /** Ids from the first to the last, both included. Ids begin at 1. */
  Selection ids(long first, long last) {
    Selection copy = copy();
    if (first > 1) copy.fromId = Math.max(fromId, first);
    if (last != Long.MAX_VALUE) copy.toId = toId == 0 ? last : Math.min(toId, last);
    return last < 1 || copy.toId != 0 && copy.fromId > copy.toId ? copy.nothing() : copy;
  }

  long fromId() {
    return Math.max(fromId, 1);
  }

  /** 0 = no bound. */
  long toId() {
    return toId;
  }

  /** Of this time and later, in nanoseconds. The filter has no bound at the epoch itself. */
  @Nullable Selection from(long ns) {
    if (ns == 0) return null;
    Selection copy = copy();
    copy.fromNs = fromNs == 0 ? ns : Math.max(fromNs, ns);
    return copy.hasNoTime() ? copy.nothing() : copy;
  }

  /** Before this time, in nanoseconds. */
  @Nullable Selection before(long ns) {
    if (ns == 0) return null;
    Selection copy = copy();
    copy.toNs = toNs == 0 ? ns : Math.min(toNs, ns);
    return copy.hasNoTime() ? copy.nothing() : copy;
  }

  private boolean hasNoTime() {
    return fromNs != 0 && toNs != 0 && fromNs >= toNs;
  }

  /** Of one of these types. A number that no type has selects nothing. */
  @Nullable Selection types(Collection<Long> numbers) {
    if (names != null || prefix != null) return null;
    Set<Long> wanted = new TreeSet<>(numbers);
    wanted.removeIf(number -> number < 0 || number > 0xFFFFFFFFL);
    if (types != null) wanted.retainAll(types);
    Selection copy = copy();
    copy.types = wanted;
    return wanted.isEmpty() ? copy.nothing() : copy;
  }

  /** Of the types with one of these names. */
  @Nullable Selection names(Collection<String> wanted) {
    if (types != null) return null;
    Set<String> all = new TreeSet<>(wanted);
    // The filter takes text as C does, and no type has an empty name.
    all.removeIf(name -> name.isEmpty() || name.indexOf('\0') >= 0);
    if (names != null) all.retainAll(names);
    Selection copy = copy();
    if (prefix != null) all.removeIf(name -> !name.startsWith(prefix));
    copy.prefix = null;
    copy.names = all;
    return all.isEmpty() ? copy.nothing() : copy;
  }

  /** Of the types whose names begin so. */
  @Nullable Selection prefix(String begin) {
    if (types != null) return null;
    if (names != null) {
      List<String> kept = new ArrayList<>(names);
      kept.removeIf(name -> !name.startsWith(begin));
      return names(kept);
    }
    Selection copy = copy();
    if (prefix == null || begin.startsWith(prefix)) copy.prefix = begin;
    else if (!prefix.startsWith(begin)) return nothing();
    return copy;
  }

  /** That one of two selections of types alone, or of names alone, selects; null for others. */
  @Nullable Selection either(Selection one, Selection other) {
    if (!one.isOfTypesAlone() || !other.isOfTypesAlone()) return null;
    if (one.types != null && other.types != null) {
      List<Long> both = new ArrayList<>(one.types);
      both.addAll(other.types);
      return types(both);
    }
    if (one.names == null || other.names == null) return null;
    List<String> both = new ArrayList<>(one.names);
    both.addAll(other.names);
    return names(both);
  }

  private boolean isOfTypesAlone() {
    return !hasIds() && hasNoTimesOrMetadata();
  }

  /** With this pair among its metadata. */
  Selection metadata(String key, String value) {
    String before = metadata.get(key);
    if (before != null) return before.equals(value) ? this : nothing();
    Selection copy = copy();
    copy.metadata = new TreeMap<>(metadata);
    copy.metadata.put(key, value);
    return copy;
  }

  /** Whether each selected record has a name for its type. */
  boolean hasName() {
    return names != null || prefix != null;
  }

  boolean hasPrefix() {
    return prefix != null;
  }

  /** The same with the names of the log in place of their prefix. */
  Selection resolved(Collection<String> known) {
    if (prefix == null) return this;
    Selection named = names(known);
    return named == null ? NOTHING : named;
  }

  /** Whether records of this type are selected, whatever the other conditions are. */
  boolean matches(int type, @Nullable String name) {
    if (types != null) return types.contains(Integer.toUnsignedLong(type));
    if (names != null) return name != null && names.contains(name);
    return prefix == null || name != null && name.startsWith(prefix);
  }

  /** The library's filter. Resolve a prefix before. */
  Filter filter(boolean headersOnly) {
    if (prefix != null) throw new IllegalStateException("the names of the log are not known yet");
    Filter.Builder filter = Filter.builder().fromId(fromId).toId(toId).fromNanos(fromNs).toNanos(toNs);
    if (headersOnly) filter.headersOnly();
    if (types != null) for (long type : types) filter.type((int) type);
    if (names != null) for (String name : names) filter.typeName(name);
    metadata.forEach(filter::metadata);
    return filter.build();
  }

  /** For {@code explain}. */
  @Override
  public String toString() {
    if (nothing) return "nothing";
    List<String> all = new ArrayList<>();
    if (fromId != 0) all.add("id >= " + fromId);
    if (toId != 0) all.add("id <= " + toId);
    if (fromNs != 0) all.add("time_ns >= " + fromNs);
    if (toNs != 0) all.add("time_ns < " + toNs);
    if (types != null) {
      List<String> numbers = new ArrayList<>();
      for (long type : types) numbers.add(Long.toString(type));
      all.add("type IN (" + String.join(", ", numbers) + ")");
    }
    if (names != null) all.add("type_name IN ('" + String.join("', '", names) + "')");
    if (prefix != null) all.add("type_name LIKE '" + prefix + "%'");
    metadata.forEach((key, value) -> all.add("metadata['" + key + "'] = '" + value + "'"));
    return String.join(" AND ", all);
  }
}
