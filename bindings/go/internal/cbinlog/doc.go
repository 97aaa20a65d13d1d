// Package cbinlog is the only package that calls the C library: every call of C in this module is here, one site for
// each function, and no type of C leaves the package.
//
// Handles are not guarded here: the caller separates closing from using, as binlog.h demands.
package cbinlog
