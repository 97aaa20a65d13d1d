module binlog-examples

go 1.24

require binlog v0.0.0

replace binlog => ../../bindings/go
