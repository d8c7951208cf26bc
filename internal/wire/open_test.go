package wire_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/wire"
)

// Every reason but those of the certificate, which have a table of their own.
func TestOpenRefuses(t *testing.T) {
	s := newSite(t, "site CA")
	web1 := s.node("web1")
	request, registration := request(), registration()
	good := mustSeal(t, web1, request)
	for name, test := range map[string]struct {
		sealed []byte
		opener func(*wire.Opener)
		reason wire.Reason
		detail string
	}{
		"too large":        {good, func(o *wire.Opener) { o.MaxBytes = len(good) - 1 }, wire.TooLarge, "more than"},
		"empty":            {nil, nil, wire.BadSeal, "not a sealed message"},
		"text":             {[]byte("hello"), nil, wire.BadSeal, "not a sealed message"},
		"MCollective, psk": {[]byte{4, 8, '{'}, nil, wire.BadSeal, "MCollective"},
		"MCollective, ssl": {[]byte("--- \n:a: 1"), nil, wire.BadSeal, "MCollective"},
		"cut":              {good[:len(good)-5], nil, wire.BadSeal, "EOF"},
		"more behind":      {append(slices.Clone(good), "{}"...), nil, wire.BadSeal, "more after"},
		"other JSON":       {[]byte(`{"payload":"","kind":"x"}`), nil, wire.BadSeal, `no member "kind"`},
		"unprotected header": {bytes.Replace(good, []byte(`{"payload`), []byte(`{"header":{"alg":"none"},"payload`), 1),
			nil, wire.BadSeal, `no member "header"`},
		"two payloads": {bytes.Replace(good, []byte(`{"payload`), []byte(`{"payload":"e30","payload`), 1),
			nil, wire.BadSeal, "duplicate"},
		"other case":   {bytes.Replace(good, []byte(`{"payload`), []byte(`{"Payload`), 1), nil, wire.BadSeal, `no member "Payload"`},
		"escaped":      {bytes.Replace(good, []byte(`{"payload":"e`), []byte(`{"payload":"\u0065`), 1), nil, wire.BadSeal, "not base64url"},
		"general form": {[]byte(`{"payload":"e30","signatures":[]}`), nil, wire.BadSeal, `no member "signatures"`},
		"compact form": {[]byte(`e30.e30.e30`), nil, wire.BadSeal, "not a sealed message"},
		"unexpected kind": {mustSeal(t, web1, registration), func(o *wire.Opener) { o.Expect = []wire.Kind{wire.Request} },
			wire.Unexpected, "a registration is not wanted"},
		"future":  {good, at(-5*time.Minute - time.Second), wire.Future, "5m1s ahead"},
		"expired": {good, at(time.Minute + time.Second), wire.Expired, "1m1s ago"},
		"expired reply": {mustSeal(t, web1, wire.Message{Kind: wire.Reply, RequestID: request.RequestID, Sent: noon, TTL: time.Second}),
			at(2 * time.Second), wire.Expired, "2s ago"},
	} {
		t.Run(name, func(t *testing.T) {
			opener := s.opener()
			if test.opener != nil {
				test.opener(opener)
			}
			_, err := opener.Open(test.sealed)
			wantRefusal(t, err, test.reason, test.detail)
			if slices.Contains([]wire.Reason{wire.Unexpected, wire.Future, wire.Expired}, test.reason) {
				wantSender(t, err, "web1")
			}
		})
	}
}

// at turns an opener's clock.
func at(d time.Duration) func(*wire.Opener) {
	return func(o *wire.Opener) { o.Now = func() time.Time { return noon.Add(d) } }
}

// What is just in time is opened.
func TestOpenAtTheEdge(t *testing.T) {
	s := newSite(t, "site CA")
	sealed := mustSeal(t, s.node("web1"), request())
	for _, d := range []time.Duration{-5 * time.Minute, 0, time.Minute} {
		opener := s.opener()
		opener.MaxBytes = len(sealed)
		at(d)(opener)
		opened, err := opener.Open(sealed)
		if err != nil {
			t.Errorf("%s: %v", d, err)
		}
		if opened.Skew != -d {
			t.Errorf("%s: got skew %s", d, opened.Skew)
		}
	}
}

// Registrations and receipts never expire, however wrong the clocks are.
func TestRegistrationsDoNotExpire(t *testing.T) {
	s := newSite(t, "site CA")
	sealed := mustSeal(t, s.node("web1"), registration())
	for _, d := range []time.Duration{-50 * time.Minute, 20 * time.Hour} {
		opener := s.opener()
		at(d)(opener)
		for range 2 { // nor is it a replay: the registry orders them
			opened, err := opener.Open(sealed)
			if err != nil {
				t.Fatal(err)
			}
			if opened.Skew != -d {
				t.Errorf("got skew %s, want %s", opened.Skew, -d)
			}
		}
	}
}

