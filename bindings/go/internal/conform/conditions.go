package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"binlog"
)

// conditions makes a filter from words such as "from_id=5", "pair=key=value" and
// "newest_first".
func conditions(words []string) (binlog.Filter, error) {
	var filter binlog.Filter
	for _, word := range words {
		what, value, _ := strings.Cut(word, "=")
		number, notNumber := strconv.ParseInt(value, 10, 64)
		switch what {
		case "from_id", "to_id", "from_time", "to_time", "type", "last":
			if notNumber != nil {
				return filter, notNumber
			}
		}
		switch what {
		case "from_id":
			filter.FromID = uint64(number)
		case "to_id":
			filter.ToID = uint64(number)
		case "from_time":
			filter.FromTime = time.Unix(0, number)
		case "to_time":
			filter.ToTime = time.Unix(0, number)
		case "type":
			filter.Types = append(filter.Types, binlog.Type(number))
		case "type_name":
			filter.TypeNames = append(filter.TypeNames, value)
		case "pair":
			key, value, _ := strings.Cut(value, "=")
			filter.Metadata = filter.Metadata.Add(key, value)
		case "last":
			filter.Last = uint64(number)
		case "newest_first":
			filter.NewestFirst = true
		default:
			return filter, fmt.Errorf("%s is no condition", word)
		}
	}
	return filter, nil
}
