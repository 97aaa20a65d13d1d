// Command conform is this language's part of the comparison of all languages (tests/conformance): what it reads, writes
// and follows has to be the same, byte for byte, as in the others.
//
//	conform read PATH [CONDITION]...  prints the log as the JSON of tests/golden; with conditions, what they leave
//	conform salvage PATH              the same past damage, and with what is lost
//	conform types PATH                prints the named types, a line each
//	conform write DIR COUNT           writes records whose contents their ids say, by every way of appending
//	conform stage DIR COUNT           writes them through an appender
//	conform tail DIR COUNT            follows a log, and prints its first records as they come
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"binlog"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "conform: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) >= 2 && args[0] == "read":
		filter, err := conditions(args[2:])
		if err != nil {
			return err
		}
		return read(args[1], filter, false, os.Stdout)
	case len(args) == 2 && args[0] == "salvage":
		return read(args[1], binlog.Filter{}, true, os.Stdout)
	case len(args) == 2 && args[0] == "types":
		return types(args[1], os.Stdout)
	case len(args) == 3 && (args[0] == "write" || args[0] == "stage" || args[0] == "tail"):
		count, err := strconv.ParseUint(args[2], 10, 64)
		if err != nil {
			return err
		}
		switch args[0] {
		case "write":
			return write(args[1], count)
		case "stage":
			return stage(args[1], count)
		}
		return tail(args[1], count, os.Stdout)
	}
	return errors.New("usage: conform read PATH [CONDITION]... | conform salvage PATH | conform types PATH | conform write|stage|tail DIR COUNT")
}
