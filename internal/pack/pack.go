package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Config says how a Packer works.
type Config struct {
	Largest int // bytes of the largest record

	// Dictionaries are those of before, by number; what was packed with them can
	// be read, and the last of them is used. nil: one is made of the first
	// records.
	Dictionaries map[byte][]byte

	// Keep stores a dictionary before it is used; nil: it need not outlive the
	// process. After a failure it is asked again.
	Keep func(ctx context.Context, number byte, dictionary []byte) error
}

// Packer packs records. Its methods may be called from several goroutines.
type Packer struct {
	conf  Config
	codec atomic.Pointer[codec]

	mu      sync.Mutex
	samples map[string][]byte // by the name of what the record is about
}

// What a dictionary is made of.
const (
	samples   = 10       // records
	maxSample = 32 << 10 // bytes of each
)

// What is packed begins with the number of the dictionary, or one of these.
const (
	noDictionary = 0
	quick        = 255
	quickAlone   = 254 // without one
)

// ErrDamaged is the answer to bytes that no Packer has packed.
var ErrDamaged = errors.New("its checksum does not fit")

// New returns a Packer, which has nothing to be closed.
func New(c Config) (*Packer, error) {
	p := &Packer{conf: c}
	codec, err := newCodec(c.Dictionaries, c.Largest)
	if err != nil {
		return nil, err
	}
	p.codec.Store(codec)
	return p, nil
}

// Pack returns a record packed. Name says what it is about: of several records
// about one thing only one goes into a dictionary, and none without a name.
func (p *Packer) Pack(ctx context.Context, name string, record []byte) []byte {
	p.learn(ctx, name, record)
	c := p.codec.Load()
	packed := c.enc.EncodeAll(record, append(make([]byte, 0, len(record)/3), c.number))
	return bytes.Clone(packed) // it is kept, and mostly shorter
}

// Quick is Pack in a fraction of the time and with a bit more room, for what is
// not stored: what is packed can be unpacked by this Packer only.
func (p *Packer) Quick(record []byte) []byte {
	var small []byte
	kind := byte(quick)
	if d := p.codec.Load().near; d != nil {
		small = d.Encode(nil, record)
	} else {
		small, kind = s2.Encode(nil, record), quickAlone
	}
	return append(append(make([]byte, 0, 1+len(small)), kind), small...)
}

// Unpack returns the record that was packed, or ErrDamaged.
func (p *Packer) Unpack(packed []byte) ([]byte, error) {
	c := p.codec.Load()
	var record []byte
	var err error
	switch {
	case len(packed) > 0 && packed[0] == quickAlone:
		record, err = s2.Decode(nil, packed[1:])
	case len(packed) > 0 && packed[0] == quick && c.near != nil:
		record, err = c.near.Decode(nil, packed[1:])
	case len(packed) == 0 || packed[0] > c.number:
		return nil, errors.New("it is packed in a way that this version does not know")
	default:
		record, err = c.dec.DecodeAll(packed[1:], nil)
	}
	if err != nil {
		return nil, ErrDamaged
	}
	return record, nil
}

// Sample keeps a record for the first dictionary, as Pack does.
func (p *Packer) Sample(name string, record []byte) {
	if p.codec.Load().number != noDictionary {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enough(name, record)
}

// learn makes the first dictionary, once there are samples enough. A failure is
// no harm: the next record tries again.
func (p *Packer) learn(ctx context.Context, name string, record []byte) {
	if p.codec.Load().number != noDictionary {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.codec.Load().number != noDictionary || !p.enough(name, record) {
		return
	}
	if err := p.use(ctx, 1, joined(p.samples)); err == nil {
		p.samples = nil
	}
}

// enough keeps a record, and reports whether there are enough.
func (p *Packer) enough(name string, record []byte) bool {
	if p.samples == nil {
		p.samples = map[string][]byte{}
	}
	if name != "" && len(p.samples) < samples {
		p.samples[name] = bytes.Clone(record[:min(len(record), maxSample)])
	}
	return len(p.samples) >= samples
}

// use packs with a dictionary from now on, once it is kept.
func (p *Packer) use(ctx context.Context, number byte, dictionary []byte) error {
	next, err := newCodec(map[byte][]byte{number: dictionary}, p.conf.Largest)
	if err == nil && p.conf.Keep != nil {
		err = p.conf.Keep(ctx, number, dictionary)
	}
	if err == nil {
		p.codec.Store(next)
	}
	return err
}

// codec packs with one dictionary, and reads what was packed with any.
type codec struct {
	number byte // of the dictionary; noDictionary for none
	enc    *zstd.Encoder
	dec    *zstd.Decoder
	near   *s2.Dict // the same dictionary for Quick; nil: none
}

func newCodec(all map[byte][]byte, largest int) (*codec, error) {
	c := &codec{}
	atOnce := runtime.GOMAXPROCS(0)
	reading := []zstd.DOption{zstd.WithDecoderConcurrency(atOnce), zstd.WithDecoderMaxMemory(uint64(largest))}
	writing := []zstd.EOption{zstd.WithEncoderConcurrency(atOnce), zstd.WithLowerEncoderMem(true), zstd.WithEncoderLevel(zstd.SpeedFastest)}
	for number, content := range all {
		reading = append(reading, zstd.WithDecoderDictRaw(uint32(number), content))
		c.number = max(c.number, number)
	}
	if c.number != noDictionary {
		content := all[c.number]
		writing = append(writing, zstd.WithEncoderDictRaw(uint32(c.number), content))
		c.near = s2.MakeDict(content[max(0, len(content)-s2.MaxDictSize):], nil)
	}
	var err error
	if c.enc, err = zstd.NewWriter(nil, writing...); err == nil {
		c.dec, err = zstd.NewReader(nil, reading...)
	}
	if err != nil {
		return nil, fmt.Errorf("preparing compression: %w", err)
	}
	return c, nil
}

// joined is the samples in the order of their names.
func joined(samples map[string][]byte) []byte {
	var all []byte
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		all = append(all, samples[name]...)
	}
	return all
}
