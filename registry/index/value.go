package index

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"time"
)

// appendValue writes a value: a letter for its type, then its content. Text is
// written as it is, so that it can be searched for.
func appendValue(b []byte, v any, k *keys) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, '0')
	case bool:
		if v {
			return append(b, 'T')
		}
		return append(b, 'F')
	case string:
		return append(binary.AppendUvarint(append(b, 's'), uint64(len(v))), v...)
	case int64:
		return appendInt(b, v)
	case float64:
		return binary.LittleEndian.AppendUint64(append(b, 'f'), math.Float64bits(v))
	case json.Number:
		return append(binary.AppendUvarint(append(b, 'n'), uint64(len(v))), v...)
	case time.Time:
		return binary.AppendVarint(binary.AppendVarint(append(b, 't'), v.Unix()), int64(v.Nanosecond()))
	case []any:
		b = binary.AppendUvarint(append(b, 'l'), uint64(len(v)))
		for _, el := range v {
			b = appendValue(b, el, k)
		}
		return b
	case map[string]any:
		return appendMap(b, v, k)
	}
	return append(b, '0') // a document holds nothing else
}

func appendInt(b []byte, n int64) []byte { return binary.AppendVarint(append(b, 'i'), n) }

// appendMap writes the keys by their numbers, in order, so that equal maps are
// written alike.
func appendMap(b []byte, m map[string]any, k *keys) []byte {
	names := sortedKeys(m)
	k.maps = true
	b = binary.AppendUvarint(append(b, 'm'), uint64(len(m)))
	for _, name := range names {
		b = binary.AppendUvarint(b, uint64(k.id(name)))
		b = appendValue(b, m[name], k)
	}
	return b
}

// reader reads what appendValue wrote. The texts it returns are those of b.
type reader struct {
	b    []byte
	keys *keys
}

func (r *reader) uvarint() int {
	n, size := binary.Uvarint(r.b)
	r.b = r.b[size:]
	return int(n)
}

func (r *reader) varint() int64 {
	n, size := binary.Varint(r.b)
	r.b = r.b[size:]
	return n
}

func (r *reader) text() string {
	n := r.uvarint()
	s := view(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) value() any {
	tag := r.b[0]
	r.b = r.b[1:]
	switch tag {
	case 'T':
		return true
	case 'F':
		return false
	case 's':
		return r.text()
	case 'i':
		return r.varint()
	case 'f':
		f := math.Float64frombits(binary.LittleEndian.Uint64(r.b))
		r.b = r.b[8:]
		return f
	case 'n':
		return json.Number(r.text())
	case 't':
		seconds := r.varint()
		return time.Unix(seconds, r.varint()).UTC()
	case 'l', 'L':
		list := make([]any, r.uvarint())
		for i := range list {
			list[i] = r.value()
		}
		return list
	case 'm':
		n := r.uvarint()
		m := make(map[string]any, n)
		for range n {
			name := r.keys.names[r.uvarint()]
			m[name] = r.value()
		}
		return m
	}
	return nil
}

// walk passes by a value, calling text for each text in it and key for the
// number of each key.
func (r *reader) walk(text func(string), key func(id int)) {
	tag := r.b[0]
	r.b = r.b[1:]
	switch tag {
	case 's':
		text(r.text())
	case 'n':
		r.text()
	case 'i':
		r.varint()
	case 'f':
		r.b = r.b[8:]
	case 't':
		r.varint()
		r.varint()
	case 'l', 'L':
		for range r.uvarint() {
			r.walk(text, key)
		}
	case 'm':
		for range r.uvarint() {
			key(r.uvarint())
			r.walk(text, key)
		}
	}
}
