// Command peers appends with what Go programs use instead of binlog.
//
//	peers PEER append|checked-append SIZE COUNT DIR
//
// It prints the nanoseconds that COUNT lines with SIZE bytes of text took, until they were passed to the system. "checked"
// reads all of them back afterwards. Before that it appends a quarter as many in a directory beside DIR, to warm up.
//
// Both write JSON with the time in nanoseconds and a type, by a buffer of 128 KiB.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const buffer = 128 << 10

func main() {
	took, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "peers: %v\n", err)
		os.Exit(1)
	}
	fmt.Println(took.Nanoseconds())
}

// peer appends to a new file, and returns how long that took.
type peer func(payload []byte, count int, file io.Writer) (time.Duration, error)

var peers = map[string]peer{"zap": appendByZap, "zerolog": appendByZerolog}

func run(args []string) (time.Duration, error) {
	if len(args) != 5 || peers[args[0]] == nil || !strings.HasSuffix(args[1], "append") {
		return 0, errors.New("usage: peers zap|zerolog append|checked-append SIZE COUNT DIR")
	}
	size, err := strconv.Atoi(args[2])
	if err != nil {
		return 0, err
	}
	count, err := strconv.Atoi(args[3])
	if err != nil {
		return 0, err
	}
	// Letters and digits alone: nothing has to be escaped.
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[i*7%62]
	}
	directory := args[4]
	scratch, err := os.MkdirTemp(filepath.Dir(filepath.Clean(directory)), "warm-up-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(scratch)
	if _, err := appendAll(peers[args[0]], payload, count/4, scratch); err != nil {
		return 0, err
	}
	took, err := appendAll(peers[args[0]], payload, count, directory)
	if err == nil && args[1] == "checked-append" {
		err = check(payload, count, directory)
	}
	return took, err
}

const name = "lines"

func appendAll(by peer, payload []byte, count int, directory string) (took time.Duration, err error) {
	if err := os.MkdirAll(directory, 0o750); err != nil {
		return 0, err
	}
	file, err := os.Create(filepath.Join(directory, name))
	if err != nil {
		return 0, err
	}
	defer func() {
		if closing := file.Close(); err == nil {
			err = closing
		}
	}()
	counted := &countingWriter{file: file}
	took, err = by(payload, count, counted)
	// Neither returns the errors of writing.
	if err == nil && counted.bytes < count*len(payload) {
		err = fmt.Errorf("%d lines have %d bytes together", count, counted.bytes)
	}
	return took, err
}

type countingWriter struct {
	file  *os.File
	bytes int
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.bytes += n
	return n, err
}

func appendByZap(payload []byte, count int, file io.Writer) (time.Duration, error) {
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		TimeKey:    "time",
		EncodeTime: zapcore.EpochNanosTimeEncoder,
		MessageKey: zapcore.OmitKey,
	})
	// It would sync the file if it saw that it is one.
	out := &zapcore.BufferedWriteSyncer{WS: zapcore.AddSync(file), Size: buffer}
	logger := zap.New(zapcore.NewCore(encoder, out, zapcore.InfoLevel))
	began := time.Now()
	for range count {
		logger.Info("", zap.Uint32("type", 1), zap.ByteString("payload", payload))
	}
	if err := logger.Sync(); err != nil {
		return 0, err
	}
	took := time.Since(began)
	return took, out.Stop()
}

func appendByZerolog(payload []byte, count int, file io.Writer) (time.Duration, error) {
	zerolog.TimeFieldFormat = zerolog.TimeFormatUnixNano
	out := bufio.NewWriterSize(file, buffer)
	logger := zerolog.New(out)
	began := time.Now()
	for range count {
		logger.Log().Timestamp().Uint32("type", 1).Bytes("payload", payload).Send()
	}
	if err := out.Flush(); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

func check(payload []byte, count int, directory string) error {
	file, err := os.Open(filepath.Join(directory, name))
	if err != nil {
		return err
	}
	defer file.Close()
	lines := 0
	for scanner := bufio.NewScanner(file); scanner.Scan(); lines++ {
		var line struct {
			Time    int64
			Type    uint32
			Payload string
		}
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			return err
		}
		if line.Time <= 0 || line.Type != 1 || line.Payload != string(payload) {
			return fmt.Errorf("line %d is another one: %s", lines, scanner.Bytes())
		}
	}
	if lines != count {
		return fmt.Errorf("%d lines, not %d", lines, count)
	}
	return nil
}
