/* Options: the flat objects of NativeOptions.java, field by field, as the structs of binlog.h. */
#include "glue.h"

/* A new struct that says its size, in `into`. */
#define BEGIN(type, into)                                  \
  if (from == NULL) return NULL;                           \
  type *into = arena_take(env, arena, sizeof *into);       \
  if (into == NULL) return NULL;                           \
  into->struct_size = sizeof *into

#define INT(name) int_field(env, arena, from, name)
#define LONG(name) long_field(env, arena, from, name)
#define TEXT(name) text_field(env, arena, from, name)
#define TEXTS(name, count) texts_field(env, arena, from, name, count)
#define OBJECT(name, signature) object_field(env, arena, from, name, signature)

const binlog_roll_options *roll_options_of(JNIEnv *env, struct arena *arena, jobject from) {
  BEGIN(binlog_roll_options, roll);
  roll->period_s = (uint64_t)LONG("periodSeconds");
  roll->age_ms = (uint64_t)LONG("ageMillis");
  roll->records = (uint64_t)LONG("records");
  roll->zone = TEXT("zone");
  roll->name_template = TEXT("nameTemplate");
  jobject check = OBJECT("check", "Ljava/lang/Object;");
  if (check != NULL) {
    roll->check = on_roll_check;
    roll->check_userdata = callback_new(env, arena, check);
    roll->check_drop = callback_drop;
  }
  return roll;
}

const binlog_retention *retention_of(JNIEnv *env, struct arena *arena, jobject from) {
  BEGIN(binlog_retention, keep);
  keep->age_ms = (uint64_t)LONG("ageMillis");
  keep->segments = (uint64_t)LONG("segments");
  keep->bytes = (uint64_t)LONG("bytes");
  keep->flags = (uint32_t)INT("flags");
  return keep;
}

const binlog_required *required_of(JNIEnv *env, struct arena *arena, jobject from) {
  BEGIN(binlog_required, required);
  required->name = TEXT("name");
  required->content_type = TEXT("contentType");
  required->parameters = TEXTS("parameters", &required->parameter_count);
  required->parameter_count /= 2;
  return required;
}

binlog_compress_options *compress_options_of(JNIEnv *env, struct arena *arena, jobject from) {
  BEGIN(binlog_compress_options, compress);
  compress->flags = (uint32_t)INT("flags");
  compress->codec = (uint32_t)INT("codec");
  compress->level = INT("level");
  compress->threads = (uint32_t)INT("threads");
  compress->block_bytes = (uint32_t)INT("blockBytes");
  compress->whole = (uint32_t)INT("whole");
  return compress;
}

const binlog_ship_options *ship_options_of(JNIEnv *env, struct arena *arena, jobject from) {
  BEGIN(binlog_ship_options, ship);
  ship->flags = (uint32_t)INT("flags");
  ship->in_flight = (uint32_t)INT("inFlight");
  ship->url = TEXT("url");
  ship->credentials = TEXT("credentials");
  ship->keep = retention_of(env, arena, OBJECT("keep", "Lio/binlog/NativeOptions$Keep;"));
  ship->keep_remote = retention_of(env, arena, OBJECT("keepRemote", "Lio/binlog/NativeOptions$Keep;"));
  ship->compress = compress_options_of(env, arena, OBJECT("compress", "Lio/binlog/NativeOptions$Compress;"));
  ship->part_bytes = (uint64_t)LONG("partBytes");
  ship->bandwidth = (uint64_t)LONG("bandwidth");
  ship->timeout_ms = (uint64_t)LONG("timeoutMillis");
  ship->first_delay_ms = (uint64_t)LONG("firstDelayMillis");
  ship->longest_delay_ms = (uint64_t)LONG("longestDelayMillis");
  ship->patience_ms = (uint64_t)LONG("patienceMillis");
  ship->stale_ms = (uint64_t)LONG("staleMillis");
  ship->close_wait_ms = (uint64_t)LONG("closeWaitMillis");
  ship->file_mode = (uint32_t)INT("fileMode");
  ship->threads = (uint32_t)INT("threads");
  return ship;
}

static void hook_of(JNIEnv *env, struct arena *arena, jobject from, binlog_hook *hook) {
  hook->kind = (uint32_t)INT("kind");
  hook->argument = TEXT("argument");
  jobject call = OBJECT("call", "Ljava/lang/Object;");
  if (call != NULL) {
    hook->call = on_hook;
    hook->userdata = callback_new(env, arena, call);
    hook->drop = callback_drop;
    (*env)->DeleteLocalRef(env, call);
  }
}

static const binlog_hook *hooks_of(JNIEnv *env, struct arena *arena, jobjectArray from, size_t *count) {
  *count = 0;
  if (from == NULL || arena->failed) return NULL;
  const jsize n = (*env)->GetArrayLength(env, from);
  binlog_hook *hooks = arena_take(env, arena, (size_t)n * sizeof *hooks);
  for (jsize i = 0; hooks != NULL && i < n && !arena->failed; i++) {
    jobject one = (*env)->GetObjectArrayElement(env, from, i);
    hook_of(env, arena, one, &hooks[i]);
    (*env)->DeleteLocalRef(env, one);
  }
  *count = (size_t)n;
  return hooks;
}

