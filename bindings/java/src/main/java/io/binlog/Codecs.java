package io.binlog;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The classes that are written and read as objects, and their codecs. Each class is a named type of the log, with the
 * name of the class: objects are found by their class without reading the others. Immutable.
 *
 * <pre>{@code
 * Codecs codecs = Codecs.builder().add(Order.class, new OrderCodec()).build();
 * codecs.writer(writer).write(new Order(7, "socks"));
 * try (Stream<Order> orders = codecs.stream(reader, Order.class)) { ... }
 * }</pre>
 */
public final class Codecs {
  /** A class, its name in logs, and its codec. */
  static final class Entry<T> {
    final Class<T> type;
    final String name;
    final Codec<T> codec;

    Entry(Class<T> type, String name, Codec<T> codec) {
      this.type = type;
      this.name = name;
      this.codec = codec;
    }
  }

  private final Map<Class<?>, Entry<?>> byClass;
  private final Map<String, Entry<?>> byName;

  private Codecs(Builder set) {
    byClass = new HashMap<>(set.byClass);
    byName = new HashMap<>(set.byName);
  }

  /**
   * Begins without a class.
   *
   * @return a new builder
   */
  public static Builder builder() {
    return new Builder();
  }

  /** The map's keys are the entries' classes. */
  @SuppressWarnings("unchecked")
  <T> Entry<T> of(Class<T> type) {
    Entry<T> entry = (Entry<T>) byClass.get(Objects.requireNonNull(type, "type"));
    if (entry == null) throw new IllegalArgumentException("no codec for " + type.getName());
    return entry;
  }

  /**
   * Writes objects to a log.
   *
   * @param writer the log, which the caller closes
   * @return a writer of objects
   */
  public ObjectWriter writer(BinlogWriter writer) {
    return new ObjectWriter(Objects.requireNonNull(writer, "writer"), this);
  }

  /**
   * The object of a record.
   *
   * @param record a record of any type
   * @return null when its type is none of these classes
   * @throws IOException when its codec cannot decode it
   */
  public @Nullable Object decode(Record record) throws IOException {
    Entry<?> entry = byName.get(record.typeName());
    return entry == null ? null : entry.codec.decode(record);
  }

  /**
   * All objects of a class in a log, in their order.
   *
   * @param reader the log
   * @param type the class
   * @param <T> the class
   * @return a stream to be closed, which throws {@link UncheckedIOException} when reading or decoding fails
   * @throws BinlogException as {@link BinlogReader#cursor(Filter)}
   * @throws IllegalArgumentException when there is no codec for the class
   */
  public <T> Stream<T> stream(BinlogReader reader, Class<T> type) throws BinlogException {
    Entry<T> entry = of(type);
    return reader
        .stream(Filter.builder().typeName(entry.name).build())
        .map(
            record -> {
              try {
                return entry.codec.decode(record);
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
  }

  /** Collects classes. */
  public static final class Builder {
    private final Map<Class<?>, Entry<?>> byClass = new HashMap<>();
    private final Map<String, Entry<?>> byName = new HashMap<>();

    private Builder() {}

    /**
     * Objects of a class, whose type in the log has the name of the class.
     *
     * @param type the class itself; those derived from it are other classes
     * @param codec how they are encoded
     * @param <T> the class
     * @return this
     * @throws IllegalArgumentException when there is one for it already
     */
    public <T> Builder add(Class<T> type, Codec<T> codec) {
      return add(type, type.getName(), codec);
    }

    /**
     * Objects of a class, under another name: an older one of the class, or one that other languages use.
     *
     * @param type the class itself; those derived from it are other classes
     * @param name the name of its type in the log
     * @param codec how they are encoded
     * @param <T> the class
     * @return this
     * @throws IllegalArgumentException when there is one for the class or the name already
     */
    public <T> Builder add(Class<T> type, String name, Codec<T> codec) {
      Entry<T> entry = new Entry<>(type, Objects.requireNonNull(name, "name"), Objects.requireNonNull(codec, "codec"));
      if (byClass.containsKey(type)) throw new IllegalArgumentException("two codecs for " + type.getName());
      if (byName.containsKey(name)) throw new IllegalArgumentException("two classes called " + name);
      byClass.put(type, entry);
      byName.put(name, entry);
      return this;
    }

    /**
     * Builds the codecs.
     *
     * @return the classes added so far
     */
    public Codecs build() {
      return new Codecs(this);
    }
  }
}
