package agent_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/agent"
	"muster/internal/bus"
	"muster/internal/pki"
	"muster/internal/wire"
	"muster/registry"
)

const registrations = "/exchange/mcollective_broadcast/registration"

// hostileCA signs whatever name it is asked to, as a careless operator might.
type hostileCA struct {
	tb   testing.TB
	cert *x509.Certificate
	key  ed25519.PrivateKey
}

func newHostileCA(tb testing.TB) *hostileCA {
	tb.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	ca := &hostileCA{tb: tb, key: key}
	ca.cert = ca.sign("hostile", nil, key.Public())
	return ca
}

func (ca *hostileCA) sign(name string, parent *x509.Certificate, public any, extensions ...pkix.Extension) *x509.Certificate {
	ca.tb.Helper()
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: extensions,
	}
	if parent == nil {
		parent, cert.IsCA, cert.KeyUsage = cert, true, x509.KeyUsageCertSign
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, public, ca.key)
	if err != nil {
		ca.tb.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		ca.tb.Fatal(err)
	}
	return parsed
}

// hostile is a node that can say anything under its name.
type hostile struct {
	tb     testing.TB
	key    ed25519.PrivateKey
	sealer *wire.Sealer
	id     string // the last message's
}

func (ca *hostileCA) node(name string, extensions ...pkix.Extension) *hostile {
	ca.tb.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		ca.tb.Fatal(err)
	}
	sealer, err := wire.NewSealer(key, []*x509.Certificate{ca.sign(name, ca.cert, public, extensions...)})
	if err != nil {
		ca.tb.Fatal(err)
	}
	return &hostile{tb: ca.tb, key: key, sealer: sealer}
}

// says seals a registration as it should be, with this body.
func (h *hostile) says(sequence uint64, replyTo, body string) []byte {
	h.tb.Helper()
	h.id = wire.NewRequestID()
	sealed, err := h.sealer.Seal(wire.Message{
		Kind: wire.Registration, Agent: "registration", Collective: "mcollective", RequestID: h.id,
		Sequence: sequence, Sent: time.Now(), ReplyTo: replyTo, Body: []byte(body),
	})
	if err != nil {
		h.tb.Fatal(err)
	}
	return sealed
}

