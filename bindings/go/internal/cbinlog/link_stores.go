//go:build binlog_stores

package cbinlog

// Also links the library of stores, for programs that cannot load one: those that are linked statically as a whole.

// #cgo LDFLAGS: -l:libbinlog_stores.a
// #include <binlog_stores.h>
import "C"

func init() { openStore = C.binlog_store_open_callback(C.binlog_stores_open) }
