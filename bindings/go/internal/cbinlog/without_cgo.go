//go:build !cgo

package cbinlog

// A compiler shows the text that it cannot convert. Without this line, it would show undefined names.
var _ struct{} = "binlog calls a C library: build with CGO_ENABLED=1, a C compiler and pkg-config (bindings/go/README.md)"
