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

	Node  json.RawMessage `json:"node,omitempty"`
	Event *Event          `json:"event,omitempty"`

	End    bool `json:"end,omitempty"`
	Nodes  int  `json:"nodes,omitempty"`
	Events int  `json:"events,omitempty"`
}

const backupVersion = 1

// Backup writes all nodes, as they are at one moment, and what is remembered of
// before then. The registry goes on meanwhile. [Registry.Restore] reads it,
// whatever the store.
func (r *Registry) Backup(ctx context.Context, w io.Writer) error {
	if err := cmp.Or(r.usable(), r.needsMemory()); err != nil {
		return err
	}
	now := r.conf.Now().UTC()
	until := r.events.position()
	nodes := r.table.all() // nodes are never changed once handed out
	hearing, err := r.clock().marshal()
	if err != nil {
		return err
	}
	zip := gzip.NewWriter(w)
	out := bufio.NewWriterSize(zip, 1<<16)
	lines := json.NewEncoder(out)
	err = lines.Encode(backupLine{Muster: "backup", Version: backupVersion, At: &now, Hearing: hearing})
	var b []byte
	for _, n := range nodes {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("writing the backup: %w", err)
		}
		b = append(AppendRecord(append(b[:0], `{"node":`...), n.node()), "}\n"...)
		_, err = out.Write(b)
	}
	events := 0
	if err == nil {
		err = r.Events(ctx, EventRange{Until: max(1, until)}, func(e Event) error {
			events++
			return lines.Encode(backupLine{Event: &e})
		})
	}
	if err == nil || errors.Is(err, ErrNoHistory) {
		err = errors.Join(lines.Encode(backupLine{End: true, Nodes: len(nodes), Events: events}), out.Flush(), zip.Close())
	}
	if err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	return nil
}

// backupReader reads a backup line by line, and sees that it is whole.
type backupReader struct {
	lines         *bufio.Reader
	number        int
	nodes, events int
	head          backupLine
}

func openBackup(src io.Reader) (*backupReader, error) {
	zip, err := gzip.NewReader(src)
	if err != nil {
		return nil, errors.New("this is no backup of muster: it is not compressed with gzip")
	}
	b := &backupReader{lines: bufio.NewReaderSize(zip, 1<<16)}
	if b.head, err = b.line(); err != nil || b.head.Muster != "backup" {
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
