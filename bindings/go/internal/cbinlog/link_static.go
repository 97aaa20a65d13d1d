//go:build binlog_static

package cbinlog

// pkg-config names the library as "-lbinlog", which a linker takes to be the shared one when both exist. The static
// library comes before it and resolves everything, and the shared one is not needed.

// #cgo pkg-config: --static binlog
// #cgo LDFLAGS: -l:libbinlog.a -Wl,--as-needed
import "C"
