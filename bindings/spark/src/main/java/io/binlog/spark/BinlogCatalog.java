package io.binlog.spark;

import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.NamespaceChange;
import org.apache.spark.sql.connector.catalog.SupportsNamespaces;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import org.jspecify.annotations.Nullable;

/**
 * Logs as tables of a catalog, by {@code spark.sql.catalog.NAME = io.binlog.spark.BinlogCatalog}: a name that contains a
 * slash is the path or the URL of a log. With {@code spark.sql.catalog.NAME.root}, a local directory, each directory
 * below it that has segments is a table, and those in between are namespaces. Further settings are options of each read.
 */
public final class BinlogCatalog implements TableCatalog, SupportsNamespaces {
  private static final String ROOT = "root";

  private String name = "";
  private Map<String, String> options = Map.of();
  private @Nullable Path root;

  /** For Spark, which makes it by its name. */
  public BinlogCatalog() {}

  @Override
  public void initialize(String catalog, CaseInsensitiveStringMap settings) {
    name = catalog;
    options = new HashMap<>(settings.asCaseSensitiveMap());
    options.keySet().removeIf(ROOT::equalsIgnoreCase);
    String directory = settings.get(ROOT);
    if (directory == null) return;
    root = Paths.get(directory).toAbsolutePath().normalize();
    if (Places.isUrl(directory) || !Files.isDirectory(root)) {
      throw ReadOptions.wrong(
          "spark.sql.catalog." + catalog + ".root",
          directory,
          "a local directory; name a log in a store by its URL, as in SELECT * FROM " + catalog + ".`s3://bucket/logs`");
    }
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Table loadTable(Identifier table) throws NoSuchTableException {
    Map<String, String> all = new HashMap<>(options);
    all.put("path", place(table));
    return BinlogTable.of(new CaseInsensitiveStringMap(all));
  }

  /** The path or URL of a table. */
  private String place(Identifier table) throws NoSuchTableException {
    if (table.namespace().length == 0 && table.name().contains("/")) {
      checkIsThere(table.name());
      return table.name();
    }
    Path directory = directory(table.namespace(), table.name());
    if (directory == null || !isLog(directory)) throw new NoSuchTableException(table);
    return directory.toString();
  }

  /** A table that is not there would make Spark look for a file of its own formats. */
  private static void checkIsThere(String path) {
    List<String> places = Places.of(List.of(path));
    String only = places.get(0);
    if (places.size() > 1 || Places.isUrl(only) || only.matches(".*[*?\\[{].*") || Files.exists(Paths.get(only))) return;
    throw new IllegalArgumentException("there is no log at " + only + ", which the query names: no such file or directory");
  }

  /** Null where there can be none: without a root, and for names that lead elsewhere. */
  private @Nullable Path directory(String[] namespace, String last) {
    if (root == null) return null;
    Path directory = root;
    for (String part : namespace) directory = directory.resolve(part);
    directory = directory.resolve(last).normalize();
    return directory.startsWith(root) ? directory : null;
  }

  /** A directory that has segments itself. */
  private static boolean isLog(Path directory) {
    if (!Files.isDirectory(directory)) return false;
    try (BinlogReader reader = BinlogReader.open(directory)) {
      return !reader.segments().isEmpty();
    } catch (BinlogException.NotFound e) {
      return false;
    } catch (BinlogException e) {
      return true; // damaged: whoever reads it learns why
    }
  }

  private static List<Path> below(Path directory) {
    try (Stream<Path> entries = Files.list(directory)) {
      return entries.filter(Files::isDirectory).sorted().collect(Collectors.toList());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot list " + directory + ": " + e.getMessage(), e);
    }
  }

  private Path existing(String[] namespace) throws NoSuchNamespaceException {
    Path directory = directory(namespace, "");
    if (directory == null || !Files.isDirectory(directory)) throw new NoSuchNamespaceException(namespace);
    return directory;
  }

  @Override
  public Identifier[] listTables(String[] namespace) throws NoSuchNamespaceException {
    if (root == null && namespace.length == 0) return new Identifier[0];
    return below(existing(namespace)).stream()
        .filter(BinlogCatalog::isLog)
        .map(directory -> Identifier.of(namespace, directory.getFileName().toString()))
        .toArray(Identifier[]::new);
  }

  @Override
  public String[][] listNamespaces() {
    if (root == null) return new String[0][];
    return namespaces(root, new String[0]);
  }

  @Override
  public String[][] listNamespaces(String[] namespace) throws NoSuchNamespaceException {
    return namespace.length == 0 ? listNamespaces() : namespaces(existing(namespace), namespace);
  }

  private static String[][] namespaces(Path directory, String[] parent) {
    return below(directory).stream()
        .filter(child -> !isLog(child))
        .map(
            child -> {
              String[] names = Arrays.copyOf(parent, parent.length + 1);
              names[parent.length] = child.getFileName().toString();
              return names;
            })
        .toArray(String[][]::new);
  }

  @Override
  public boolean namespaceExists(String[] namespace) {
    Path directory = directory(namespace, "");
    return namespace.length == 0 || directory != null && Files.isDirectory(directory) && !isLog(directory);
  }

  @Override
  public Map<String, String> loadNamespaceMetadata(String[] namespace) throws NoSuchNamespaceException {
    if (!namespaceExists(namespace)) throw new NoSuchNamespaceException(namespace);
    return Map.of();
  }

  private UnsupportedOperationException readOnly() {
    return new UnsupportedOperationException(
        "the catalog " + name + " shows the logs that are there, and changes nothing: a log is made by its first writer, and "
            + "old segments are removed by its retention or by the command binlog prune");
  }

  @Override
  public Table createTable(Identifier table, Column[] columns, Transform[] partitions, Map<String, String> properties) {
    throw readOnly();
  }

  @Override
  @Deprecated
  public Table createTable(Identifier table, StructType schema, Transform[] partitions, Map<String, String> properties) {
    throw readOnly();
  }

  @Override
  public Table alterTable(Identifier table, TableChange... changes) {
    throw readOnly();
  }

  @Override
  public boolean dropTable(Identifier table) {
    throw readOnly();
  }

  @Override
  public void renameTable(Identifier from, Identifier to) {
    throw readOnly();
  }

  @Override
  public void createNamespace(String[] namespace, Map<String, String> metadata) {
    throw readOnly();
  }

  @Override
  public void alterNamespace(String[] namespace, NamespaceChange... changes) {
    throw readOnly();
  }

  @Override
  public boolean dropNamespace(String[] namespace, boolean cascade) {
    throw readOnly();
  }
}
