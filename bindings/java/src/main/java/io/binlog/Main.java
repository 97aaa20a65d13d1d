package io.binlog;

/** {@code java -jar binlog.jar}: prints which library is loaded, and that it works. */
final class Main {
  private Main() {}

  public static void main(String[] arguments) {
    System.out.println(
        "binlog " + Binlog.version() + " for Java, " + Library.system() + ", from " + Binlog.libraryOrigin());
  }
}
