package wire_test

import (
	"crypto/elliptic"
	"encoding/json"
	"testing"

	"muster/internal/wire"
)

func BenchmarkSeal(b *testing.B) {
	s := newSite(b, "site CA")
	for name, sealer := range sealers(b, s) {
		b.Run(name, func(b *testing.B) {
			m := registration()
			m.Body = body9K(b)
			b.ReportAllocs()
			for b.Loop() {
				mustSeal(b, sealer, m)
			}
		})
	}
}

// The chain is remembered, as it is from a node's second message on.
func BenchmarkOpen(b *testing.B) {
	s := newSite(b, "site CA")
	for name, sealer := range sealers(b, s) {
		b.Run(name, func(b *testing.B) {
			m := registration()
			m.Body = body9K(b)
			sealed, opener := mustSeal(b, sealer, m), s.opener()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := opener.Open(sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Each message comes from a node that was not heard before.
func BenchmarkOpenFirst(b *testing.B) {
	s := newSite(b, "site CA")
	sealed := mustSeal(b, s.node("web1"), registration())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.opener().Open(sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func sealers(b *testing.B, s *site) map[string]*wire.Sealer {
	return map[string]*wire.Sealer{
		"Ed25519": s.node("web1"),
		"ECDSA":   s.sealer(leaf("web1"), ecdsaKey(b, elliptic.P256())),
		"RSA2048": s.sealer(leaf("web1"), rsaKey(b)),
		"RSA4096": s.sealer(leaf("web1"), newRSAKey(b, 4096)),
	}
}

// body9K is as large as the facts of a usual machine.
func body9K(b *testing.B) []byte {
	facts := make(map[string]any)
	for i := range 150 {
		facts["fact_"+wire.NewRequestID()[:8]] = map[string]any{"value": i, "text": "a value of a usual length"}
	}
	body, err := json.Marshal(map[string]any{"facts": facts})
	if err != nil {
		b.Fatal(err)
	}
	return body
}
