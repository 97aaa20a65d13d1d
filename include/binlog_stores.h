/* binlog's stores on servers: S3 and what speaks it, Google Cloud Storage, Azure Blob Storage, OpenStack Swift.
 *
 * libbinlog loads libbinlog_stores.so.0 by itself when a URL needs it. This header is for programs that link it, such as those
 * that are linked statically (-lbinlog_stores -lbinlog) and load no libraries: they give its one function to the options of
 * writers, readers and shippers, as open_store. docs/stores.md describes the URLs.
 */

#ifndef BINLOG_STORES_H
#define BINLOG_STORES_H

#include <binlog.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opens the store of a URL: a binlog_store_open_callback. It does not look at userdata. Any thread. */
int32_t binlog_stores_open(void *userdata,
                           const binlog_store_reply *reply,
                           const char *url,
                           const binlog_store_options *options,
                           binlog_store *store);

#ifdef __cplusplus
}
#endif

#endif /* BINLOG_STORES_H */
