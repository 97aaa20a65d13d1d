//go:build !cgo

package cbinlog

// A compiler shows the text of what it cannot convert. Without this, it would show which names are undefined.
var _ struct{} = "binlog calls a C library: build with CGO_ENABLED=1, a C compiler and pkg-config (bindings/go/README.md)"
