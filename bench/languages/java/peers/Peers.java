package peers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.Stream;

/**
 * What Java programs append with instead of binlog: {@code Peers PEER append|checked-append SIZE COUNT DIR} appends the same
 * payload over and over and prints the nanoseconds until everything was passed to the system. "checked" reads all of it back
 * afterwards. Before the clock starts it appends as much in a directory beside DIR: the JVM has far more of their code to
 * compile than of the binding's.
 */
public final class Peers {
  /** One peer. */
  interface Peer {
    /** Appends to a new log in the directory and returns the nanoseconds. */
    long append(byte[] payload, long count, Path directory) throws IOException;

    /** Reads the log, and throws unless it contains exactly that. */
    void check(byte[] payload, long count, Path directory) throws IOException;
  }

  private Peers() {}

  /**
   * The program.
   *
   * @param arguments PEER WORK SIZE COUNT DIR
   * @throws IOException when the peer fails
   */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 5 || !arguments[1].endsWith("append")) {
      throw new IllegalArgumentException("usage: Peers chronicle-queue|log4j append|checked-append SIZE COUNT DIR");
    }
    Peer peer = peer(arguments[0]);
    byte[] payload = new byte[Integer.parseInt(arguments[2])];
    Arrays.fill(payload, (byte) 'x');
    long count = Long.parseLong(arguments[3]);
    Path directory = Paths.get(arguments[4]).toAbsolutePath();
    Path scratch = Files.createTempDirectory(directory.getParent(), directory.getFileName() + "-warmup-");
    try {
      peer.append(payload, count, scratch);
    } finally {
      remove(scratch);
    }
    Files.createDirectories(directory);
    long nanos = peer.append(payload, count, directory);
    if (arguments[1].equals("checked-append")) peer.check(payload, count, directory);
    System.out.println(nanos);
  }

  private static Peer peer(String name) {
    switch (name) {
      case "chronicle-queue":
        return new ChronicleQueuePeer();
      case "log4j":
        return new Log4jPeer();
      default:
        throw new IllegalArgumentException("no peer called " + name);
    }
  }

  private static void remove(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : (Iterable<Path>) files.sorted(Comparator.reverseOrder())::iterator) Files.delete(file);
    }
  }
}
