package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** Options, rules and filters are values: they can be compared, and have a text. */
class OptionsTest {
  private static final Consumer<Object> LISTENER = what -> {};
  private static final RollCheck CHECK = segment -> false;

  private static final Map<Supplier<?>, String> ALL =
      Map.of(
          () -> Filter.builder().fromId(3).typeName("order").metadata("host", "a").headersOnly().type(1, 2).build(),
          "Filter{headersOnly, fromId=3, types=[1, 2], typeNames=[order], metadata=[host, a]}",
          () -> Retention.builder().segments(3).age(Duration.ofSeconds(1)).build(),
          "Retention{ageMillis=1000, segments=3}",
          () -> Required.builder().name("orders").build(),
          "Required{name=orders}",
          () -> CompressOptions.builder().keepSource().build(),
          "CompressOptions{keepSource, compression=ZSTD, whole=NONE}",
          () -> RollOptions.builder().records(5).build(),
          "RollOptions{records=5}",
          () -> ReaderOptions.builder().log("orders").cache(Path.of("/cache")).mode(ReaderMode.STRICT).build(),
          "ReaderOptions{mode=STRICT, cache=/cache, log=orders}",
          () -> PlanOptions.builder().targetBytes(1 << 20).most(8).build(),
          "PlanOptions{targetBytes=1048576, most=8}",
          () -> Hook.moveTo(Path.of("/done")),
          "Hook{kind=moveTo, argument=/done}",
          () -> WriterOptions.builder().background().name("a").onClose(Hook.delete()).roll(RollOptions.builder().records(5).build()).build(),
          "WriterOptions{background, compression=NONE, name=a, fullDisk=FAIL, roll=RollOptions{records=5}, onClose=[Hook{kind=delete}]}",
          () -> ShipOptions.builder("s3://bucket/logs?region=x").keep(Retention.builder().segments(1).build()).build(),
          "ShipOptions{url=s3://bucket/logs?..., keep=Retention{segments=1}}");

  @Test
  void equal_options_are_equal_and_have_a_text() {
    List<Object> different = new ArrayList<>();
    for (Map.Entry<Supplier<?>, String> each : ALL.entrySet()) {
      Object one = each.getKey().get();
      Object same = each.getKey().get();
      assertEquals(one, same);
      assertEquals(one.hashCode(), same.hashCode());
      assertEquals(each.getValue(), one.toString());
      for (Object other : different) assertNotEquals(one, other);
      different.add(one);
    }
  }

  @Test
  void what_says_something_else_is_not() {
    assertNotEquals(Filter.builder().type(1).build(), Filter.builder().type(2).build());
    assertNotEquals(Filter.builder().from(Instant.ofEpochSecond(1)).build(), Filter.all());
    assertEquals(Filter.builder().build(), Filter.all());
    assertNotEquals(
        ShipOptions.builder("s3://b?region=x").build(), ShipOptions.builder("s3://b?region=y").build());
    // Functions are compared as objects.
    assertEquals(Hook.call(LISTENER::accept) instanceof Hook, true);
    Hook.Step step = LISTENER::accept;
    assertEquals(Hook.call(step), Hook.call(step));
    assertNotEquals(Hook.call(step), Hook.call(segment -> {}));
    assertEquals(RollOptions.builder().check(CHECK).build(), RollOptions.builder().check(CHECK).build());
    assertNotEquals(RollOptions.builder().check(CHECK).build(), RollOptions.builder().check(segment -> true).build());
    assertEquals(ReaderOptions.builder().onLoss(LISTENER).build(), ReaderOptions.builder().onLoss(LISTENER).build());
    WriterOptions.Builder builder = WriterOptions.builder().onFailure(LISTENER);
    WriterOptions before = builder.build();
    assertEquals(before, builder.build());
    assertNotEquals(before, builder.flushAtShutdown(false).build());
  }

  @Test
  void no_text_shows_a_secret() {
    String[] urls = {
      "s3://AKIA:s3cret@bucket/logs", "az://c/p?account=a&sas=s3cret", "exec:curl -H 'Authorization: s3cret' -T -",
      "swift://user:s3cret@c/p?auth=https://u:s3cret@host/v3",
    };
    for (String url : urls) {
      String text = WriterOptions.builder().ship(ShipOptions.builder(url).build()).build().toString();
      assertTrue(text.contains("url="), text);
      assertFalse(text.contains("s3cret"), text);
    }
  }

  /** A field that is added later counts too. */
  @Test
  void every_field_is_said() throws Exception {
    Class<?>[] all = {
      WriterOptions.class, ReaderOptions.class, RollOptions.class, CompressOptions.class, ShipOptions.class,
      Retention.class, Required.class, Filter.class, PlanOptions.class, Hook.class,
    };
    String source = "bindings/java/src/main/java/io/binlog/";
    for (Class<?> each : all) {
      Method said = each.getDeclaredMethod("said");
      assertTrue(Modifier.isPrivate(said.getModifiers()));
      String text = java.nio.file.Files.readString(Logs.ROOT.resolve(source + each.getSimpleName() + ".java"));
      String body = text.substring(text.indexOf("Object[] said()"), text.indexOf("};", text.indexOf("Object[] said()")));
      List<Field> fields = new ArrayList<>(Arrays.asList(each.getDeclaredFields()));
      if (fields.removeIf(field -> field.getName().equals("set"))) {
        fields.addAll(Arrays.asList(Class.forName(each.getName() + "$Builder").getDeclaredFields()));
      }
      fields.removeIf(field -> Modifier.isStatic(field.getModifiers()));
      assertFalse(fields.isEmpty());
      for (Field field : fields) {
        // Of a hook the function as it was given.
        if (each == Hook.class && field.getName().equals("function")) continue;
        assertTrue(body.matches("(?s).*\\b" + field.getName() + "\\b[^\"]*"
            + ".*"), each.getSimpleName() + "." + field.getName());
      }
    }
  }
}
