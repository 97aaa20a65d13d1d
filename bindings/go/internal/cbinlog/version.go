package cbinlog

// #include "shim.h"
//
// #cgo noescape binlog_version
// #cgo nocallback binlog_version
// #cgo noescape binlog_version_number
// #cgo nocallback binlog_version_number
import "C"

// Version of the library that is loaded, as text.
func Version() string { return C.GoString(C.binlog_version()) }

// VersionNumber is major << 16 | minor << 8 | patch of the library that is loaded.
func VersionNumber() uint32 { return uint32(C.binlog_version_number()) }
