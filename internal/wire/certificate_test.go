package wire_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"testing"
	"time"

	"muster/internal/wire"
)

func TestOpenRefusesCertificates(t *testing.T) {
	s, stranger := newSite(t, "site CA"), newSite(t, "site CA") // the same name, another key
	key := ed25519Key(t)
	issue := func(change func(*x509.Certificate)) *x509.Certificate {
		cert := leaf("web1")
		change(cert)
		return s.sign(cert, s.cert, key.Public(), s.key)
	}
	short := func(from, until time.Duration) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = noon.Add(from), noon.Add(until) }
	}
	for name, test := range map[string]struct {
		cert   *x509.Certificate
		opener func(*wire.Opener)
		reason wire.Reason
		detail string
	}{
		"unknown CA":    {stranger.sign(leaf("web1"), stranger.cert, key.Public(), stranger.key), nil, wire.Untrusted, "leads to no CA"},
		"its own CA":    {s.sign(leaf("web1"), nil, key.Public(), key), nil, wire.Untrusted, "leads to no CA"},
		"no CA":         {issue(func(*x509.Certificate) {}), func(o *wire.Opener) { o.Roots = nil }, wire.Untrusted, "no CA to trust"},
		"no pool":       {issue(func(*x509.Certificate) {}), func(o *wire.Opener) { o.Roots = func() *x509.CertPool { return nil } }, wire.Untrusted, "no CA to trust"},
		"expired":       {issue(short(-time.Hour, -time.Second)), nil, wire.Untrusted, "expired at 2026-11-27T11:59:59Z"},
		"not yet valid": {issue(short(time.Second, time.Hour)), nil, wire.Untrusted, "not valid before 2026-11-27T12:00:01Z"},
		"for servers only": {issue(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), nil,
			wire.Untrusted, "leads to no CA"},
		"not for signatures": {issue(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), nil, wire.Untrusted, "not be used for signatures"},
		"a CA": {issue(func(c *x509.Certificate) {
			c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
		}), nil, wire.Untrusted, "speaks for no machine"},
		"no name": {issue(func(c *x509.Certificate) { c.Subject = pkix.Name{Organization: []string{"x"}} }), nil, wire.Untrusted, "neither a CN nor"},
		"unknown critical extension": {issue(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		}), nil, wire.Untrusted, "leads to no CA"},
		"revoked": {issue(func(*x509.Certificate) {}), func(o *wire.Opener) {
			o.Revoked = func(c *x509.Certificate) bool { return c.Subject.CommonName == "web1" }
		}, wire.Revoked, "revoked"},
		"CA revoked": {issue(func(*x509.Certificate) {}), func(o *wire.Opener) {
			o.Revoked = func(c *x509.Certificate) bool { return c.Subject.CommonName == "site CA" }
		}, wire.Revoked, "revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			opener := s.opener()
			if test.opener != nil {
				test.opener(opener)
			}
			_, err := opener.Open(forge(t, key, header("EdDSA", "", test.cert), payload(wire.NewRequestID(), "")))
			wantRefusal(t, err, test.reason, test.detail)
			if name != "no name" {
				wantSender(t, err, "web1")
			}
		})
	}
}