// A node speaks for itself only. All the ways in which the names in the
// message can agree or disagree with the one in the certificate; sealed by
// hand, since Seal refuses them.
func TestNobodySpeaksForAnother(t *testing.T) {
	s := newSite(t, "site CA")
	key := ed25519Key(t)
	// A Kelvin sign folds to k.
	names := map[string]bool{"web1.kk": true, "WEB1.KK": true, "web2.kk": false, "web1.\u212ak": false, "web1.kk\t": false, "": false}
	callers := map[string]bool{
		"": true, "cert=web1.kk": true, "cert=Web1.kk": true,
		"cert=web2.kk": false, "web1.kk": false, "uid=0": false, "cert=": false, "CERT=cert=web1.kk": false,
	}
	for _, cn := range []string{"web1.kk", "Web1.KK"} {
		cert := s.sign(leaf(cn), s.cert, key.Public(), s.key)
		for sender, senderOK := range names {
			for caller, callerOK := range callers {
				text := fmt.Sprintf(`{"kind":"request","sender":%q,"caller":%q,"requestid":%q,"sent":"2026-11-27T12:00:00Z","ttl":60}`,
					sender, caller, wire.NewRequestID())
				opened, err := s.opener().Open(forge(t, key, header("EdDSA", "", cert), text))
				switch {
				case senderOK && callerOK:
					if err != nil {
						t.Errorf("%s, sender %q, caller %q: %v", cn, sender, caller, err)
					} else if opened.Caller != "cert="+cn || opened.Proof.Name != cn {
						t.Errorf("got caller %q, proof of %q; want %s", opened.Caller, opened.Proof.Name, cn)
					}
				case sender == "":
					wantRefusal(t, err, wire.Malformed, "no sender")
				default:
					wantRefusal(t, err, wire.WrongSender, cn)
					wantSender(t, err, cn) // who sealed it, not who is named
				}
			}
		}
	}
}

func TestOpenRefusesMalformed(t *testing.T) {
	s := newSite(t, "site CA")
	key := ed25519Key(t)
	cert := s.sign(leaf("web1"), s.cert, key.Public(), s.key)
	id := wire.NewRequestID()
	for name, test := range map[string]struct{ payload, detail string }{
		"no JSON":            {"hello", "not a JSON object"},
		"list":               {"[]", "not a JSON object"},
		"duplicate keys":     {payload(id, `,"sender":"web2"`), "duplicate"},
		"duplicate in body":  {payload(id, `,"body":{"a":[{"b":1,"b":2}]}`), "duplicate"},
		"escaped duplicate":  {payload(id, `,"s\u0065nder":"web2"`), "duplicate"},
		"other case":         {payload(id, `,"Sender":"web2"`), "want it spelt sender"},
		"escaped long s":     {payload(id, `,"\u017fender":"web2"`), "want it spelt sender"},
		"long s":             {payload(id, `,"ſender":"web2"`), "want it spelt sender"},
		"broken UTF-8":       {payload(id, ",\"agent\":\"\xff\""), "UTF-8"},
		"unknown in request": {payload(id, `,"filter":{}`), `"filter", which this version does not understand`},
		"empty name":         {payload(id, `,"":1`), "empty name"},
		"number as text":     {payload(id, `,"agent":5`), "not a string"},
		"null":               {payload(id, `,"replyto":null`), "not a string"},
		"behind it":          {payload(id, "") + "{}", "more after"},
		"bad id":             {payload("0123", ""), "request id"},
		"id in capitals":     {payload(strings.ToUpper("abcdefabcdefabcdefabcdefabcdefab"), ""), "request id"},
		"bad sequence":       {payload(id, `,"sequence":5`), "not a string"},
		"large sequence":     {payload(id, `,"sequence":"99999999999999999999"`), "64 bits"},
		"long ttl":           {strings.Replace(payload(id, ""), `"ttl":60`, `"ttl":3601`, 1), "up to 3600"},
		"negative ttl":       {strings.Replace(payload(id, ""), `"ttl":60`, `"ttl":-1`, 1), "up to 3600"},
		"half a ttl":         {strings.Replace(payload(id, ""), `"ttl":60`, `"ttl":1.5`, 1), "up to 3600"},
		"no ttl":             {strings.Replace(payload(id, ""), `,"ttl":60`, "", 1), "needs a ttl"},
		"no time":            {strings.Replace(payload(id, ""), `"sent":"2026-11-27T12:00:00Z",`, "", 1), "no time"},
		"bad time":           {strings.Replace(payload(id, ""), "2026-11-27T12:00:00Z", "yesterday", 1), "RFC 3339"},
		"bad kind":           {strings.Replace(payload(id, ""), `"request"`, `"order"`, 1), `kind of message "order"`},
		"no sequence":        {strings.Replace(payload(id, ""), `"request"`, `"registration"`, 1), "needs a sequence"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.opener().Open(forge(t, key, header("EdDSA", "", cert), test.payload))
			wantRefusal(t, err, wire.Malformed, test.detail)
		})
	}
	// What a newer daemon says besides does not keep a node from registering.
	text := strings.Replace(payload(id, `,"sequence":"1","weather":{"sun":true}`), `"request"`, `"registration"`, 1)
	if _, err := s.opener().Open(forge(t, key, header("EdDSA", "", cert), text)); err != nil {
		t.Error(err)
	}
}

