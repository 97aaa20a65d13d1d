package io.binlog;

/** What {@code java -jar binlog.jar} runs: it says which library there is, and that it works. */
final class Main {
  private Main() {}

  public static void main(String[] arguments) {
    System.out.println(
        "binlog " + Binlog.version() + " for Java, " + Library.system() + ", from " + Binlog.libraryOrigin());
  }
}