const binlog_writer_options *writer_options_of(JNIEnv *env, struct arena *arena, jobject from) {
  BEGIN(binlog_writer_options, options);
  options->flags = (uint32_t)INT("flags");
  options->codec = (uint32_t)INT("codec");
  options->codec_level = INT("codecLevel");
  options->block_bytes = (uint32_t)INT("blockBytes");
  options->name = TEXT("name");
  options->content_type = TEXT("contentType");
  options->parameters = TEXTS("parameters", &options->parameter_count);
  options->parameter_count /= 2;
  options->segment_bytes = (uint64_t)LONG("segmentBytes");
  options->record_max_bytes = (uint64_t)LONG("recordMaxBytes");
  options->flush_records = (uint64_t)LONG("flushRecords");
  options->flush_bytes = (uint64_t)LONG("flushBytes");
  options->sync_records = (uint64_t)LONG("syncRecords");
  options->sync_bytes = (uint64_t)LONG("syncBytes");
  options->flush_interval_ms = (uint32_t)INT("flushIntervalMillis");
  options->sync_interval_ms = (uint32_t)INT("syncIntervalMillis");
  options->file_mode = (uint32_t)INT("fileMode");
  options->full_disk = (uint32_t)INT("fullDisk");
  options->full_disk_wait_ms = (uint64_t)LONG("fullDiskWaitMillis");
  options->index_bytes = (uint64_t)LONG("indexBytes");
  options->fill_ahead_bytes = (uint64_t)LONG("fillAheadBytes");
  options->schema_bytes = (uint64_t)LONG("schemaBytes");
  options->roll = roll_options_of(env, arena, OBJECT("roll", "Lio/binlog/NativeOptions$Roll;"));
  options->keep = retention_of(env, arena, OBJECT("keep", "Lio/binlog/NativeOptions$Keep;"));
  options->require = required_of(env, arena, OBJECT("require", "Lio/binlog/NativeOptions$Require;"));
  options->on_open = hooks_of(env, arena, OBJECT("onOpen", "[Lio/binlog/NativeOptions$Step;"), &options->on_open_count);
  options->on_close =
      hooks_of(env, arena, OBJECT("onClose", "[Lio/binlog/NativeOptions$Step;"), &options->on_close_count);
  jobject failure = OBJECT("onFailure", "Ljava/lang/Object;");
  if (failure != NULL) {
    options->on_failure = on_failure;
    options->on_failure_userdata = callback_new(env, arena, failure);
    options->on_failure_drop = callback_drop;
  }
  options->heartbeat_ms = (uint64_t)LONG("heartbeatMillis");
  options->file_group = TEXT("fileGroup");
  options->ship = ship_options_of(env, arena, OBJECT("ship", "Lio/binlog/NativeOptions$Ship;"));
  return options;
}

const binlog_reader_options *reader_options_of(JNIEnv *env, struct arena *arena, jobject from) {
  BEGIN(binlog_reader_options, options);
  options->mode = (uint32_t)INT("mode");
  options->require = required_of(env, arena, OBJECT("require", "Lio/binlog/NativeOptions$Require;"));
  jobject loss = OBJECT("onLoss", "Ljava/lang/Object;");
  if (loss != NULL) {
    options->on_loss = on_loss;
    options->on_loss_userdata = callback_new(env, arena, loss);
    options->on_loss_drop = callback_drop;
  }
  options->cache = TEXT("cache");
  options->cache_bytes = (uint64_t)LONG("cacheBytes");
  options->credentials = TEXT("credentials");
  options->block_max_bytes = (uint64_t)LONG("blockMaxBytes");
  options->log = TEXT("log");
  return options;
}

const binlog_filter *filter_of(JNIEnv *env, struct arena *arena, jobject from) {
  BEGIN(binlog_filter, filter);
  filter->flags = (uint32_t)INT("flags");
  filter->from_id = (uint64_t)LONG("fromId");
  filter->to_id = (uint64_t)LONG("toId");
  filter->from_time_ns = LONG("fromTimeNanos");
  filter->to_time_ns = LONG("toTimeNanos");
  filter->last = (uint64_t)LONG("last");
  filter->type_names = TEXTS("typeNames", &filter->type_name_count);
  filter->metadata = TEXTS("metadata", &filter->metadata_count);
  filter->metadata_count /= 2;
  jintArray types = OBJECT("types", "[I");
  if (types != NULL && !arena->failed) {
    const jsize n = (*env)->GetArrayLength(env, types);
    uint32_t *copies = arena_take(env, arena, (size_t)n * sizeof *copies);
    if (copies != NULL) (*env)->GetIntArrayRegion(env, types, 0, n, (jint *)copies);
    filter->types = copies;
    filter->type_count = (size_t)n;
  }
  return filter;
}

const binlog_plan_options *plan_options_of(JNIEnv *env, struct arena *arena, jobject from) {
  BEGIN(binlog_plan_options, plan);
  plan->target_bytes = (uint64_t)LONG("targetBytes");
  plan->most = (uint64_t)LONG("most");
  return plan;
}

const binlog_table_options *table_options_of(JNIEnv *env, struct arena *arena, jobject from) {
  BEGIN(binlog_table_options, table);
  table->columns = (uint32_t)INT("columns");
  table->flags = (uint32_t)INT("flags");
  table->metadata = TEXTS("metadata", &table->metadata_count);
  table->batch_rows = (size_t)LONG("batchRows");
  table->batch_bytes = (size_t)LONG("batchBytes");
  return table;
}
