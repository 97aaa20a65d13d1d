//go:build binlog_static

package cbinlog

// pkg-config names the library as "-lbinlog", which a linker takes to be the shared one when both are there. The static
// one stands before it and resolves everything, so that the shared one is not needed.

// #cgo pkg-config: --static binlog
// #cgo LDFLAGS: -l:libbinlog.a -Wl,--as-needed
import "C"
