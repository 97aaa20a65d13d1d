package io.binlog.spark;

import io.binlog.TableArray;
import java.util.Objects;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.unsafe.types.UTF8String;

/** A column of text that is the numbers of words in a dictionary. Each word is made once a batch. */
final class WordsVector extends ArrowVector {
  private final long numbers;
  private final UTF8String[] words;

  WordsVector(TableArray array) {
    super(DataTypes.StringType, array);
    numbers = array.address(1) + 4L * offset;
    TableArray dictionary = Objects.requireNonNull(array.dictionary(), "dictionary");
    BytesVector all = new BytesVector(DataTypes.StringType, dictionary);
    words = new UTF8String[dictionary.length()];
    // Copies, which the heap holds: a word is often kept, as a key.
    for (int i = 0; i < words.length; i++) words[i] = all.isNullAt(i) ? null : all.getUTF8String(i).clone();
  }

  @Override
  public UTF8String getUTF8String(int row) {
    return isNullAt(row) ? null : words[Platform.getInt(null, numbers + 4L * row)];
  }
}
