package binlog

import "binlog/internal/cbinlog"

// Version is the version of the library that is loaded, such as "0.1.0".
func Version() string { return cbinlog.Version() }

// VersionNumber is the same as a number: major << 16 | minor << 8 | patch.
func VersionNumber() uint32 { return cbinlog.VersionNumber() }