// The key decides the algorithm; the header has no say.
func TestAlgorithmConfusion(t *testing.T) {
	s := newSite(t, "site CA")
	key := ed25519Key(t)
	cert := s.sign(leaf("web1"), s.cert, key.Public(), s.key)
	p384 := ecdsaKey(t, elliptic.P384())
	curve := s.sign(leaf("web1"), s.cert, p384.Public(), s.key)
	weak := s.sign(leaf("web1"), s.cert, newRSAKey(t, 1024).Public(), s.key)
	text := payload(wire.NewRequestID(), "")
	publicKey, err := x509.MarshalPKIXPublicKey(cert.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	other := ed25519Key(t)
	for name, test := range map[string]struct {
		sealed []byte
		reason wire.Reason
		detail string
	}{
		"none":                      {flat(header("none", "", cert), text, nil), wire.BadSeal, `alg is "none"`},
		"None":                      {flat(header("None", "", cert), text, nil), wire.BadSeal, `alg is "None"`},
		"no algorithm":              {flat(header("", "", cert), text, nil), wire.BadSeal, `alg is ""`},
		"empty signature":           {flat(header("EdDSA", "", cert), text, nil), wire.BadSeal, "signature does not fit"},
		"public key as secret":      {hmacForge(publicKey, header("HS256", "", cert), text), wire.BadSeal, `alg is "HS256"`},
		"certificate as secret":     {hmacForge(cert.Raw, header("HS256", "", cert), text), wire.BadSeal, `alg is "HS256"`},
		"HMAC as EdDSA":             {hmacForge(publicKey, header("EdDSA", "", cert), text), wire.BadSeal, "signature does not fit"},
		"RS256 with an EdDSA key":   {forge(t, key, header("RS256", "", cert), text), wire.BadSeal, `wants "EdDSA"`},
		"ES256 with an EdDSA key":   {forge(t, key, header("ES256", "", cert), text), wire.BadSeal, `wants "EdDSA"`},
		"PS256":                     {forge(t, key, header("PS256", "", cert), text), wire.BadSeal, `alg is "PS256"`},
		"curve P-384":               {forge(t, key, header("ES256", "", curve), text), wire.Untrusted, "P-384"},
		"short RSA key":             {forge(t, key, header("RS256", "", weak), text), wire.Untrusted, "1024 bits"},
		"other key":                 {forge(t, other, header("EdDSA", "", cert), text), wire.BadSeal, "signature does not fit"},
		"key in the header":         {forge(t, other, header("EdDSA", `,"jwk":{"kty":"OKP"}`, cert), text), wire.BadSeal, `"jwk": not allowed`},
		"key by address":            {forge(t, key, header("EdDSA", `,"jku":"http://evil.net"`, cert), text), wire.BadSeal, `"jku": not allowed`},
		"certificate by address":    {forge(t, key, header("EdDSA", `,"x5u":"http://evil.net"`, cert), text), wire.BadSeal, `"x5u": not allowed`},
		"rules of its own":          {forge(t, key, header("EdDSA", `,"crit":["b64"],"b64":false`, cert), text), wire.BadSeal, `"crit": not allowed`},
		"two algorithms":            {forge(t, key, header("EdDSA", `,"alg":"none"`, cert), text), wire.BadSeal, "duplicate"},
		"for another purpose":       {forge(t, key, strings.Replace(header("EdDSA", "", cert), "muster.v1", "JWT", 1), text), wire.BadSeal, `typ is "JWT"`},
		"no certificate":            {forge(t, key, header("EdDSA", ""), text), wire.BadSeal, "no certificate"},
		"many certificates":         {forge(t, key, header("EdDSA", "", cert, cert, cert, cert, cert, cert), text), wire.BadSeal, "6 certificates"},
		"certificates not a list":   {forge(t, key, `{"alg":"EdDSA","typ":"muster.v1","x5c":"x"}`, text), wire.BadSeal, "not a list"},
		"certificate not base64":    {forge(t, key, `{"alg":"EdDSA","typ":"muster.v1","x5c":["-"]}`, text), wire.BadSeal, "not base64"},
		"certificate not X.509":     {forge(t, key, `{"alg":"EdDSA","typ":"muster.v1","x5c":["AAAA"]}`, text), wire.BadSeal, "X.509"},
		"header of another message": {forge(t, other, header("EdDSA", "", cert, s.cert), text), wire.BadSeal, "signature does not fit"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.opener().Open(test.sealed)
			wantRefusal(t, err, test.reason, test.detail)
		})
	}
}

// A certificate as Puppet's CA makes it serves as it is: RSA, with the
// certname as CN, and an intermediate CA of which the chain tells.
func TestPuppetCertificate(t *testing.T) {
	s := newSite(t, "Puppet Root CA: 0123")
	caKey := rsaKey(t)
	ca := s.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Puppet CA: puppet.acme.net"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour),
	}, s.cert, caKey.Public(), s.key)
	key := rsaKey(t)
	cert := s.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "web1.acme.net"}, BasicConstraintsValid: true, DNSNames: []string{"web1.acme.net"},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		ExtraExtensions: []pkix.Extension{
			{Id: []int{2, 16, 840, 1, 113730, 1, 13}, Value: append([]byte{22, 28}, "Puppet Ruby/OpenSSL Internal"...)},
			{Id: []int{1, 3, 6, 1, 4, 1, 34380, 1, 1, 13}, Value: append([]byte{12, 3}, "web"...)}, // pp_role
		},
	}, ca, key.Public(), caKey)

	sealer, err := wire.NewSealer(key, []*x509.Certificate{cert, ca, s.cert})
	if err != nil {
		t.Fatal(err)
	}
	opener := s.opener()
	opened, err := opener.Open(mustSeal(t, sealer, request()))
	if err != nil {
		t.Fatal(err)
	}
	if opened.Proof.Name != "web1.acme.net" || opened.Proof.Role != "node" {
		t.Errorf("got %+v", opened.Proof)
	}
	// The root is not sent: who trusts it has it.
	without, err := wire.NewSealer(key, []*x509.Certificate{cert, ca})
	if err != nil {
		t.Fatal(err)
	}
	if with, less := len(mustSeal(t, sealer, registration())), len(mustSeal(t, without, registration())); with != less {
		t.Errorf("got %d bytes with the root, %d without", with, less)
	}
	// Without the certificate between, there is no way to the root.
	alone, err := wire.NewSealer(key, []*x509.Certificate{cert})
	if err != nil {
		t.Fatal(err)
	}
	_, err = opener.Open(mustSeal(t, alone, request()))
	wantRefusal(t, err, wire.Untrusted, "leads to no CA")
	// The remembered chain ends with the shortest-lived certificate in it.
	s.now = noon.Add(2 * time.Hour)
	m := request()
	m.Sent = s.now
	_, err = opener.Open(mustSeal(t, sealer, m))
	wantRefusal(t, err, wire.Untrusted, "leads to no CA")
}