// forges changes what was sealed and seals it anew, past every check that a
// Sealer makes.
func (h *hostile) forges(sealed []byte, old, changed string) []byte {
	h.tb.Helper()
	var jws struct {
		Protected string `json:"protected"`
		Payload   string `json:"payload"`
		Signature string `json:"signature"`
	}
	if err := json.Unmarshal(sealed, &jws); err != nil {
		h.tb.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(jws.Payload)
	if err != nil {
		h.tb.Fatal(err)
	}
	forged := strings.Replace(string(payload), old, changed, 1)
	if forged == string(payload) {
		h.tb.Fatalf("%s is not in %s", old, payload)
	}
	jws.Payload = base64.RawURLEncoding.EncodeToString([]byte(forged))
	jws.Signature = base64.RawURLEncoding.EncodeToString(ed25519.Sign(h.key, []byte(jws.Protected+"."+jws.Payload)))
	out, err := json.Marshal(jws)
	if err != nil {
		h.tb.Fatal(err)
	}
	return out
}

// What is refused is refused with a reason and listed, and the receiver goes on.
func TestBadRegistrationsAreRefused(t *testing.T) {
	s := newSite(t)
	s.startBroker()
	reg := memory(t)
	ca := newHostileCA(t)
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	c := s.bus("registry")
	receiver := agent.Receiver{
		Bus: c, Sealer: s.sealer("registry.acme.net", pki.RoleRegistry), Registry: reg, Log: quiet(),
		Opener:  &wire.Opener{Roots: func() *x509.CertPool { return roots }, Expect: []wire.Kind{wire.Registration}},
		Workers: 1, // in order, so that one can be older than the last
	}
	running(t, receiver.Run)

	const good = `{"facts":{"customer":"acme"}}`
	web, db := ca.node("web1.acme.net"), ca.node("db1.acme.net")
	now := uint64(time.Now().UnixNano())
	broken := db.forges(web.says(now, "", good), "acme", "evil") // by a key that is not web1's
	cases := []struct{ body, reason, identity string }{
		{string(web.says(now, "", good)), "", ""},
		{"{" + strings.Repeat(" ", 3<<20) + "}", "too_large", ""},
		{"hello", "bad_seal", ""},
		{"", "bad_seal", ""},
		{"\x04\x08{\x00", "bad_seal", ""},
		{string(broken), "bad_seal", "web1.acme.net"},
		{string(newHostileCA(t).node("db1.acme.net").says(now, "", good)), "untrusted", "db1.acme.net"},
		{string(web.forges(web.says(now+1, "", good), `"web1.acme.net"`, `"db1.acme.net"`)), "wrong_sender", "web1.acme.net"},
		{string(web.forges(web.says(now+1, "", good), `"sender":"web1.acme.net"`, `"sender":""`)), "malformed", "web1.acme.net"},
		{string(web.says(now-1, "", good)), "older", "web1.acme.net"},
		{string(web.says(now+1, "", `{"identity":"db1.acme.net"}`)), "wrong_sender", "web1.acme.net"},
		{string(web.says(now+1, "", `["discovery","rpcutil"]`)), "agent_list", "web1.acme.net"},
		{string(web.says(now+1, "", `{"facts":{"a":1},"FACTS":{"a":2}}`)), "duplicate_key", "web1.acme.net"},
		{string(web.forges(web.says(now+1, "", good), `{"customer":"acme"}`, `{"customer":"acme","customer":"evil"}`)), "malformed", "web1.acme.net"},
		{string(web.says(now+1, "", `{"facts":[]}`)), "malformed", "web1.acme.net"},
		{string(web.says(now+1, "", `"text"`)), "malformed", "web1.acme.net"},
		{string(ca.node("-oProxyCommand=id").says(now, "", good)), "bad_identity", "-oProxyCommand=id"},
		{string(ca.node(strings.Repeat("x", 300)).says(now, "", good)), "bad_identity", strings.Repeat("x", 300)},
		{string(ca.node("a@b").says(now, "", good)), "bad_identity", "a@b"},
		{string(db.says(now, "", good)), "", ""},
	}
	if err := c.Ready(s.soon()); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, tt := range cases {
		if err := c.Publish(s.soon(), bus.Message{Destination: registrations, Body: []byte(tt.body)}); err != nil {
			t.Fatal(err)
		}
		if tt.reason != "" {
			want = append(want, fmt.Sprintf("%s %.20s", tt.reason, tt.identity))
		}
	}
	eventually(t, "the last registration", func() bool { _, ok := reg.Node("db1.acme.net"); return ok })
	var got []string
	for _, f := range reg.Rejected() {
		got = append([]string{fmt.Sprintf("%s %.20s", f.Reason, f.Identity)}, got...)
		if f.Detail == "" || f.At.IsZero() {
			t.Errorf("%s: no detail or time: %+v", f.Reason, f)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if n, _ := reg.Node("web1.acme.net"); n.Facts["customer"] != "acme" {
		t.Errorf("the first registration has suffered: %v", n.Facts)
	}
}

// receiving is a receiver on a loop, and what came of it.
type receiving struct {
	*loop
	site *site

	mu       sync.Mutex
	receipts []string // destination and body
}

func (s *site) receiving(reg registrar) (r *receiving, stop func() error) {
	r = &receiving{loop: &loop{}, site: s}
	r.onPublish = func(m bus.Message) {
		opened, err := s.opener().Open(m.Body)
		if err != nil || opened.Kind != wire.Receipt || opened.Proof.Role != "registry" {
			s.tb.Errorf("published %v, %v", opened, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.receipts = append(r.receipts, string(opened.Body))
	}
	receiver := agent.Receiver{Bus: r, Sealer: s.sealer("registry.acme.net", pki.RoleRegistry), Opener: s.opener(), Registry: reg, Log: quiet()}
	stop = running(s.tb, receiver.Run)
	eventually(s.tb, "the receiver", func() bool { return r.listens(registrations) })
	return r, stop
}

// send gives the receiver a registration; the channel tells of the ACK.
func (r *receiving) send(by *wire.Sealer, replyTo, body string) (acked chan struct{}) {
	r.site.tb.Helper()
	sealed, err := by.Seal(wire.Message{
		Kind: wire.Registration, Agent: "registration", Collective: "mcollective", RequestID: wire.NewRequestID(),
		Sequence: uint64(time.Now().UnixNano()), Sent: time.Now(), ReplyTo: replyTo, Body: []byte(body),
	})
	if err != nil {
		r.site.tb.Fatal(err)
	}
	acked = make(chan struct{})
	r.deliver(registrations, sealed, func() error { close(acked); return nil })
	return acked
}

func (r *receiving) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.receipts...)
}

// failing is a registry whose disk is full.
type failing struct{ forgetful }

func (failing) Register(context.Context, registry.Registration) (registry.Receipt, error) {
	return registry.Receipt{}, errors.New("no space left on device")
}

// forgetful knows no registration again.
type forgetful struct{ registrar }

func (forgetful) Repeated(context.Context, registry.Registration) (registry.Receipt, bool, error) {
	return registry.Receipt{}, false, nil
}

// A registration that could not be stored is not acknowledged to its sender.
func TestAFullDiskAcknowledgesNothing(t *testing.T) {
	s := newSite(t)
	r, _ := s.receiving(failing{})
	acked := r.send(s.sealer("web1.acme.net", pki.RoleNode), wire.RabbitMQ.Reply("mcollective"), `{}`)
	select {
	case <-acked:
	case <-time.After(patience):
		t.Fatal("the broker was left waiting")
	}
	time.Sleep(50 * time.Millisecond)
	if got := r.got(); len(got) != 0 {
		t.Errorf("receipts %q", got)
	}
}

// Receipts tell of acceptance with warnings and of refusals, and go only where
// replies go.
func TestReceipts(t *testing.T) {
	s := newSite(t)
	r, _ := s.receiving(memory(t))
	web := s.sealer("web1.acme.net", pki.RoleNode)
	reply := wire.RabbitMQ.Reply("mcollective")
	<-r.send(web, "", `{}`)
	<-r.send(web, registrations, `{}`)
	<-r.send(web, "/queue/somewhere", `{}`)
	<-r.send(web, reply, `{"interval":60,"nonsense":1}`)
	eventually(t, "a receipt", func() bool { return len(r.got()) == 1 })
	<-r.send(web, reply, `[]`)
	eventually(t, "a refusal", func() bool { return len(r.got()) == 2 })
	got := r.got()
	if !strings.HasPrefix(got[0], `{"accepted":true,"warnings":["`) || !strings.Contains(got[0], "nonsense") || !strings.HasSuffix(got[0], `"next":60}`) {
		t.Errorf("receipt %s", got[0])
	}
	if !strings.HasPrefix(got[1], `{"accepted":false,"reason":"agent_list","detail":"`) {
		t.Errorf("receipt %s", got[1])
	}
}

// blocking is a registry that lets nobody through before all are there.
type blocking struct {
	forgetful
	inside  atomic.Int32
	all     int32
	release chan struct{}
}

func (b *blocking) Register(ctx context.Context, _ registry.Registration) (registry.Receipt, error) {
	if b.inside.Add(1) == b.all {
		close(b.release)
	}
	select {
	case <-b.release:
		return registry.Receipt{}, nil
	case <-ctx.Done():
		return registry.Receipt{}, ctx.Err()
	}
}

func (b *blocking) Trust(context.Context, registry.Registration) error { return nil }

// Registrations are committed side by side, so that they can share a commit,
// but no more than 64.
func TestRegistrationsAreCommittedSideBySide(t *testing.T) {
	s := newSite(t)
	b := &blocking{all: 64, release: make(chan struct{})}
	r, _ := s.receiving(b)
	web := s.sealer("web1.acme.net", pki.RoleNode)
	var acks []chan struct{}
	for range 64 {
		acks = append(acks, r.send(web, "", `{}`))
	}
	for _, acked := range acks {
		select {
		case <-acked:
		case <-time.After(patience):
			t.Fatal("they wait for each other")
		}
	}
}

// What is under way when the receiver stops is not acknowledged, to anybody.
func TestAStoppingReceiverAcknowledgesNothing(t *testing.T) {
	s := newSite(t)
	b := &blocking{all: 2, release: make(chan struct{})}
	r, stop := s.receiving(b)
	acked := r.send(s.sealer("web1.acme.net", pki.RoleNode), wire.RabbitMQ.Reply("mcollective"), `{}`)
	eventually(t, "the registration", func() bool { return b.inside.Load() == 1 })
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v", err)
	}
	select {
	case <-acked:
		t.Error("the broker was told that it was dealt with")
	default:
	}
	if got := r.got(); len(got) != 0 {
		t.Errorf("receipts %q", got)
	}
}

// Nothing that was acknowledged is lost, whatever goes away meanwhile.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.startBroker()
	dir := t.TempDir()
	open := func() *registry.Registry { return onDisk(t, dir) }
	reg := open()
	stop := s.registry(reg)

	const nodes = 20
	var acknowledged sync.Map
	var all sync.WaitGroup
	for i := range nodes {
		name := fmt.Sprintf("web%d.acme.net", i)
		d := s.daemon(name)
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
			defer cancel()
			time.Sleep(time.Duration(i) * 20 * time.Millisecond)
			if _, err := d.Once(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			acknowledged.Store(name, true)
		})
	}
	time.Sleep(100 * time.Millisecond)
	s.stop()
	time.Sleep(50 * time.Millisecond)
	s.startBroker()
	time.Sleep(100 * time.Millisecond)
	_ = stop()
	before := map[string]bool{}
	acknowledged.Range(func(name, _ any) bool { before[name.(string)] = true; return true })
	if err := reg.Close(); err != nil {
		t.Fatal(err)
	}
	reg = open()
	for name := range before {
		if _, ok := reg.Node(name); !ok {
			t.Errorf("%s was acknowledged and is lost", name)
		}
	}
	s.registry(reg)
	all.Wait()
	for i := range nodes {
		if _, ok := reg.Node(fmt.Sprintf("web%d.acme.net", i)); !ok {
			t.Errorf("web%d is not there", i)
		}
	}
}
