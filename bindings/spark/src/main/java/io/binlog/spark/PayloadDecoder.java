package io.binlog.spark;

/** Takes payloads apart. */
interface PayloadDecoder {
  /** A payload that is not what its type's schema says. */
  final class Malformed extends Exception {
    private static final long serialVersionUID = 1L;

    Malformed(String reason) {
      super(reason, null, false, false);
    }
  }

  /**
   * The values of the wanted fields, as {@link ColumnWriter#put} takes them; null where the payload has none.
   *
   * @param type the number of the record's type
   * @param into gets them, one for each field
   * @param misfits gets those that do not fit their columns
   * @throws Malformed for a payload of which nothing can be read, whatever the columns are
   */
  void decode(long type, byte[] payload, int length, Object[] into, Misfits misfits) throws Malformed;
}
