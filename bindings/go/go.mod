module binlog

go 1.24
