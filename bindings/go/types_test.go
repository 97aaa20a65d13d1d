package binlog

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

func TestATypeIsAllThatItSaysAndReadersAreToldIt(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory, WithSchemaBytes(1000))
	schema := []byte{0x0a, 0, 0xff, '{'}
	order := TypeOptions{
		Name: "order", ContentType: "application/x-protobuf", Encoding: "protobuf", Message: "shop.Ordér", Schema: schema,
	}
	number, err := w.TypeOf(order)
	must(t, err)
	again, err := w.TypeOf(order)
	must(t, err)
	plain := TypeOptions{Name: "order", Encoding: "json"}
	other, err := w.TypeOf(plain)
	must(t, err)
	if again != number || other == number {
		t.Errorf("%d, %d, %d", number, again, other)
	}
	for _, wrong := range []TypeOptions{{}, {Name: "a\x00b"}, {Name: "a", Schema: schema}} {
		_, err = w.TypeOf(wrong)
		wantIs(t, err, ErrInvalid)
	}
	_, err = w.TypeOf(TypeOptions{Name: "a", Encoding: "x", Schema: make([]byte, 1000)})
	wantIs(t, err, ErrTooLarge)
	_, err = w.Append(number, []byte("x"))
	must(t, err)
	must(t, w.Close())
	_, err = w.TypeOf(order)
	wantIs(t, err, ErrClosed)

	r, err := OpenReader(directory)
	must(t, err)
	defer r.Close()
	c, err := r.Cursor(Filter{})
	must(t, err)
	record, err := c.Next()
	must(t, err)
	info, err := c.TypeInfo(record.Type())
	must(t, err)
	if !bytes.Equal(info.Schema, schema) || info.SchemaSHA256 != sha256.Sum256(schema) || info.Type != number ||
		info.Name != order.Name || info.ContentType != order.ContentType || info.Encoding != order.Encoding ||
		info.Message != order.Message {
		t.Errorf("%+v", info)
	}
	_, err = c.TypeInfo(1)
	wantIs(t, err, ErrNotFound)
	must(t, c.Close())
	_, err = c.TypeInfo(number)
	wantIs(t, err, ErrClosed)
	all, err := r.Types()
	must(t, err)
	if len(all) != 2 || all[1].Encoding != "json" || all[1].Schema != nil || all[1].SchemaSHA256 != [32]byte{} {
		t.Errorf("%+v", all)
	}
}

func TestCountsSayThatANameHasSeveralNumbers(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory)
	for _, encoding := range []string{"json", "cbor"} {
		number, err := w.TypeOf(TypeOptions{Name: "order", Encoding: encoding})
		must(t, err)
		_, err = w.Append(number, []byte("x"))
		must(t, err)
	}
	_, err := w.Append(7, []byte("y"))
	must(t, err)
	must(t, w.Close())
	r, err := OpenReader(directory)
	must(t, err)
	defer r.Close()
	counts, err := r.Counts()
	must(t, err)
	if len(counts) != 2 || counts[0].Records != 2 || !counts[0].SeveralNumbers || counts[1].SeveralNumbers {
		t.Errorf("%+v", counts)
	}
}
