package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// login reads CONNECT, and before it the TLS handshake, within the time for
// both, and answers.
func (p *peer) login(ctx context.Context, in *frameReader) error {
	b := p.broker
	_ = p.conn.SetDeadline(time.Now().Add(b.limits.Login))
	who := Credentials{Remote: p.conn.RemoteAddr()}
	if t, ok := p.conn.(*tls.Conn); ok {
		if err := t.HandshakeContext(ctx); err != nil {
			return fmt.Errorf("TLS: %w", err)
		}
		if chains := t.ConnectionState().VerifiedChains; len(chains) > 0 {
			who.Certificate = chains[0][0]
		}
	}
	answer, err := p.connect(in, &who)
	if err != nil {
		if refusal, ok := errors.AsType[*refusal](err); ok {
			_, _ = deadlineWriter{p.conn, b.limits.Login}.Write(appendFrame(nil, refusal.frame(), v10))
			p.linger(err)
		}
		return err
	}
	_ = p.conn.SetDeadline(time.Time{})
	if p.stopping.Load() {
		return errors.New("the broker stops")
	}
	limit := b.limits.Outbox
	if p.lowly() {
		limit = b.limits.NodeOutbox
	}
	p.out, p.kept.limit, p.unacked.limit = newBounded[outgoing](limit), limit, limit
	p.put(outgoing{frame: answer})
	in.limits, in.version = b.limits.AfterLogin, p.version
	return nil
}

func (p *peer) connect(in *frameReader, who *Credentials) (*frame.Frame, error) {
	var f *frame.Frame
	var err error
	for f == nil && err == nil {
		f, err = in.read()
	}
	if err != nil {
		return nil, refuseFrame(err)
	}
	if f.Command != frame.CONNECT && f.Command != frame.STOMP {
		return nil, &refusal{message: "not connected", detail: "the first frame is CONNECT, not " + f.Command}
	}
	v, ok := newestOf(f.Header.Get(frame.AcceptVersion))
	if !ok {
		return nil, &refusal{message: "no common version", detail: "this broker speaks STOMP 1.0, 1.1 and 1.2"}
	}
	if p.beats, err = agree(f.Header.Get(frame.HeartBeat), p.broker.HeartBeat); err != nil {
		return nil, &refusal{message: "bad heart-beat", detail: err.Error()}
	}
	who.Login, who.Passcode = f.Header.Get(frame.Login), f.Header.Get(frame.Passcode)
	if err := p.authenticate(*who); err != nil {
		// Guessing is made slow.
		time.Sleep(200 * time.Millisecond)
		p.broker.Log.Warn("a login was refused", "remote", who.Remote, "login", who.Login, "error", err)
		return nil, &refusal{message: "access refused", detail: "login or passcode is wrong, or this login may not connect here"}
	}
	p.version = v
	return frame.New(frame.CONNECTED, frame.Version, v.String(), frame.Session, p.session,
		frame.Server, "muster", frame.HeartBeat, p.beats.String()), nil
}

func (p *peer) authenticate(who Credentials) (err error) {
	if p.broker.Authenticate == nil {
		return errors.New("nobody may log in")
	}
	p.principal, err = p.broker.Authenticate(who)
	return err
}

// refuseFrame makes a refusal of an error in a frame, if it is that.
func refuseFrame(err error) error {
	if bad, ok := errors.AsType[frameError](err); ok {
		return &refusal{message: "malformed frame", detail: string(bad)}
	}
	return err
}
