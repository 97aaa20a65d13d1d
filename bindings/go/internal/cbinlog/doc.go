// Package cbinlog is the one door between Go and the C library: every call of C in this module is here, one site for
// each function, and no type of C leaves the package.
//
// Handles are not guarded here: whoever calls keeps closing apart from using, as binlog.h demands.
package cbinlog
