package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"muster/registry"
)

// Times of a stream of events.
const (
	streamPatience = 10 * time.Second // for a watcher to take one
	streamBeat     = 15 * time.Second // between signs of life
)

// stream sends, as server-sent events, the nodes that enter or leave what a
// search names, or change within it, until the client goes away. It takes the
// keys of a search, and after or the header Last-Event-ID to go on.
func (s *Server) stream(c echo.Context) error {
	values := c.QueryParams()
	after, err := eventAfter(orWord(c.Request().Header.Get("Last-Event-ID"), values.Get("after")))
	if err != nil {
		return err
	}
	values.Del("after")
	a, err := s.readAsk(c)
	if err != nil {
		return err
	}
	q, err := s.understand(c, a)
	if err != nil {
		return err
	}
	note(c, a.text(), 0)
	ctx, cancel := context.WithCancel(c.Request().Context())
	defer cancel()
	out := &eventStream{response: c.Response(), control: http.NewResponseController(c.Response())}
	if err := out.control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	var beating sync.WaitGroup
	beating.Go(func() { s.beat(ctx, cancel, out) })
	err = s.seenLife(c).Watch(ctx, registry.Discovery{Query: q, Collectives: a.collectives, States: a.states}, after, out.send)
	cancel()
	beating.Wait()
	switch {
	case !out.begun:
		return historyFailure(err)
	case errors.Is(err, registry.ErrSlow):
		_ = out.write("event: slow\ndata: {}\n\n") // it may be gone
	}
	return nil
}

// beat shows a quiet watcher that the server is there, and ends the stream with
// the server.
func (s *Server) beat(ctx context.Context, cancel func(), out *eventStream) {
	tick := time.NewTicker(streamBeat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if out.write(": \n\n") != nil {
				cancel()
			}
		case <-s.closing:
			cancel()
			return
		case <-ctx.Done():
			return
		}
	}
}

// eventStream is an answer of server-sent events.
type eventStream struct {
	mu       sync.Mutex
	response *echo.Response
	control  *http.ResponseController
	begun    bool
}

// send sends one event. The data is that of the journal; the ID is for
// Last-Event-ID.
func (o *eventStream) send(w registry.Watched) error {
	data, err := json.Marshal(w)
	if err != nil {
		return err
	}
	if w.What == registry.Began {
		data = []byte("{}")
	}
	return o.write(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", w.ID, w.What, data))
}

func (o *eventStream) write(text string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.begun {
		if text[0] == ':' {
			return nil // the answer may yet be a failure
		}
		o.response.Header().Set(echo.HeaderContentType, "text/event-stream")
		o.response.Header().Set("X-Accel-Buffering", "no")
		o.response.WriteHeader(http.StatusOK)
		o.begun = true
	}
	if err := o.control.SetWriteDeadline(time.Now().Add(streamPatience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := o.response.Write([]byte(text)); err != nil {
		return err
	}
	return o.control.Flush()
}

// historyFailure says what the history can not answer.
func historyFailure(err error) error {
	switch {
	case errors.Is(err, registry.ErrTooOld):
		f := fail(http.StatusGone, "%v", err)
		f.Code = "gone"
		return f
	case errors.Is(err, registry.ErrNoHistory):
		return fail(http.StatusNotFound, "%v", err)
	}
	return err
}