// A chain that was verified once is believed no longer than it may be.
func TestRememberedChains(t *testing.T) {
	s := newSite(t, "site CA")
	cert := leaf("web1")
	cert.NotBefore, cert.NotAfter = noon.Add(-time.Hour), noon.Add(time.Hour)
	sealed := mustSeal(t, s.sealer(cert, ed25519Key(t)), registration())
	opener := s.opener()
	trusted, revoked := opener.Roots(), false
	opener.Roots = func() *x509.CertPool { return trusted }
	opener.Revoked = func(*x509.Certificate) bool { return revoked }
	open := func() error { _, err := opener.Open(sealed); return err }

	if err := open(); err != nil {
		t.Fatal(err)
	}
	revoked = true
	wantRefusal(t, open(), wire.Revoked, "")
	revoked = false
	s.now = noon.Add(time.Hour + time.Second)
	wantRefusal(t, open(), wire.Untrusted, "expired")
	s.now = noon.Add(-time.Hour - time.Second)
	wantRefusal(t, open(), wire.Untrusted, "not valid before")
	s.now = noon
	was := trusted
	trusted = x509.NewCertPool() // the CA is not trusted any more
	wantRefusal(t, open(), wire.Untrusted, "leads to no CA")
	trusted = was
	if err := open(); err != nil {
		t.Errorf("trusted again: %v", err)
	}
}

// Remembering saves work, also where the CAs come in a new pool each time.
func TestRememberedChainsAreCheap(t *testing.T) {
	s := newSite(t, "site CA")
	sealed := mustSeal(t, s.node("web1"), registration())
	open := func(opener *wire.Opener) {
		if _, err := opener.Open(sealed); err != nil {
			t.Fatal(err)
		}
	}
	first := testing.AllocsPerRun(5, func() { open(s.opener()) })
	opener := s.opener()
	opener.Roots = func() *x509.CertPool { return s.opener().Roots() }
	again := testing.AllocsPerRun(5, func() { open(opener) })
	if again > first/2 {
		t.Errorf("the first message took %.0f allocations, the next %.0f", first, again)
	}
}

// An opener that may remember few chains forgets, and still opens all.
func TestFewChains(t *testing.T) {
	s := newSite(t, "site CA")
	opener := s.opener()
	opener.MaxChains = 2
	var sealed [][]byte
	for name := range strings.FieldsSeq("a b c d e f g") {
		sealed = append(sealed, mustSeal(t, s.node(name), registration()))
	}
	for range 3 {
		for i, message := range sealed {
			opened, err := opener.Open(message)
			if err != nil || opened.Sender != string(rune('a'+i)) {
				t.Errorf("got %q, %v", opened.Sender, err)
			}
		}
	}
}

// An RSA signer that hashes by itself, an HSM say, is asked in the right way.
func TestOpaqueSigner(t *testing.T) {
	s := newSite(t, "site CA")
	for _, key := range []crypto.Signer{ed25519Key(t), ecdsaKey(t, elliptic.P256()), rsaKey(t)} {
		sealer := s.sealer(leaf("web1"), struct{ crypto.Signer }{key})
		if _, err := s.opener().Open(mustSeal(t, sealer, registration())); err != nil {
			t.Errorf("%T: %v", key, err)
		}
	}
}
