//go:build binlog_poison

package binlog

const poisons = true
