//go:build !binlog_static

package cbinlog

// #cgo pkg-config: binlog
import "C"