// No bit of a sealed message can be turned.
func TestEveryBitIsSealed(t *testing.T) {
	s := newSite(t, "site CA")
	for name, sealer := range map[string]*wire.Sealer{
		"Ed25519": s.node("web1"),
		"ECDSA":   s.sealer(leaf("web1"), ecdsaKey(t, elliptic.P256())),
		"RSA":     s.sealer(leaf("web1"), rsaKey(t)),
	} {
		t.Run(name, func(t *testing.T) {
			sealed := mustSeal(t, sealer, registration())
			opener := s.opener()
			if _, err := opener.Open(sealed); err != nil {
				t.Fatal(err)
			}
			for i := range sealed {
				for bit := range 8 {
					turned := slices.Clone(sealed)
					turned[i] ^= 1 << bit
					if opened, err := opener.Open(turned); err == nil {
						t.Fatalf("byte %d (%q), bit %d: got %+v", i, sealed[i], bit, opened)
					}
				}
			}
		})
	}
}

// What is too large costs nothing, and what only looks like a message takes
// memory in proportion.
func TestGarbageIsCheap(t *testing.T) {
	s := newSite(t, "site CA")
	for name, test := range map[string]struct {
		garbage string
		reason  wire.Reason
		bytes   uint64 // that may be allocated
	}{
		"64 MiB":  {`{"payload":"` + strings.Repeat("A", 64<<20) + `"}`, wire.TooLarge, 4 << 10},
		"deep":    {`{"payload":` + strings.Repeat("[", 1<<20), wire.BadSeal, 1 << 20},
		"members": {`{` + strings.Repeat(`"a":1,`, 1<<18), wire.BadSeal, 64 << 10},
		"header":  {`{"payload":"e30","signature":"e30","protected":"` + strings.Repeat("A", 1<<20) + `"}`, wire.BadSeal, 64 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			opener, garbage := s.opener(), []byte(test.garbage)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := opener.Open(garbage)
			runtime.ReadMemStats(&after)
			wantRefusal(t, err, test.reason, "")
			if took := after.TotalAlloc - before.TotalAlloc; took > test.bytes {
				t.Errorf("refusing %d bytes took %d, want at most %d", len(garbage), took, test.bytes)
			}
		})
	}
}

func TestRolesAreRead(t *testing.T) {
	s := newSite(t, "site CA")
	text := func(value string) asn1.RawValue {
		return asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(value)}
	}
	for name, test := range map[string]struct {
		cert *x509.Certificate
		role string
	}{
		"none":             {leaf("a"), "node"},
		"operator":         {withRole(leaf("a"), text("muster:operator")), "operator"},
		"registry":         {withRole(leaf("a"), text("muster:registry")), "registry"},
		"unknown":          {withRole(leaf("a"), text("muster:king")), "node"},
		"of Puppet's site": {withRole(leaf("a"), text("operator")), "node"},
		"other type":       {withRole(leaf("a"), 5), "node"},
		"in the subject": {func() *x509.Certificate {
			cert := leaf("a")
			cert.Subject.OrganizationalUnit = []string{"operator", "muster:operator"}
			return cert
		}(), "node"},
	} {
		t.Run(name, func(t *testing.T) {
			opened, err := s.opener().Open(mustSeal(t, s.sealer(test.cert, ed25519Key(t)), request()))
			if err != nil || opened.Proof.Role != test.role {
				t.Errorf("got role %q, %v; want %s", opened.Proof.Role, err, test.role)
			}
		})
	}
}

// A long name is in the DNS names; of several the first counts.
func TestNameInDNSNames(t *testing.T) {
	s := newSite(t, "site CA")
	long := strings.Repeat("a-long-name.", 10) + "acme.net"
	cert := leaf("")
	cert.DNSNames = []string{long, "other.acme.net"}
	opened, err := s.opener().Open(mustSeal(t, s.sealer(cert, ed25519Key(t)), request()))
	if err != nil || opened.Sender != long {
		t.Errorf("got %q, %v", opened.Sender, err)
	}
	// With a CN, the DNS names do not count.
	cert = leaf("web1")
	cert.DNSNames = []string{"web2"}
	if sealer := s.sealer(cert, ed25519Key(t)); sealer.Name() != "web1" {
		t.Errorf("got %s", sealer.Name())
	}
	// With two, nothing counts.
	cert = leaf("")
	cert.Subject.ExtraNames = []pkix.AttributeTypeAndValue{
		{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "web1"}, {Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "web2"},
	}
	if _, err := wire.ProofOf(s.sign(cert, s.cert, ed25519Key(t).Public(), s.key)); err == nil {
		t.Error("a certificate with two names speaks for one")
	}
}
