package io.binlog.spark;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The places that the paths of a read stand for: a pattern of directories stands for each of them. */
final class Places {
  private static final Pattern URL = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]*://.*");
  /** Types of file systems that several machines have. */
  private static final Pattern SHARED = Pattern.compile("nfs|cifs|smb|fuse|9p|ceph|lustre|gpfs|beegfs|glusterfs|virtiofs");
  private static final Pattern WILD = Pattern.compile("[*?\\[{]");

  private Places() {}

  static boolean isUrl(String place) {
    return URL.matcher(place).matches();
  }

  /** Whether only this machine has the file system of the path. */
  static boolean isLocal(String place) {
    Path path = Paths.get(place);
    while (path != null && !Files.exists(path)) path = path.getParent();
    try {
      return path != null && !SHARED.matcher(Files.getFileStore(path).type()).lookingAt();
    } catch (IOException e) {
      return false;
    }
  }

  /** Absolute paths, patterns of files, and URLs. */
  static List<String> of(List<String> paths) {
    List<String> all = new ArrayList<>();
    for (String path : paths) all.addAll(of(local(path)));
    return all.stream().distinct().collect(Collectors.toList());
  }

  /** Spark writes the local paths of tables as {@code file:/directory}, without escapes; a URL of a user has three slashes. */
  private static String local(String path) {
    if (!path.startsWith("file:")) return path;
    if (!path.startsWith("file://")) return path.substring("file:".length());
    String rest = path.substring("file:".length()).replaceFirst("^//+", "/");
    try {
      return Paths.get(URI.create("file:" + rest)).toString();
    } catch (IllegalArgumentException e) {
      return rest; // with characters that a URL does not have
    }
  }

  private static List<String> of(String path) {
    if (isUrl(path)) return List.of(path);
    Path given = Paths.get(path).toAbsolutePath().normalize();
    if (!WILD.matcher(path).find() || Files.exists(given, LinkOption.NOFOLLOW_LINKS)) return List.of(given.toString());
    List<Path> matches = matches(given);
    List<String> directories =
        matches.stream().filter(Files::isDirectory).map(Path::toString).collect(Collectors.toList());
    // A pattern of files is one place: the library puts the segments of a log in order.
    if (directories.size() < matches.size() || matches.isEmpty()) directories.add(given.toString());
    return directories;
  }

  /** What matches, part by part. */
  private static List<Path> matches(Path pattern) {
    List<Path> found = List.of(pattern.getRoot());
    for (Path part : pattern) {
      List<Path> deeper = new ArrayList<>();
      for (Path directory : found) deeper.addAll(matches(directory, part.toString()));
      found = deeper;
    }
    return found;
  }

  private static List<Path> matches(Path directory, String part) {
    if (!WILD.matcher(part).find()) {
      Path one = directory.resolve(part);
      return Files.exists(one) ? List.of(one) : List.of();
    }
    if (!Files.isDirectory(directory)) return List.of();
    PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + part);
    try (Stream<Path> entries = Files.list(directory)) {
      return entries.filter(entry -> matcher.matches(entry.getFileName())).sorted().collect(Collectors.toList());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot list " + directory + ", which the option path names: " + e.getMessage(), e);
    }
  }
}
