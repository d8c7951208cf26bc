package registry

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// A backup is lines of JSON, compressed with gzip:
//
//	{"muster":"backup","version":1,"at":"2026-01-02T15:04:05Z","hearing":{…}}
//	{"node":{…}}     what AppendRecord writes
//	{"event":{…}}    an Event
//	{"end":true,"nodes":2,"events":7}
//
// Nodes come before events. One without its end is not whole.
type backupLine struct {
	Muster  string          `json:"muster,omitempty"`
	Version int             `json:"version,omitempty"`
	At      *time.Time      `json:"at,omitempty"`
	Hearing json.RawMessage `json:"hearing,omitempty"`
	Last    uint64          `json:"last,omitempty"` // in heads: the ID of the last event before

	Node  json.RawMessage `json:"node,omitempty"`
	Event *Event          `json:"event,omitempty"`

	End    bool `json:"end,omitempty"`
	Nodes  int  `json:"nodes,omitempty"`
	Events int  `json:"events,omitempty"`
}

const backupVersion = 1

// What the first line of such a file calls it.
const (
	kindBackup = "backup"
	kindHeads  = "heads" // for neighbours: nodes without what they say, see [Registry.Heads]
)

// Backup writes all nodes, as they are at one moment, and what is remembered of
// before then. The registry goes on meanwhile. [Registry.Restore] reads it,
// whatever the store.
func (r *Registry) Backup(ctx context.Context, w io.Writer) error {
	if err := cmp.Or(r.usable(), r.needsMemory()); err != nil {
		return err
	}
	until := r.events.position()
	err := r.writeLines(ctx, w, lines{
		kind: kindBackup, level: gzip.DefaultCompression, nodes: r.table.all(), // nodes are never changed once handed out
		write: (*Head).node, events: EventRange{Until: max(1, until)},
	})
	if err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	return nil
}

// lines is what is written in the form of a backup.
type lines struct {
	kind   string
	level  int // of compression
	nodes  []*Head
	write  func(*Head) *Node // what is written of a node
	events EventRange        // none if Until is 0
	last   uint64            // the ID of the last event before; 0: none, or it is no matter
}

func (r *Registry) writeLines(ctx context.Context, w io.Writer, l lines) error {
	now := r.conf.Now().UTC()
	hearing, err := r.clock().marshal()
	if err != nil {
		return err
	}
	zip, err := gzip.NewWriterLevel(w, l.level)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(zip, 1<<16)
	lines := json.NewEncoder(out)
	err = lines.Encode(backupLine{Muster: l.kind, Version: backupVersion, At: &now, Hearing: hearing, Last: l.last})
	var b []byte
	for _, n := range l.nodes {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		b = append(AppendRecord(append(b[:0], `{"node":`...), l.write(n)), "}\n"...)
		_, err = out.Write(b)
	}
	events := 0
	if err == nil && l.events.Until > 0 {
		err = r.Events(ctx, l.events, func(e Event) error {
			events++
			return lines.Encode(backupLine{Event: &e})
		})
	}
	if err != nil && !errors.Is(err, ErrNoHistory) {
		return err
	}
	return errors.Join(lines.Encode(backupLine{End: true, Nodes: len(l.nodes), Events: events}), out.Flush(), zip.Close())
}

// backupReader reads a backup line by line, and sees that it is whole.
type backupReader struct {
	lines         *bufio.Reader
	number        int
	nodes, events int
	head          backupLine
}

func openBackup(src io.Reader, kind string) (*backupReader, error) {
	zip, err := gzip.NewReader(src)
	if err != nil {
		return nil, errors.New("this is no backup of muster: it is not compressed with gzip")
	}
	b := &backupReader{lines: bufio.NewReaderSize(zip, 1<<16)}
	if b.head, err = b.line(); err != nil || b.head.Muster != kind {
		return nil, errors.New("this is no backup of muster: its first line does not say so")
	}
	if b.head.Version != backupVersion {
		return nil, fmt.Errorf("the backup has version %d, and this version of muster reads %d only", b.head.Version, backupVersion)
	}
	return b, nil
}

func (b *backupReader) line() (l backupLine, err error) {
	const most = 4 * MaxBody
	var text []byte
	for more := true; more; {
		var part []byte
		if part, more, err = b.lines.ReadLine(); err != nil {
			return l, fmt.Errorf("line %d: the backup breaks off, or is damaged (%w)", b.number+1, err)
		}
		if text = append(text, part...); len(text) > most {
			return l, fmt.Errorf("line %d is longer than %d bytes", b.number+1, most)
		}
	}
	b.number++
	if err := json.Unmarshal(text, &l); err != nil {
		return l, fmt.Errorf("line %d is damaged: %w", b.number, err)
	}
	return l, nil
}

// each hands what the backup holds to one of two functions, until its end.
func (b *backupReader) each(node func(Node) error, event func(Event) error) error {
	for {
		l, err := b.line()
		switch {
		case err != nil:
			return err
		case l.End && (l.Nodes != b.nodes || l.Events != b.events):
			return fmt.Errorf("the backup holds %d nodes and %d events, and says %d and %d: it is damaged", b.nodes, b.events, l.Nodes, l.Events)
		case l.End:
			if _, err := b.lines.ReadByte(); !errors.Is(err, io.EOF) {
				return errors.New("the backup is damaged: its end is not the last, or its checksum does not fit")
			}
			return nil
		case l.Event != nil:
			b.events++
			err = event(*l.Event)
		default:
			var n Node
			if n, err = ParseRecord(l.Node); err != nil {
				return fmt.Errorf("line %d: %w", b.number, err)
			}
			b.nodes++
			err = node(n)
		}
		if err != nil {
			return err
		}
	}
}
