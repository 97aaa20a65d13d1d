package io.binlog;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The names of some types. Immutable: a cursor creates a new object for each further name. */
final class TypeNames {
  static final TypeNames NONE = new TypeNames(new int[0], new String[0]);

  private final int[] types;
  private final @Nullable String[] names;

  private TypeNames(int[] types, String[] names) {
    this.types = types;
    this.names = names;
  }

  boolean knows(int type) {
    return index(type) >= 0;
  }

  /** Null for a type without a known name. */
  @Nullable String of(int type) {
    int i = index(type);
    return i < 0 ? null : names[i];
  }

  TypeNames with(int type, @Nullable String name) {
    int n = types.length;
    int[] moreTypes = Arrays.copyOf(types, n + 1);
    String[] moreNames = Arrays.copyOf(names, n + 1);
    moreTypes[n] = type;
    moreNames[n] = name;
    return new TypeNames(moreTypes, moreNames);
  }

  private int index(int type) {
    for (int i = types.length - 1; i >= 0; i--) {
      if (types[i] == type) return i;
    }
    return -1;
  }
}
